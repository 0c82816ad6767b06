"""The shipped workflows, opened, converted and run as a user's ComfyUI does it."""

import itertools
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WORKFLOWS = (
    "sketch_and_reference", "character_and_background", "style_transfer", "from_raw_images", "two_characters",
)  # fmt: skip
#: Those for ColorizeDiffusion XL.
XL = ("xl_sketch_and_reference", "xl_character_and_background")
#: Those with nodes of ComfyUI's own between, which run in tests/mixing.
MIXED = ("mix_lora", "mix_controlnet", "mix_model_patches", "inpaint", "upscale_and_refine")
#: Needs no file of a user's.
FIRST = "try_it"
#: Need no model either: they work on any coloured picture.
FINISH = ("flats", "illustration_layers")
BLUEPRINTS = sorted(path.stem for path in (ROOT / "subgraphs").glob("*.json"))
#: For whole shots; they run in tests of their own.
SHOTS = ("shot", "anchored_shot")
#: The same, and needs no model.
CELS = "shot_to_cels"
EVERY_WORKFLOW = (FIRST, *WORKFLOWS, *XL, *SHOTS, *MIXED, *FINISH, CELS)
#: Titles of the nodes that load a picture, and which of the test's pictures they get.
PICTURES = {
    "Drawing": "drawing",
    "Second character": "other_drawing",
    "Reference": "reference",
    "Second reference": "other_reference",
}
WIDTH, HEIGHT, STEPS, SEGMENTER_RESOLUTION = 256, 192, 3, 192
V2_WORDS = ("v2-full.safetensors", "models/checkpoints", "CLIP-ViT-H-14", "models/clip_vision", "CC BY-NC-SA")
XL_WORDS = (
    "tellurion/ColorizeDiffusionXL", "models/checkpoints", "CLIP-ViT-bigG-14", "models/clip_vision",
    "wd-v1-4-swinv2-tagger-v2.safetensors", "models/colorize_taggers", "CC BY-NC-SA",
)  # fmt: skip


def load(name: str) -> dict:
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def prompt_of(server, object_info, workflow_scripts, pictures, tiny_checkpoint):
    """Return a function that makes a workflow's prompt, set to the test's files and size."""
    tools = workflow_scripts["prompt"]

    def make(name: str, seed: int = 7, checkpoint: str = tiny_checkpoint.name) -> dict:
        prompt = tools.to_prompt(load(name), object_info)
        tools.use_embedded_tower(prompt)
        tools.set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=checkpoint)
        loaders = {node["_meta"]["title"] for node in prompt.values() if node["class_type"] == "LoadImage"}
        for title in loaders & PICTURES.keys():
            tools.set_inputs(prompt, title, image=server.upload_image(pictures[PICTURES[title]]))
        for node in prompt.values():
            if node["class_type"] == "ColorizeSegmentCharacter":
                node["inputs"]["resolution"] = SEGMENTER_RESOLUTION
        if name in XL:
            tools.set_inputs(prompt, "Prepare Sketch", width=WIDTH, height=HEIGHT, fit="off")
        else:
            tools.set_inputs(prompt, "Width", value=WIDTH)
            tools.set_inputs(prompt, "Height", value=HEIGHT)
        tools.set_inputs(prompt, "KSampler", seed=seed, steps=STEPS)
        return prompt

    return make


def colour(server, prompt):
    """Run a prompt; return its picture file and the classes of the nodes that ran."""
    run = server.run(prompt)
    (picture,) = server.fetch_images(run)
    return picture, {prompt[node]["class_type"] for node in run.executed}


