"""What differs between the pages that ComfyUI has had: where errors are told, and which stores know of them.

Seen: 1.32 (windows over the page), 1.49 and 1.58 (a message in the corner that opens a panel). Everything else that
the tests do goes through the page's own `app`, whose names have stayed.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

#: Nodes that the page marks: by the graph, by the answer to a prompt, on newer pages by the stores of what is missing.
MARKED = """() => {
    const stores = document.querySelector('#vue-app')?.__vue_app__?.config.globalProperties.$pinia?.state.value ?? {}
    const missing = [
        ...(stores.missingModel?.missingModelCandidates ?? []).filter(found => found.isMissing),
        ...(stores.missingMedia?.missingMediaCandidates ?? []).filter(found => found.isMissing),
        ...(stores.missingNodesError?.missingNodesError?.nodeTypes ?? []),
    ].map(found => String(found.nodeId))
    const isMarked = node => node.has_errors || app.lastNodeErrors?.[node.id] || missing.includes(String(node.id))
    return app.graph.nodes.filter(isMarked).map(node => node.type)
}"""
#: What can lie over the graph, and what closes it.
WINDOWS = "[role=dialog]"
CLOSE_WINDOW = (
    "button:has(.pi-times), .p-dialog-close-button, button[aria-label='Close'], button[aria-label='Close dialog']"
)
ALERTS = ".p-toast-message"
#: What 1.32 offers when its nodes become HTML.
OWN_OFFER = "Switch back"
OVERLAY, OVERLAY_DETAILS, OVERLAY_CLOSE = (
    f"[data-testid={name}]" for name in ("error-overlay", "error-overlay-see-errors", "error-overlay-dismiss")
)
STORE = "name => document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia?._s.get(name)"


def windows(page: "Page") -> "Locator":
    """Return the windows that lie over the page."""
    return page.locator(WINDOWS).filter(visible=True)


def alerts(page: "Page") -> "Locator":
    """Return the messages in the page's corner, those of errors too."""
    return page.locator(f"{ALERTS}, {OVERLAY}").filter(visible=True, has_not_text=OWN_OFFER)


def clear(page: "Page") -> None:
    """Close what lies over the graph."""
    for _ in range(20):
        if (window := windows(page)).count():
            close = window.last.locator(CLOSE_WINDOW)
            _press(close.first) if close.count() else page.keyboard.press("Escape")
        elif page.locator(OVERLAY_CLOSE).count():
            _press(page.locator(OVERLAY_CLOSE).first)
        else:
            break
        page.wait_for_timeout(300)
    page.evaluate("app.extensionManager.toast?.removeAll?.()")
    page.evaluate(f"() => ({STORE})('rightSidePanel')?.closePanel?.()")
    panel = page.locator(".side-bar-button-selected")
    if panel.count():
        _press(panel.first)


def _press(button: "Locator") -> None:
    """Click on a button that may go away by itself meanwhile."""
    from playwright.sync_api import TimeoutError

    with suppress(TimeoutError):
        button.click(timeout=5000)


def error_text(page: "Page") -> str:
    """Wait until an error is told and return all that the page says of it."""
    return _told(page, f"{WINDOWS}:has-text('Show Report')")


def missing_text(page: "Page") -> str:
    """Wait until the page tells what a workflow lacks and return what it says."""
    return _told(page, f"{WINDOWS}:has-text('Missing')")


def _told(page: "Page", window: str) -> str:
    page.locator(f"{window}, {OVERLAY}").first.wait_for()
    if page.locator(OVERLAY).count():
        page.locator(OVERLAY_DETAILS).first.click()
        page.get_by_test_id("panel-tab-errors").wait_for()
        page.wait_for_timeout(500)
        return str(page.evaluate("document.body.innerText"))
    return page.locator(window).last.inner_text()


def app_mode(page: "Page") -> tuple[int, int] | None:
    """Return how many widgets and pictures the page's app mode shows; None where it has no such mode."""
    counts: list[int] | None = page.evaluate(
        f"""() => {{
            const store = ({STORE})('appMode')
            return store ? [store.selectedInputs.length, store.selectedOutputs.length] : null
        }}"""
    )
    return (counts[0], counts[1]) if counts else None


def draw_as_html(page: "Page", on: bool) -> None:
    """Choose the renderer: HTML elements, or the canvas."""
    page.evaluate("on => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", on)


#: Places on the sheet, [left, top, width, height], as the canvas has them and as HTML elements take them.
BOXES = """() => {
    const {scale, offset} = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect()
    return app.graph.nodes.map(node => {
        const shown = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect()
        const html = shown && [
            (shown.left - canvas.left) / scale - offset[0], (shown.top - canvas.top) / scale - offset[1],
            shown.width / scale, shown.height / scale]
        return [node.title, html ?? [node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30]]
    })
}"""
#: The coloured boxes behind nodes, [left, top, width, height].
GROUPS = "app.graph.groups.map(({pos: [x, y], size: [width, height]}) => [x, y, width, height])"
#: Wires that run through nodes which they do not belong to: [wire, node]; and how many parts of wires were looked at.
CROSSED = """() => {
    const pen = document.createElement('canvas').getContext('2d'), found = []
    pen.lineWidth = 2
    const link = id => app.graph.getLink?.(id) ?? app.graph.links.get?.(id) ?? app.graph.links[id]
    const links = [...(app.graph.links.values?.() ?? Object.values(app.graph.links))]
    const parts = [...links.map(link => [link, [link]]),
        ...[...(app.graph.reroutes?.values() ?? [])].map(dot => [dot, [...dot.linkIds].map(link).filter(Boolean)])]
        .filter(([part]) => part.path)
    for (const [part, own] of parts) {
        const ends = own.flatMap(link => [String(link.origin_id), String(link.target_id)])
        for (const node of app.graph.nodes) {
            if (ends.includes(String(node.id))) continue
            const [left, top] = node.pos, [width, height] = node.size
            const columns = [2, width / 4, width / 2, 3 * width / 4, width - 2]
            let hit = false
            for (let y = top - 28; y < top + height && !hit; y += 2)
                hit = columns.some(x => pen.isPointInStroke(part.path, left + x, y))
            if (hit) found.push([ends.join(' → '), node.title])
        }
    }
    return [parts.length, found]
}"""


def overlaps(page: "Page") -> list[tuple[str, str]]:
    """Return the pairs of nodes that lie over one another, as the page shows them now."""
    boxes: list[tuple[str, list[float]]] = page.evaluate(BOXES)
    found = []
    for number, (title, (x, y, width, height)) in enumerate(boxes):
        for other, (left, top, wide, tall) in boxes[number + 1 :]:
            if x + width > left + 1 and left + wide > x + 1 and y + height > top + 1 and top + tall > y + 1:
                found.append((title, other))
    return found


def sticking_out(page: "Page") -> list[str]:
    """Return the nodes that begin inside a group's box and end outside of it, as the page shows them now."""
    found = []
    groups: list[list[float]] = page.evaluate(GROUPS)
    for title, (x, y, width, height) in page.evaluate(BOXES):
        for left, top, wide, tall in groups:
            inside = left <= x + 1 < left + wide and top <= y + 1 < top + tall
            if inside and (x + width > left + wide + 1 or y + height > top + tall + 1):
                found.append(title)
    return found


def crossed(page: "Page") -> tuple[int, list[Any]]:
    """Return how many parts of wires the page draws, and which of them run through other nodes."""
    number, found = page.evaluate(CROSSED)
    return number, found
