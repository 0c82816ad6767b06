"""ComfyUI's page, worked through its own `app` where a user's way to do it has no bearing on the pack.

Templates are opened, *Run*, *Cancel* and help are pressed as a user does; widgets and wires are set by the graph, for
what they look like is the page's affair and changes with it.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import browser_pages as pages
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PATIENCE = 120_000  # milliseconds until the page is said to hang, on a machine with much else to do
#: How often a user would try, and milliseconds after which what was tried is said to be lost.
CLICKS, LOST = 4, 30_000


class Studio:
    """ComfyUI's page. Nodes are called by their titles.

    Attributes:
        messages: what the server has told the page over its websocket, oldest first.
        refused: addresses other than the server's that the page has asked for and this class has refused.
    """

    def __init__(self, page: "Page", url: str, artefacts: Path) -> None:
        self.page, self.artefacts = page, artefacts
        self.messages: list[dict[str, Any]] = []
        self.refused: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("filechooser", lambda _chooser: None)  # keeps Chromium from opening a window of its own
        page.on("websocket", lambda socket: socket.on("framereceived", self._hear))
        page.context.route(re.compile(rf"^(?!{re.escape(url)}|data:|blob:)"), self._refuse)
        page.add_init_script(
            """window.forbidden = []
            addEventListener('securitypolicyviolation', event => forbidden.push(event.blockedURI))"""
        )
        page.goto(url)
        page.wait_for_function("window.app?.graph && window.app.extensionManager")
        page.get_by_test_id("queue-button").wait_for()

    def _hear(self, payload: str | bytes) -> None:
        if isinstance(payload, str):
            self.messages.append(json.loads(payload))

    def _refuse(self, route: Any) -> None:
        self.refused.append(route.request.url)
        route.abort()

    def foreign_addresses(self) -> list[str]:
        """Return all addresses other than the server's that the page has tried to reach; none was let through.

        The server's content security policy forbids most of them before a request is made.
        """
        forbidden: list[str] = self.page.evaluate("window.forbidden")
        return [*self.refused, *(address for address in forbidden if "://" in address)]

    def screenshot(self, name: str) -> Path:
        """Keep the page as it looks now."""
        self.artefacts.mkdir(parents=True, exist_ok=True)
        path = self.artefacts / (re.sub(r"[^\w.-]+", "-", name) + ".png")
        self.page.screenshot(path=str(path))
        return path

    @property
    def dialogs(self) -> "Locator":
        """The windows that lie over the page."""
        return pages.windows(self.page)

    @property
    def alerts(self) -> "Locator":
        """The messages in the page's corner."""
        return pages.alerts(self.page)

    def clear(self) -> None:
        """Close what lies over the graph."""
        self.page.mouse.move(self.page.viewport_size["width"] / 2, self.page.viewport_size["height"] - 40)
        pages.clear(self.page)

    def draw_as_html(self, on: bool) -> None:
        """Draw nodes as HTML elements ("Nodes 2.0"), or on the canvas."""
        pages.draw_as_html(self.page, on)
        self.page.wait_for_timeout(300)

    def open_template_browser(self) -> "Locator":
        """Open *Templates*, choose the pack's category and return its cards, all with their pictures loaded."""
        self.clear()
        self.page.get_by_role("button", name="Templates", exact=True).click()
        self.dialogs.get_by_role("button", name="colorizediffusion").click()
        cards = self.dialogs.locator("[data-testid^='template-workflow-']")
        cards.first.wait_for()
        return cards

    def open_template(self, name: str) -> None:
        """Click on a template's card, and again where the page has not noticed; wait until the graph is another one."""
        self.open_template_browser()
        self.page.evaluate("(app.graph.extra ??= {}).beforeTemplate = true")
        self._until_noticed(f"the card of {name} was clicked on", lambda: self._click_on_card(name))
        self.page.wait_for_function(
            "name => !app.graph.extra?.beforeTemplate && app.graph.nodes.length && document.title.includes(name)",
            arg=name,
        )
        self.page.wait_for_timeout(500)  # what is missing is told a moment later

    def _until_noticed(self, what: str, work: Callable[[], None]) -> None:
        """Do what a user would do again where a busy page has not noticed, which is a timeout of Playwright's."""
        from playwright.sync_api import TimeoutError

        for _ in range(CLICKS):
            try:
                return work()
            except TimeoutError:
                self.screenshot(f"lost-{what}")
        pytest.fail(f"{what} {CLICKS} times, and the page has not noticed")

    def _click_on_card(self, name: str) -> None:
        """Click once; wait until the page has asked for the template's file and closed the window."""
        card, file = f"template-workflow-{name}", re.compile(rf"/{re.escape(name)}\.json")
        with self.page.expect_request(file, timeout=LOST):
            self.dialogs.get_by_test_id(card).click(timeout=LOST)
        self.page.get_by_test_id(card).wait_for(state="detached", timeout=LOST)

    def load(self, workflow: dict[str, Any], name: str) -> None:
        """Open a workflow as the page opens a file that is dropped on it."""
        self.page.evaluate("([workflow, name]) => app.loadGraphData(workflow, true, true, name)", [workflow, name])
        self.page.wait_for_timeout(500)

    def add_by_search(self, name: str, at: tuple[float, float]) -> None:
        """Double-click on the empty canvas, type a name and take the first that is found; again where the page lost it.

        Two clicks with more than the page's 300 ms between them, as on a busy machine, are no double click to it.
        """
        before = self.page.evaluate("app.graph.nodes.length")
        self._until_noticed(f"{name} was searched for", lambda: self._search_and_take(name, at))
        self.page.mouse.click(*at)  # newer pages let the node follow the mouse until it is put down
        self.page.wait_for_function("before => app.graph.nodes.length > before", arg=before)

    def _search_and_take(self, name: str, at: tuple[float, float]) -> None:
        """Search once; wait until the search has closed with what was found."""
        searching = "document.activeElement?.matches('input')"
        if not self.page.evaluate(searching):  # it may be open from an earlier try
            self.page.mouse.dblclick(*at)
            self.page.wait_for_function(searching, timeout=LOST)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(name, delay=10)
        self.page.get_by_text(re.compile(rf"^\s*{name}\s*$")).first.wait_for(timeout=LOST)
        self.page.wait_for_timeout(500)
        choice = self.page.get_by_role("option").filter(has_text=re.compile(rf"^\s*{name}\s*(Subgraph|$)")).first
        choice.click(timeout=LOST) if choice.count() else self.page.keyboard.press("Enter")
        self.page.wait_for_function(f"!({searching})", timeout=LOST)
        self.page.wait_for_timeout(500)

    def fit_view(self) -> None:
        """Bring the whole graph into view, and wait until the camera stands still."""
        self.page.evaluate("app.extensionManager.command.execute('Comfy.Canvas.FitView')")
        self.page.wait_for_function(
            """() => {
                const {scale, offset} = app.canvas.ds, now = `${scale} ${offset}`
                const still = now === window.lastView
                window.lastView = now
                return still
            }""",
            polling=400,
        )

    def red_nodes(self) -> list[str]:
        """Return the types of nodes that the page marks: unknown, with an error, or with something missing."""
        types: list[str] = self.page.evaluate(pages.MARKED)
        return types

    def overlaps(self) -> list[tuple[str, str]]:
        """Return the pairs of nodes that lie over one another."""
        return pages.overlaps(self.page)

    def sticking_out(self) -> list[str]:
        """Return the nodes that grow out of their group."""
        return pages.sticking_out(self.page)

    def crossed(self) -> tuple[int, list[Any]]:
        """Return how many parts of wires there are, and those under nodes that they do not belong to."""
        return pages.crossed(self.page)

    def app_mode(self) -> tuple[int, int] | None:
        """Return how many widgets and pictures the app mode shows, where the page has one."""
        return pages.app_mode(self.page)

    def missing_text(self) -> str:
        """Wait until the page tells that something is missing and return what it says."""
        return pages.missing_text(self.page)

    def select(self, title: str) -> None:
        """Select one node."""
        self.page.evaluate("title => app.canvas.selectNode(app.graph.nodes.find(n => n.title === title))", title)

    def node_id(self, title: str) -> str:
        return str(self.page.evaluate("title => app.graph.nodes.find(node => node.title === title).id", title))

    def value(self, title: str, widget: str) -> Any:
        """Return what a widget holds."""
        return self.page.evaluate(
            """([title, name]) =>
                app.graph.nodes.find(node => node.title === title).widgets.find(widget => widget.name === name).value
            """,
            [title, widget],
        )

    def locate(self, title: str, part: str = "title", name: str = "") -> tuple[float, float]:
        """Return where on the page a node's `title`, `body`, `widget`, `input` or `output` lies."""
        x, y = self.page.evaluate(
            """([title, part, name]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                const [left, top] = node.pos, [width, height] = node.size
                const slot = (slots, isInput) =>
                    node.getConnectionPos(isInput, name ? slots.findIndex(slot => slot.name === name) : 0)
                const places = {
                    title: () => [left + width / 2, top - 15],
                    body: () => [left + width / 2, top + height / 2],
                    widget: () => [left + width / 2, top + node.widgets.find(w => w.name === name).last_y + 10],
                    input: () => slot(node.inputs, true),
                    output: () => slot(node.outputs, false),
                }
                const [x, y] = places[part](), {scale, offset} = app.canvas.ds
                const canvas = app.canvas.canvas.getBoundingClientRect()
                return [(x + offset[0]) * scale + canvas.left, (y + offset[1]) * scale + canvas.top]
            }""",
            [title, part, name],
        )
        return x, y

    def set_value(self, title: str, widget: str, value: Any) -> None:
        """Give a widget another value."""
        self.page.evaluate(
            """([title, name, value]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                const widget = node.widgets.find(widget => widget.name === name)
                widget.value = value
                widget.callback?.(value, app.canvas, node)
            }""",
            [title, widget, value],
        )
        assert self.value(title, widget) == value

    def upload(self, title: str, picture: Path) -> None:
        """Hand the server a picture and choose it in a Load Image node."""
        name = self.page.evaluate(
            """async ([name, bytes]) => {
                const form = new FormData()
                form.append('image', new File([new Uint8Array(bytes)], name, {type: 'image/png'}))
                form.append('overwrite', 'true')
                const answer = await (await fetch('/api/upload/image', {method: 'POST', body: form})).json()
                for (const node of app.graph.nodes.filter(node => node.type === 'LoadImage')) {
                    const choices = node.widgets.find(widget => widget.name === 'image').options.values
                    if (Array.isArray(choices) && !choices.includes(answer.name)) choices.push(answer.name)
                }
                return answer.name
            }""",
            [picture.name, list(picture.read_bytes())],
        )
        self.set_value(title, "image", name)

    def wire(self, source: str, output: str, target: str, input_name: str) -> None:
        """Draw a wire from an output to an input."""
        self.page.evaluate(
            """([source, output, target, input]) => {
                const find = title => app.graph.nodes.find(node => node.title === title)
                const from = find(source), to = find(target)
                const slot = (slots, name) => (name ? slots.findIndex(slot => slot.name === name) : 0)
                from.connect(slot(from.outputs, output), to, slot(to.inputs, input))
            }""",
            [source, output, target, input_name],
        )
        assert self.wired_to(target, input_name) == source

    def unwire(self, title: str, input_name: str) -> None:
        """Take the wire out of an input."""
        self.page.evaluate(
            """([title, name]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                node.disconnectInput(node.inputs.findIndex(input => input.name === name))
            }""",
            [title, input_name],
        )
        assert self.wired_to(title, input_name) is None

    def wired_to(self, title: str, input_name: str) -> str | None:
        """Return the title of the node that an input's wire comes from."""
        title_of: str | None = self.page.evaluate(
            """([title, name]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                const slot = name ? node.inputs.findIndex(input => input.name === name) : 0
                const id = node.inputs[slot].link, {links} = app.graph
                const link = id == null ? null : (app.graph.getLink?.(id) ?? links.get?.(id) ?? links[id])
                return link ? app.graph.getNodeById(link.origin_id).title : null
            }""",
            [title, input_name],
        )
        return title_of

    def run_anew(self) -> None:
        """Press *Run*, with nothing from the server's cache, and wait for the end.

        The server empties its cache between two prompts, at a time that it does not tell.
        """
        for _ in range(CLICKS):
            self.page.evaluate(
                """() => fetch('/api/free', {
                    method: 'POST', headers: {'Content-Type': 'application/json'},
                    body: JSON.stringify({unload_models: true, free_memory: true}),
                })"""
            )
            self.page.wait_for_timeout(1000)
            self.press_run()
            self.wait_for_message("execution_success")
            if not self.cached_and_run()[0]:
                return
        pytest.fail(f"{CLICKS} runs took nodes from the cache")

    def press_run(self) -> None:
        """Press *Run*; `messages` begin anew."""
        self.messages.clear()
        self.page.get_by_test_id("queue-button").click()

    def wait_for_message(self, kind: str) -> dict[str, Any]:
        """Wait until the server has told the page this."""
        for _ in range(PATIENCE // 100):
            found = [message["data"] for message in self.messages if message["type"] == kind]
            if found:
                return found[-1]
            if kind != "execution_error" and any(message["type"] == "execution_error" for message in self.messages):
                pytest.fail(f"the prompt failed: {self.wait_for_message('execution_error')['exception_message']}")
            self.page.wait_for_timeout(100)
        pytest.fail(f"no {kind} came from the server")

    def wait_for_picture(self, title: str = "Save Image") -> str:
        """Wait until the prompt has ended and a node shows its picture; return the picture's address."""
        self.wait_for_message("execution_success")
        node = self.node_id(title)
        told = [message["data"] for message in self.messages if message["type"] == "executed"]
        done = [data["output"]["images"][0] for data in told if data["node"] == node][-1]
        self.wait_for_shown(title, done["filename"])
        return "/api/view?filename={filename}&subfolder={subfolder}&type={type}".format(**done)

    def wait_for_shown(self, title: str, file: str = "") -> None:
        """Wait until a node shows a picture, the one of this file where it is named."""
        self.page.wait_for_function(
            """([title, name]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                const html = document.querySelectorAll(`[data-node-id="${node.id}"] img`)
                const shown = [...(node.imgs ?? []), ...html]
                return shown.some(image => image.src.includes(name) && image.naturalWidth)
            }""",
            arg=[title, file],
        )

    def cached_and_run(self) -> tuple[set[str], set[str]]:
        """Return the ids of the nodes that the last prompt took from the cache, and of those that it ran."""
        cached: set[str] = set()
        ran: set[str] = set()
        for message in self.messages:
            if message["type"] == "execution_cached":
                cached |= set(message["data"]["nodes"])
            if message["type"] == "executing" and message["data"].get("node"):
                ran.add(message["data"]["node"])
        return cached, ran

    def pixels(self, address: str) -> Any:
        """Return the page's own copy of a picture as an array [H, W, 4] of bytes."""
        import numpy as np

        width, height, data = self.page.evaluate(
            """async address => {
                const image = new Image()
                image.src = address
                await image.decode()
                const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
                const pen = canvas.getContext('2d')
                pen.drawImage(image, 0, 0)
                const {width, height} = canvas
                return [width, height, Array.from(pen.getImageData(0, 0, width, height).data)]
            }""",
            address,
        )
        return np.array(data, np.uint8).reshape(height, width, 4)

    def error_text(self) -> str:
        """Wait until the page tells an error and return what it says."""
        return pages.error_text(self.page)
