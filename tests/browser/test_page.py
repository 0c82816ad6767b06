"""What a user sees of the pack in ComfyUI's page: a picture coming, mistakes, help."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "samples"
CHECKPOINT_LOADER, ENCODER, SAMPLER, RESULT = (
    "Load Colorize Checkpoint", "Encode Reference", "KSampler", "Save Image",
)  # fmt: skip
SIDE, GUIDANCE = 128, 2.0  # what the demonstration model is made for
STEPS = 10
SEEN_STEPS = 80  # long enough for a busy page to draw its bar some times
MANY_STEPS = 200  # long enough to press a button


@pytest.fixture
def picture(tmp_path):
    """Return a function that gives a picture of samples/ without its painted mask, as a file to upload."""
    from PIL import Image

    def flat(name: str) -> Path:
        path = tmp_path / f"{name}.png"
        with Image.open(SAMPLES / path.name) as image:
            image.convert("RGB").save(path)
        return path

    return flat


@pytest.fixture
def workbench(studio, picture):
    """Return a function that opens the plain template and sets it up for the demonstration model, with two pictures.

    The demonstration model brings its image tower along; it is wired in place of Load CLIP Vision, as the template's
    notes say.
    """

    def set_up(drawing: str, reference: str, seed: int, steps: int = STEPS):
        studio.open_template("sketch_and_reference")
        studio.fit_view()
        studio.upload("Drawing", picture(drawing))
        studio.upload("Reference", picture(reference))
        for title in ("Width", "Height"):
            studio.set_value(title, "value", SIDE)
        for name, value in {"seed": seed, "steps": steps, "cfg": GUIDANCE}.items():
            studio.set_value(SAMPLER, name, value)
        studio.wire(CHECKPOINT_LOADER, "clip_vision", "image tower", "")
        return studio

    return set_up


#: Notes every change of what the page tells of the running sampler: its progress bar, or failing that the page's title.
WATCH = """() => {
    window.seen = []
    const look = () => {
        const [, title] = document.title.match(/\\[(\\d+)%\\] KSampler/) ?? []
        if (title === undefined) return
        const bar = document.querySelector("[style*='job-progress-secondary']")
        const shown = bar ? parseInt(bar.style.width) : Number(title)
        if (shown !== window.seen.at(-1)) window.seen.push(shown)
    }
    window.watcher = new MutationObserver(look)
    window.watcher.observe(document, {subtree: true, childList: true, characterData: true, attributeFilter: ['style']})
}"""


def test_a_drawing_is_coloured_while_the_progress_bar_moves(workbench):
    studio = workbench("drawing-sailor", "reference-poppy", seed=1, steps=SEEN_STEPS)
    studio.screenshot("3-ready")
    studio.page.evaluate(WATCH)
    studio.press_run()
    picture = studio.pixels(studio.wait_for_picture())
    seen = studio.page.evaluate("window.watcher.disconnect(), window.seen")
    moved = [value for value in seen if 0 < value < 100]
    assert len(moved) >= 3 and moved == sorted(moved), f"the progress bar showed {seen} %"
    assert picture.shape == (SIDE, SIDE, 4)
    assert len(set(map(tuple, picture.reshape(-1, 4)))) > 1000, "the picture is almost of one colour"
    assert studio.red_nodes() == [] and studio.dialogs.count() == 0
    shown = studio.screenshot("5-coloured")
    assert colours_around(shown, studio.locate(RESULT, "body")) > 100, "the page does not show the picture"


def colours_around(screenshot: Path, middle: tuple[float, float]) -> int:
    """Return how many colours the 60 × 60 pixels around a place of the page have."""
    from PIL import Image

    x, y = middle
    with Image.open(screenshot) as image:
        part = image.convert("RGB").crop((int(x) - 30, int(y) - 30, int(x) + 30, int(y) + 30))
        return len(part.getcolors(maxcolors=3600))


def test_a_run_is_cancelled_by_the_pages_button(workbench):
    """Also where the screenshot of a run on its way is taken: this one lasts long enough for it."""
    studio = workbench("drawing-jumper", "reference-poppy", seed=6, steps=MANY_STEPS)
    studio.press_run()
    while studio.wait_for_message("progress")["value"] < MANY_STEPS / 8:
        studio.page.wait_for_timeout(100)
    studio.screenshot("4-sampling")
    studio.page.get_by_role("button", name="Cancel current run").first.click()
    assert studio.wait_for_message("execution_interrupted")["node_id"] == studio.node_id(SAMPLER)
    assert studio.red_nodes() == []

    studio.set_value(SAMPLER, "steps", STEPS)
    studio.press_run()
    studio.wait_for_picture()
    cached, ran = studio.cached_and_run()
    assert studio.node_id(ENCODER) in cached and studio.node_id(SAMPLER) in ran


def test_another_seed_encodes_nothing_anew(workbench):
    studio = workbench("drawing-dancer", "reference-coral", seed=2)
    encoders = {studio.node_id(title) for title in (CHECKPOINT_LOADER, "Prepare Sketch", ENCODER)}
    sampler = studio.node_id(SAMPLER)
    studio.press_run()
    first = studio.wait_for_picture()
    _, ran = studio.cached_and_run()
    assert {studio.node_id(ENCODER), sampler} <= ran, "the first run took its pictures from a cache"

    studio.set_value(SAMPLER, "seed", 3)
    studio.press_run()
    second = studio.wait_for_picture()
    cached, ran = studio.cached_and_run()
    assert encoders <= cached and not encoders & ran
    assert sampler in ran
    assert (studio.pixels(first) != studio.pixels(second)).any()
    studio.screenshot("6-another-seed")


def test_a_missing_clip_vision_is_named(workbench):
    studio = workbench("drawing-walker", "reference-orchard", seed=4)
    studio.unwire(ENCODER, "clip_vision")
    studio.press_run()
    text = studio.error_text()
    studio.screenshot("7-clip-vision-not-wired")
    assert "Encode Reference" in text or "ColorizeEncodeReference" in text
    assert "clip_vision" in text
    studio.clear()
    assert studio.red_nodes() == ["ColorizeEncodeReference"]
    studio.screenshot("8-clip-vision-not-wired-node")


def test_a_wrong_checkpoint_is_refused_in_the_packs_own_words(workbench):
    studio = workbench("drawing-jumper", "reference-blueberry", seed=5)
    studio.set_value(CHECKPOINT_LOADER, "ckpt_name", "stable-diffusion-2.safetensors")
    studio.press_run()
    text = studio.error_text()
    studio.screenshot("9-wrong-checkpoint")
    assert "stable-diffusion-2.safetensors is a Stable Diffusion 2.x checkpoint" in text
    assert "ColorizeDiffusion v2" in text and "Load Checkpoint" in text
    assert studio.wait_for_message("execution_error")["node_id"] == studio.node_id(CHECKPOINT_LOADER)


def test_help_panel_shows_the_packs_page_and_its_picture(studio):
    studio.open_template("sketch_and_reference")
    studio.fit_view()
    studio.select("Apply Colorization")
    studio.page.get_by_test_id("info-button").click()
    panel = studio.page.locator(".node-help-content")
    panel.get_by_text("Patches a clone of the model so that it colours with the carrier").wait_for()
    picture = panel.get_by_role("img")
    assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth }") > 300
    assert "/extensions/colorizediffusion/docs/" in picture.get_attribute("src")
    for word in ("sketch_mask", "semantic_strength", "To begin with"):
        assert word in panel.inner_text()
    studio.screenshot("10-help")


def test_only_comfyui_itself_asked_for_other_addresses(studio):
    """Its maker's server for news of nodes, and for the sizes of its own first workflow's files; the pack for none."""
    asked = {urlsplit(address) for address in studio.foreign_addresses()}
    own = {address for address in asked if address.hostname.endswith("comfy.org") or "/Comfy-Org/" in address.path}
    assert asked - own == set()
    studio.page.evaluate("fetch('https://example.invalid/picture.png').catch(() => null)")
    studio.page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert any("example.invalid" in address for address in studio.foreign_addresses()), "nothing would have been seen"
