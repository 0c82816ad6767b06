"""ComfyUI's page in a real Chromium, on a real server with the demonstration model under the published file's name.

Chromium is `CHROMIUM_PATH` or what is found under its usual names; without one these tests are skipped, and the end of
pytest's output says so. Screenshots go to tests/artefacts/browser, a folder for each file of tests.

While Playwright runs, this thread has a running event loop and `asyncio.run` refuses to work; so the fixtures here live
as long as one test file, not as long as the session.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from module_files import load_file

HERE = Path(__file__).resolve().parent
load_file(HERE / "pages.py", "browser_pages")
Studio = load_file(HERE / "studio.py", "browser_studio").Studio

ROOT = Path(__file__).resolve().parent.parent.parent
ARTEFACTS = ROOT / "tests" / "artefacts" / "browser"
DEMO_MODEL = ROOT / "samples" / "colorize-demo.safetensors"
CHECKPOINT = "v2-full.safetensors"
TOWER = "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors"
XL_TOWER = "CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors"
#: What the templates name, below models/, beside the segmenters. XL's files and a ControlNet are opened only when run.
FILES = (
    Path("checkpoints", CHECKPOINT),
    Path("clip_vision", TOWER),
    Path("clip_vision", XL_TOWER),
    Path("colorize_taggers", "wd-v1-4-swinv2-tagger-v2.safetensors"),
    Path("controlnet", "control_v11p_sd21_depth.safetensors"),
)
SEGMENTERS = ("isnetis.safetensors", "sketch-segment.safetensors")
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
    golden_keys: Callable[[str], Any],
    golden_weights: Callable[..., Any],
) -> Iterator[Any]:
    """A server with the files that the templates name: the demonstration model, segmenters with made-up weights, and a
    plain checkpoint.
    """
    import numpy as np
    import safetensors.torch
    from safetensors.numpy import save_file

    base = new_base_directory()
    for path in FILES:
        (base / "models" / path).parent.mkdir(exist_ok=True)
        (base / "models" / path).symlink_to(DEMO_MODEL)
    segmenters = base / "models" / "colorize_segmenters"
    segmenters.mkdir()
    for name in SEGMENTERS:
        safetensors.torch.save_file(golden_weights(golden_keys("isnet")), str(segmenters / name))
    plain = dict.fromkeys(PLAIN_CHECKPOINT, np.zeros(1, np.float32))
    save_file(plain, str(base / "models" / "checkpoints" / OTHER_CHECKPOINT))
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps(SETTINGS))
    flags = ["--cpu", "--fp32-unet", "--fp32-vae", "--fp32-text-enc"]
    with comfyui_server.Server(comfyui_path, base, flags) as running:
        yield running


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest, server: Any, chromium_path: str | None) -> Iterator[Any]:
    """The page, open for all tests of a file; this file's screenshots of an earlier run are thrown away."""
    from playwright.sync_api import sync_playwright

    artefacts = ARTEFACTS / request.path.stem.removeprefix("test_")
    shutil.rmtree(artefacts, ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        try:
            yield Studio(browser.new_page(viewport=VIEWPORT), server.url, artefacts)
        finally:
            browser.close()


@pytest.fixture
def studio(page: Any) -> Any:
    """The page with nothing open over it."""
    page.clear()
    page.draw_as_html(False)
    return page
