"""Templates and blueprints as a user opens them in ComfyUI's page, drawn by the canvas and as HTML ("Nodes 2.0")."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted(path.stem for path in (ROOT / "workflows").glob("*.json"))
RENDERERS = {"canvas": False, "html": True}
SAMPLER, RESULT = "KSampler", "Result"
LOADER, MODEL = "Load Colorize Checkpoint", "demonstration model, 128x128 (comes with the pack)"
MODELS = [
    {"name": name, "type": name.upper(), "links": []}
    for name in ("model", "colorizer", "control_net", "vae", "clip_vision")
]
SIDE, GUIDANCE, STEPS = 128, 2.0, 10  # what the demonstration model is made for


def workflow(*nodes, links=(), groups=()):
    """Return a workflow of these nodes."""
    numbered = {"last_node_id": len(nodes), "last_link_id": len(links), "version": 0.4}
    return {"nodes": list(nodes), "links": list(links), "groups": list(groups), **numbered}


def node(number, kind, title, place, **more):
    """Return a node as a workflow has it."""
    return {
        "id": number,
        "type": kind,
        "title": title,
        "pos": place,
        "size": [260, 100],
        "flags": {},
        "mode": 0,
        "order": number,
        "properties": {},
        **more,
    }


def example(number, title, picture):
    """Return a node with a picture of the pack."""
    outputs = [{"name": name, "type": name.upper(), "links": []} for name in ("image", "mask")]
    place = [0, 150 * number]
    return node(number, "ColorizeExamplePicture", title, place, widgets_values=[picture], outputs=outputs)


def is_picture(picture):
    return picture.shape == (SIDE, SIDE, 4) and len(set(map(tuple, picture.reshape(-1, 4)))) > 1000


def thorough_but(names, first):
    """Return the names as parameters of a test that `make test` runs with one of them."""
    return [name if name == first else pytest.param(name, marks=pytest.mark.thorough) for name in names]


def test_template_browser_shows_every_template_with_its_picture(studio):
    cards = studio.open_template_browser()
    shown = {card.get_attribute("data-testid").removeprefix("template-workflow-") for card in cards.all()}
    assert shown == set(TEMPLATES)
    for card in cards.all():
        card.scroll_into_view_if_needed()
        picture = card.get_by_role("img").first
        picture.wait_for()
        assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth }") >= 200
    cards.first.scroll_into_view_if_needed()
    studio.screenshot("1-templates")


@pytest.mark.parametrize("name", thorough_but(TEMPLATES, "try_it"))
def test_template_opens_clean(name, studio):
    """No mark, no message, no node over another, no wire under a node that it does not belong to, in both renderers."""
    studio.open_template(name)
    assert studio.page.evaluate("app.graph.nodes.filter(node => node.type.startsWith('Colorize')).length") > 3
    for renderer, html in RENDERERS.items():
        studio.draw_as_html(html)
        studio.fit_view()
        studio.screenshot(f"2-opened-{name}-{renderer}")
        assert studio.red_nodes() == []
        assert studio.dialogs.count() == 0 and studio.alerts.all_inner_texts() == []
        assert studio.overlaps() == studio.sticking_out() == []
        parts, crossed = studio.crossed()
        assert parts > 20 and crossed == []


def test_what_is_wrong_would_have_been_seen(studio):
    """The checks of the test above, on a workflow that has what they look for."""
    latent = {"name": "LATENT", "type": "LATENT", "links": [1]}
    samples = {"name": "samples", "type": "LATENT", "link": 1}
    studio.load(
        workflow(
            node(1, "ColorizeNoSuchNode", "Unknown", [100, 100]),
            node(2, "EmptyLatentImage", "Latent", [0, 400], outputs=[latent]),
            node(3, "VAEDecode", "Far", [900, 400], inputs=[samples]),
            node(4, "VAEDecode", "Between", [450, 380]),
            node(5, "VAEDecode", "Over it", [470, 440]),
            links=[[1, 2, 0, 3, 0, "LATENT"]],
            groups=[{"id": 1, "title": "Too small", "bounding": [880, 350, 300, 80]}],
        ),
        "wrong",
    )
    studio.dialogs.or_(studio.alerts).first.wait_for()
    assert studio.red_nodes() == ["ColorizeNoSuchNode"]
    studio.clear()
    studio.page.wait_for_timeout(500)
    assert ("Between", "Over it") in studio.overlaps()
    assert studio.sticking_out() == ["Far"]
    assert "Between" in [title for _, title in studio.crossed()[1]]


def test_the_download_of_a_missing_file_is_offered(studio):
    """The page reads the published address from the node; here for a file that is not there under this name."""
    opened = json.loads((ROOT / "workflows" / "sketch_and_reference.json").read_text(encoding="utf-8"))
    loader = next(node for node in opened["nodes"] if node["type"] == "CLIPVisionLoader")
    (model,) = loader["properties"]["models"]
    loader["widgets_values"][0] = model["name"] = "missing.safetensors"
    studio.load(opened, "missing")
    text = studio.missing_text()
    studio.screenshot("3-missing-file")
    assert "missing.safetensors" in text and "Download" in text


@pytest.mark.parametrize("renderer", RENDERERS)
def test_try_it_runs_as_it_opens(renderer, studio):
    studio.open_template("try_it")
    studio.draw_as_html(RENDERERS[renderer])
    studio.fit_view()
    studio.run_anew()
    picture = studio.pixels(studio.wait_for_picture(RESULT))
    for title in ("Drawing", "Reference", "Background"):
        studio.wait_for_shown(title)
    studio.page.wait_for_timeout(500)
    studio.screenshot(f"4-try-it-{renderer}")
    assert is_picture(picture)
    assert studio.red_nodes() == [] and studio.alerts.count() == 0
    assert studio.overlaps() == studio.sticking_out() == [], "the pictures that show now need their place"


@pytest.mark.thorough
@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize(("name", "result"), [("flats", RESULT), ("illustration_layers", "Background")])
def test_what_needs_no_model_runs_as_it_opens(name, result, renderer, studio):
    studio.open_template(name)
    studio.draw_as_html(RENDERERS[renderer])
    studio.fit_view()
    studio.run_anew()
    for title in ("Drawing", "Coloured picture", "Line Regions", "Flats", "Save Layers", result):
        studio.wait_for_shown(title)
    studio.page.wait_for_timeout(500)
    studio.screenshot(f"4-{name}-{renderer}")
    assert studio.red_nodes() == [] and studio.alerts.count() == 0
    assert studio.overlaps() == studio.sticking_out() == [], "the pictures that show now need their place"


@pytest.mark.thorough
@pytest.mark.parametrize("renderer", RENDERERS)
def test_another_tab_shows_what_comes_from_the_cache(renderer, studio):
    """Previews of nodes that are no output nodes, too, where ComfyUI sends them again."""
    told = studio.page.evaluate("fetch('/api/object_info/ColorizeFlats').then(answer => answer.json())")
    if "has_intermediate_output" not in told["ColorizeFlats"]:
        pytest.skip("this ComfyUI shows nothing again of nodes that are no output nodes")
    for name in ("flats", "illustration_layers"):
        studio.open_template(name)
        studio.draw_as_html(RENDERERS[renderer])
        studio.press_run()
        studio.wait_for_message("execution_success")
    assert studio.cached_and_run()[0], "the drawing and its regions are the same"
    for title in ("Drawing", "Coloured picture", "Background", "Line Regions", "Edit Palette", "Flats", "Save Layers"):
        studio.wait_for_shown(title)


@pytest.fixture(scope="module")
def shot_folders(server):
    """Frames of a ball that rolls, where shot_to_cels looks for them, and its sheet."""
    from PIL import Image, ImageDraw

    folder = server.base_directory / "input" / "shot"
    looks = {
        "drawings": ("white", "white", "black"),
        "colour": ("teal", "#d04030", "black"),
        "masks": ("black", "white", "white"),
    }
    for kind, (ground, fill, line) in looks.items():
        (folder / kind).mkdir(parents=True)
        for frame in range(1, 7):
            picture = Image.new("RGB", (192, 128), ground)
            place = (16 * frame, 30, 16 * frame + 60, 90)
            ImageDraw.Draw(picture).ellipse(place, fill=fill, outline=line, width=2)
            picture.save(folder / kind / f"{kind}_{frame:04}.png")
    shutil.copy(folder / "colour" / "colour_0001.png", folder.parent / "sheet.png")
    return folder


@pytest.mark.thorough
@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_coloured_shot_becomes_cels(renderer, studio, shot_folders):
    studio.open_template("shot_to_cels")
    studio.draw_as_html(RENDERERS[renderer])
    studio.fit_view()
    studio.set_value("Character sheet", "image", "sheet.png")
    studio.run_anew()
    for title in ("Line Regions", "Flats", "Track Regions", "Result", "Flats of the tracks", "Save Cels"):
        studio.wait_for_shown(title)
    studio.page.wait_for_timeout(500)
    studio.screenshot(f"4-shot-to-cels-{renderer}")
    assert studio.red_nodes() == [] and studio.alerts.count() == 0
    assert studio.overlaps() == studio.sticking_out() == [], "the pictures that show now need their place"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("try_it", (4, 1)),
        ("sketch_and_reference", (6, 1)),
        ("xl_sketch_and_reference", (5, 1)),
        ("flats", (5, 2)),
        ("illustration_layers", (5, 1)),
    ],
)
def test_app_mode_shows_what_is_to_be_chosen(name, counts, studio):
    studio.open_template(name)
    assert studio.app_mode() in (None, counts), "None where the page has no app mode"


#: Of each blueprint that colours: its inputs, and the node and output that go there.
COLOURING = {
    "Colorize": {"drawing": ("Drawing", "image"), "reference": ("Reference", "image")},
    "Colorize character and background": {
        "drawing": ("Drawing", "image"),
        "drawing_mask": ("Drawing", "mask"),
        "reference": ("Reference", "image"),
        "reference_mask": ("Reference", "mask"),
    },
}


@pytest.fixture
def with_blueprint(studio):
    """Return a function that adds a blueprint to pictures and a preview, as the page's search offers it."""

    def add(name: str):
        preview = {"name": "images", "type": "IMAGE", "link": None}
        studio.load(
            workflow(
                node(4, "ColorizeCheckpointLoader", LOADER, [0, -150], widgets_values=[MODEL, "auto"], outputs=MODELS),
                example(1, "Drawing", "drawing-walker"),
                example(2, "Reference", "reference-poppy"),
                node(3, "PreviewImage", RESULT, [0, 500], inputs=[preview]),
            ),
            "workbench",
        )
        studio.page.evaluate("app.canvas.ds.scale = 0.8; app.canvas.ds.offset = [150, 300]; app.canvas.setDirty(true)")
        studio.add_by_search(name, (900, 300))
        assert studio.page.evaluate("app.graph.nodes.filter(n => n.isSubgraphNode?.()).map(n => n.title)") == [name]
        return studio

    return add