@pytest.mark.thorough
@pytest.mark.parametrize("name", XL)
def test_runs_with_either_model_of_xl(name, server, prompt_of, pixels, tiny_xl):
    """As it stands, but for the tower inside the tiny checkpoints; these have one UNet: without a mask they agree."""
    pictures = {}
    for model, file in tiny_xl.items():
        picture, ran = colour(server, prompt_of(name, checkpoint=file))
        assert {"ColorizeEncodeReference", "KSampler"} <= ran, "a cached picture proves nothing"
        assert pixels(picture).shape == (HEIGHT, WIDTH, 3)
        pictures[model] = pixels(picture)
    assert (pictures["base"] != pictures["v2"]).any() == ("background" in name)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_runs_to_a_picture_of_the_asked_size_and_repeats_it(name, server, prompt_of, pixels):
    first, _ = colour(server, prompt_of(name, seed=7))
    other, ran = colour(server, prompt_of(name, seed=8))
    again, ran_again = colour(server, prompt_of(name, seed=7))
    assert pixels(first).shape == (HEIGHT, WIDTH, 3)
    assert (pixels(first) == pixels(again)).all()
    assert (pixels(first) != pixels(other)).any()
    assert "KSampler" in ran and "KSampler" in ran_again, "a cached picture proves nothing"
    assert not {kind for kind in ran | ran_again if kind.startswith("ColorizeEncode")}, "a new seed encoded anew"


def test_every_workflow_gives_another_picture(server, prompt_of, pixels):
    pictures = [pixels(colour(server, prompt_of(name))[0]) for name in WORKFLOWS]
    assert all((a != b).any() for a, b in itertools.combinations(pictures, 2))


def test_result_has_the_drawings_proportions(server, prompt_of, workflow_scripts, pixels):
    prompt = prompt_of("sketch_and_reference")
    workflow_scripts["prompt"].set_inputs(prompt, "Width", value=256)
    workflow_scripts["prompt"].set_inputs(prompt, "Height", value=256)
    picture, _ = colour(server, prompt)
    assert pixels(picture).shape == (192, 256, 3)


@pytest.mark.parametrize("name", EVERY_WORKFLOW)
def test_file_is_what_its_description_gives(name, server, object_info, workflow_scripts, same_prompt, same_host):
    """Written by scripts/build_workflows.py: it runs as its description everywhere, and is it to the letter on one."""
    build, to_prompt = workflow_scripts["build"], workflow_scripts["prompt"].to_prompt
    built = json.loads(build.as_text(build.BUILDERS[name](object_info)))
    same_prompt(to_prompt(load(name), object_info), to_prompt(built, object_info))
    if same_host(server):
        assert load(name) == built, "the nodes or the description have changed: run 'make workflows'"


@pytest.mark.parametrize("name", BLUEPRINTS)
def test_blueprint_is_what_its_description_gives(name, server, object_info, workflow_scripts, same_host):
    """In ASCII: ComfyUI before 0.33 reads it in the system's encoding. Its file's name is what the page shows."""
    file = ROOT / "subgraphs" / f"{name}.json"
    (inside,) = json.loads(file.read_text(encoding="ascii"))["definitions"]["subgraphs"]
    assert inside["name"] == name and inside["category"] and inside["description"]
    offered = server.get("/api/global_subgraphs").values()
    assert name in [
        entry["name"] for entry in offered if entry["info"]["node_pack"] == "custom_nodes.colorizediffusion"
    ]
    if same_host(server):
        build = workflow_scripts["build"]
        built = build.as_text(build.blueprints.BUILDERS[name](object_info), ascii_only=True)
        assert file.read_text(encoding="ascii") == built, "run 'make workflows'"


def test_try_it_runs_with_nothing_but_the_pack(server, object_info, workflow_scripts, pixels):
    prompt = workflow_scripts["prompt"].to_prompt(load(FIRST), object_info)
    run = server.run(prompt)
    assert not server.fetch_images(run), "nothing is written into the user's folders"
    result = workflow_scripts["prompt"].find(prompt, "Result")
    (image,) = run.outputs[result]["images"]
    assert image["type"] == "temp"


def test_flats_run_with_nothing_but_the_pack(server, object_info, workflow_scripts, pixels):
    """Cels hold palette colours alone, and the picture is them with the drawing's lines, at the drawing's size."""
    import numpy as np
    from PIL import Image

    tools = workflow_scripts["prompt"]
    prompt = tools.to_prompt(load("flats"), object_info)
    run = server.run(prompt)
    assert "ColorizeFlats" in {prompt[node]["class_type"] for node in run.executed}
    (cel,) = run.outputs[tools.find(prompt, "ColorizeSaveCels")]["images"]
    with Image.open(server.base_directory / "output" / cel["subfolder"] / cel["filename"]) as picture:
        assert picture.mode == "P" and picture.size == (1024, 1024)
        cels = np.asarray(picture.convert("RGBA"))
    (result,) = run.outputs[tools.find(prompt, "Result")]["images"]
    shown = pixels((server.base_directory / result["type"] / result["subfolder"] / result["filename"]).read_bytes())
    painted = (cels[..., 3] > 0) & (cels[..., :3] > 0).any(-1)
    off_the_lines = painted & (shown == cels[..., :3]).all(-1)
    assert painted.mean() > 0.15 and off_the_lines.sum() > 0.95 * painted.sum()
    assert len(np.unique(cels[painted][:, :3], axis=0)) >= 4, "hair, skin, jumper, shorts"
    assert_layers(run, tools.find(prompt, "ColorizeSaveLayers"), server, ["background", "character", "lines"])


