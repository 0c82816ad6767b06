"""ComfyUI's page in a real Chromium, on a real server with the demonstration model under the published file's name.

Chromium is `CHROMIUM_PATH` or what is found under its usual names; without one these tests are skipped, and the end of
pytest's output says so. Screenshots go to tests/artefacts/browser.

While Playwright runs, this thread has a running event loop and `asyncio.run` refuses to work; so the fixtures here live
as long as one test file, not as long as the session.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).resolve().parent.parent.parent
ARTEFACTS = ROOT / "tests" / "artefacts" / "browser"
DEMO_MODEL = ROOT / "demo" / "colorize-demo.safetensors"
CHECKPOINT = "v2-full.safetensors"
TOWER = "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors"
OTHER_CHECKPOINT = "stable-diffusion-2.safetensors"
#: Names by which a Stable Diffusion 2.x checkpoint is known.
PLAIN_CHECKPOINT = (
    "model.diffusion_model.input_blocks.0.0.weight",
    "cond_stage_model.model.transformer.resblocks.0.ln_1.weight",
    "first_stage_model.decoder.conv_in.weight",
)

VARIABLE = "CHROMIUM_PATH"
USUAL_VARIABLES = ("CHROME_PATH", "CHROME_BIN", "PUPPETEER_EXECUTABLE_PATH")
USUAL_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
    "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
VIEWPORT = {"width": 1920, "height": 1080}
#: No offer of a tour; nodes drawn on the canvas, today's default; texts on them at every zoom and no map over them.
SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.VueNodes.Enabled": False,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,
    "Comfy.Minimap.Visible": False,
}
PATIENCE = 120_000  # milliseconds until the page is said to hang, on a machine with much else to do

_missing: list[str] = []  # why the browser tests were skipped


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly, whatever pytest's flags, that nothing was seen of the page."""
    if _missing:
        terminalreporter.section("THE TESTS IN A BROWSER WERE NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.write_line(_missing[0], red=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep a picture of the page at a failure."""
    report = yield
    studio = getattr(item, "funcargs", {}).get("studio")
    if report.when == "call" and report.failed and studio:
        studio.screenshot(f"failed-{item.name}")
    return report


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome: the variable's, else the usual names', else Playwright's own."""
    named = os.environ.get(VARIABLE)
    if named:
        if not shutil.which(named):
            pytest.fail(f"{VARIABLE} is {named}, but no program is there.", pytrace=False)
        return shutil.which(named)
    for name in (*(os.environ.get(variable) for variable in USUAL_VARIABLES), *USUAL_NAMES):
        if name and (found := shutil.which(name)):
            return found
    return None


@pytest.fixture(scope="module")
def chromium_path() -> str | None:
    """The browser's path, None for Playwright's own; skip when there is none."""
    from playwright.sync_api import sync_playwright

    found = find_chromium()
    if found:
        return found
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).is_file():
            return None
    _missing.append(
        "No Chromium was found: install Debian's 'chromium' (apt-get install chromium), Google Chrome, or Playwright's "
        f"own ('playwright install chromium'), or set {VARIABLE} to the program's path."
    )
    pytest.skip(_missing[0])


@pytest.fixture(scope="module")
def server(
    chromium_path: str | None,
    comfyui_path: Path,
    new_base_directory: Callable[[], Path],
    comfyui_server: ModuleType,
) -> Iterator[Any]:
    """A server with the files that the templates name, all of them the demonstration model, and a plain checkpoint."""
    import numpy as np
    from safetensors.numpy import save_file

    base = new_base_directory()
    for path in (Path("checkpoints", CHECKPOINT), Path("clip_vision", TOWER)):
        (base / "models" / path).symlink_to(DEMO_MODEL)
    plain = dict.fromkeys(PLAIN_CHECKPOINT, np.zeros(1, np.float32))
    save_file(plain, str(base / "models" / "checkpoints" / OTHER_CHECKPOINT))
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(SETTINGS))
    flags = ["--cpu", "--fp32-unet", "--fp32-vae", "--fp32-text-enc"]
    with comfyui_server.Server(comfyui_path, base, flags) as running:
        yield running