@pytest.mark.parametrize("name", thorough_but(COLOURING, "Colorize"))
def test_a_blueprint_is_found_wired_and_run(name, with_blueprint):
    studio = with_blueprint(name)
    for socket, (source, output) in COLOURING[name].items():
        studio.wire(source, output, name, socket)
    for model in MODELS:
        studio.wire(LOADER, model["name"], name, model["name"])
    studio.wire(name, "image", RESULT, "images")
    assert studio.value(name, "cfg") == 4.0 and studio.value(name, "width") == 768
    for widget, value in {"width": SIDE, "height": SIDE, "seed": 3, "steps": STEPS, "cfg": GUIDANCE}.items():
        studio.set_value(name, widget, value)
    studio.screenshot(f"5-blueprint-{name}")
    studio.press_run()
    assert is_picture(studio.pixels(studio.wait_for_picture(RESULT)))
    assert studio.red_nodes() == []


@pytest.mark.thorough
def test_the_blueprint_that_prepares_references_runs(with_blueprint):
    name = "Prepare references"
    studio = with_blueprint(name)
    for socket, title in (("drawing", "Drawing"), ("reference", "Reference")):
        studio.wire(title, "image", name, socket)
    studio.wire(name, "bleached_reference", RESULT, "images")
    studio.screenshot(f"5-blueprint-{name}")
    studio.press_run()
    assert studio.pixels(studio.wait_for_picture(RESULT)).shape == (SIDE, SIDE, 4)
    assert studio.red_nodes() == []


@pytest.mark.thorough
def test_the_blueprint_that_makes_flats_runs_without_what_may_stay_open(with_blueprint):
    name = "Flats from picture"
    studio = with_blueprint(name)
    studio.wire("Drawing", "image", name, "drawing")
    studio.wire("Reference", "image", name, "image")
    studio.wire(name, "image", RESULT, "images")
    assert studio.value(name, "close_gap") == 0 and studio.value(name, "shading") == "flat"
    studio.set_value(name, "line_color", "tinted")
    studio.screenshot(f"5-blueprint-{name}")
    studio.press_run()
    assert studio.pixels(studio.wait_for_picture(RESULT)).shape == (SIDE, SIDE, 4)
    assert studio.red_nodes() == []