def test_illustration_layers_run_with_nothing_but_the_pack(server, object_info, workflow_scripts):
    tools = workflow_scripts["prompt"]
    prompt = tools.to_prompt(load("illustration_layers"), object_info)
    run = server.run(prompt)
    names = ["background", "character", "lines"]
    inside = assert_layers(run, tools.find(prompt, "ColorizeSaveLayers"), server, names)
    colors = [line.split(" #")[0] for line in workflow_scripts["build"].finish_workflows.PALETTE.splitlines()]
    assert {*colors, "shading", "highlights"} <= set(inside)


def assert_layers(run, node, server, names):
    """Check that the OpenRaster file that a node has saved has these at the top, from bottom to top; return all."""
    import zipfile
    from xml.etree import ElementTree

    (saved,) = run.outputs[node]["layers"]
    with zipfile.ZipFile(server.base_directory / "output" / saved["subfolder"] / saved["filename"]) as file:
        image = ElementTree.fromstring(file.read("stack.xml"))
    assert [part.get("name") for part in reversed(image.find("stack"))] == names
    return [part.get("name") for part in image.iter() if part.get("name")]


@pytest.mark.parametrize("name", EVERY_WORKFLOW)
def test_published_files_have_their_addresses(name, workflow_scripts):
    """A loader names a published file with its address, or no file; what only a user has is left empty."""
    published = workflow_scripts["build"].mixing_workflows.PUBLISHED
    for node in load(name)["nodes"]:
        files = [value for value in node.get("widgets_values", []) if str(value).endswith((".safetensors", ".png"))]
        models = node["properties"].get("models", [])
        assert files == [model["name"] for model in models]
        for model in models:
            assert (model["directory"], model["url"]) == published[model["name"]]


@pytest.mark.parametrize("name", EVERY_WORKFLOW)
def test_layout_keeps_nodes_apart_and_inside_their_groups(name):
    workflow = load(name)
    boxes = [(*node["pos"], *node["size"]) for node in workflow["nodes"]]
    for x, y, width, height in boxes:
        assert any(
            left <= x and x + width <= left + wide and top <= y - 30 and y + height <= top + tall
            for left, top, wide, tall in (group["bounding"] for group in workflow["groups"])
        )
    for number, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, tall in boxes[number + 1 :]:
            assert x + width <= left or left + wide <= x or y + height <= top - 30 or top + tall <= y - 30


@pytest.mark.parametrize("name", (*WORKFLOWS, *XL, *SHOTS, *MIXED))
def test_note_names_files_folders_and_licence(name):
    notes = " ".join(node["widgets_values"][0] for node in load(name)["nodes"] if node["type"] == "MarkdownNote")
    for word in XL_WORDS if name in XL else V2_WORDS:
        assert word in notes


def test_templates_are_offered_and_served(server):
    """All that ComfyUI lists: a second folder with a name that it looks for would hide the files of the first."""
    offered = server.get("/workflow_templates")
    assert set(offered.get("colorizediffusion", [])) == set(EVERY_WORKFLOW)
    for name in EVERY_WORKFLOW:
        assert server.get(f"/api/workflow_templates/colorizediffusion/{name}.json") == load(name)


def test_every_template_is_tested():
    assert {path.stem for path in (ROOT / "workflows").glob("*.json")} == set(EVERY_WORKFLOW)


def test_templates_have_thumbnails():
    from PIL import Image

    for path in (ROOT / "workflows").glob("*.json"):
        with Image.open(path.with_suffix(".jpg")) as picture:
            assert picture.format == "JPEG" and picture.width == picture.height