class Studio:
    """ComfyUI's page, worked as a user works it: by mouse, keys and file chooser.

    Nodes are called by their titles. Where they lie on the canvas is asked of the page's graph; so is what they hold.

    Attributes:
        messages: what the server has told the page over its websocket, oldest first.
        refused: addresses other than the server's that the page has asked for and this class has refused.
    """

    def __init__(self, page: "Page", url: str) -> None:
        self.page = page
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
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTEFACTS / (re.sub(r"[^\w.-]+", "-", name) + ".png")
        self.page.screenshot(path=str(path))
        return path

    @property
    def dialogs(self) -> "Locator":
        """The windows that lie over the page."""
        return self.page.get_by_role("dialog")

    @property
    def alerts(self) -> "Locator":
        """The messages in the page's corner."""
        return self.page.locator(".p-toast-message")

    def clear(self) -> None:
        """Close what lies over the graph."""
        self.page.mouse.move(VIEWPORT["width"] / 2, VIEWPORT["height"] - 40)  # away from everything with a tooltip
        while open_now := self.dialogs.count():
            self.dialogs.last.locator("button:has(.pi-times), .p-dialog-close-button").first.click()
            self.dialogs.nth(open_now - 1).wait_for(state="detached")
        while open_now := self.alerts.count():
            self.alerts.last.locator(".p-toast-close-button").click()
            self.alerts.nth(open_now - 1).wait_for(state="detached")
        panel = self.page.locator(".side-bar-button-selected")
        if panel.count():
            panel.first.click()

    def open_template_browser(self) -> "Locator":
        """Open *Templates*, choose the pack's category and return its cards, all with their pictures loaded."""
        self.clear()
        self.page.get_by_role("button", name="Templates", exact=True).click()
        self.dialogs.get_by_role("button", name="colorizediffusion").click()
        cards = self.dialogs.locator("[data-testid^='template-workflow-']")
        cards.first.wait_for()
        return cards

    def open_template(self, name: str) -> None:
        """Click on a template's card, and bring all of it into view."""
        self.open_template_browser()
        self.dialogs.get_by_test_id(f"template-workflow-{name}").click()
        self.page.wait_for_function("name => document.title.includes(name)", arg=name)
        self.dialogs.filter(has=self.page.get_by_test_id("template-workflows-content")).wait_for(state="detached")

    def fit_view(self) -> None:
        """Bring the whole graph into view, and wait until the camera stands still."""
        self.page.get_by_role("button", name="Fit View").click()
        self.page.mouse.move(VIEWPORT["width"] / 2, VIEWPORT["height"] - 40)
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
        """Return the types of nodes that the page draws with a red frame: unknown ones and ones with an error."""
        types: list[str] = self.page.evaluate(
            "app.graph.nodes.filter(node => node.has_errors || app.lastNodeErrors?.[node.id]).map(node => node.type)"
        )
        return types

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

    def set_number(self, title: str, widget: str, value: float) -> None:
        """Double-click a number and type another."""
        self.page.mouse.dblclick(*self.locate(title, "widget", widget))
        box = self.page.locator(".graphdialog input")
        box.fill(str(value))
        box.press("Enter")
        box.wait_for(state="detached")
        assert self.value(title, widget) == value

    def choose(self, title: str, widget: str, value: str) -> None:
        """Click a choice and take one from the list."""
        self.page.mouse.click(*self.locate(title, "widget", widget))
        self.page.locator(".litecontextmenu").get_by_text(value, exact=True).click()
        assert self.value(title, widget) == value

    def upload(self, title: str, picture: Path) -> None:
        """Press a Load Image node's *choose file to upload*, and choose this file."""
        self.page.mouse.move(*self.locate(title, "widget", "upload"))
        with self.page.expect_file_chooser() as chooser:
            self.page.mouse.down()
            self.page.mouse.up()
        chooser.value.set_files(str(picture))
        self.page.wait_for_function(
            """([title, stem]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                return node.imgs?.length && node.imgs[0].src.includes(stem) && node.imgs[0].naturalWidth
            }""",
            arg=[title, picture.stem],
        )
        assert self.value(title, "image").startswith(picture.stem)

    def wire(self, source: str, output: str, target: str, input_name: str) -> None:
        """Drag a wire from an output to an input."""
        start, end = self.locate(source, "output", output), self.locate(target, "input", input_name)
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=3)
        self.page.mouse.move(*end, steps=3)
        self.page.mouse.up()
        assert self.wired_to(target, input_name) == source

    def unwire(self, title: str, input_name: str) -> None:
        """Take the wire out of an input, by the menu of a right click on it."""
        self.page.mouse.click(*self.locate(title, "input", input_name), button="right")
        self.page.locator(".litecontextmenu").get_by_text("Disconnect Links").click()
        assert self.wired_to(title, input_name) is None

    def wired_to(self, title: str, input_name: str) -> str | None:
        """Return the title of the node that an input's wire comes from."""
        title_of: str | None = self.page.evaluate(
            """([title, name]) => {
                const node = app.graph.nodes.find(node => node.title === title)
                const slot = name ? node.inputs.findIndex(input => input.name === name) : 0
                return node.getInputNode(slot)?.title ?? null
            }""",
            [title, input_name],
        )
        return title_of

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
        done = self.wait_for_message("executed")["output"]["images"][0]["filename"]
        self.page.wait_for_function(
            """([title, name]) => {
                const image = app.graph.nodes.find(node => node.title === title).imgs?.[0]
                return image?.src.includes(name) && image.naturalWidth
            }""",
            arg=[title, done],
        )
        return str(self.page.evaluate("title => app.graph.nodes.find(n => n.title === title).imgs[0].src", title))

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
        """Wait for an error's window and return what it says."""
        self.dialogs.wait_for()
        self.dialogs.get_by_text("Show Report").wait_for()
        return self.dialogs.inner_text()


@pytest.fixture(scope="module")
def page(server: Any, chromium_path: str | None) -> Iterator[Studio]:
    """The page, open for all tests of a file; screenshots of an earlier run are thrown away."""
    from playwright.sync_api import sync_playwright

    shutil.rmtree(ARTEFACTS, ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        try:
            yield Studio(browser.new_page(viewport=VIEWPORT), server.url)
        finally:
            browser.close()


@pytest.fixture
def studio(page: Studio) -> Studio:
    """The page with nothing open over it."""
    page.clear()
    return page
