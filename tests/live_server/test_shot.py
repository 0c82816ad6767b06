"""The shot workflow: a folder of drawings and one of masks to as many coloured frames."""

import itertools
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FRAMES, SIZE, STEPS = range(4, 9), 128, 2


@pytest.fixture(scope="module")
def folders(server):
    """input/shot with five drawings and five masks of a character that walks."""
    from PIL import Image, ImageDraw

    shot = server.base_directory / "input" / "shot"
    for kind, ground in (("drawings", 255), ("masks", 0)):
        (shot / kind).mkdir(parents=True)
        for frame in FRAMES:
            picture = Image.new("L", (SIZE, SIZE - 32), ground)
            place = (10 * frame - 20, 20, 10 * frame + 20, 80)
            fill = {"outline": 0, "width": 2} if kind == "drawings" else {"fill": 255}
            ImageDraw.Draw(picture).ellipse(place, **fill)
            picture.save(shot / kind / f"{kind}_{frame:04}.png")
    return shot


SHIRT, HAIR, LINES = (220, 60, 40), (60, 70, 200), (0, 0, 0)


@pytest.fixture
def coloured(folders, tmp_path):
    """input/shot/colour: the walker in red, half as large as the drawings; but blue in frame 6. Return its sheet."""
    from PIL import Image, ImageDraw

    (folders / "colour").mkdir(exist_ok=True)
    for frame in FRAMES:
        picture = Image.new("RGB", (SIZE // 2, SIZE // 2 - 16), "white")
        fill = HAIR if frame == 6 else tuple(level + frame for level in SHIRT)
        ImageDraw.Draw(picture).ellipse((5 * frame - 10, 10, 5 * frame + 10, 40), fill=fill)
        picture.save(folders / "colour" / f"colour_{frame:04}.png")
    sheet = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(sheet).rectangle((10, 10, 50, 30), fill=HAIR)
    ImageDraw.Draw(sheet).rectangle((10, 31, 50, 55), fill=SHIRT)
    sheet.save(tmp_path / "sheet.png")
    return tmp_path / "sheet.png"


@pytest.fixture
def prompt_of(server, object_info, workflow_scripts, pictures, tiny_checkpoint, folders):
    """A function that makes a workflow's prompt, set to the test's files and size."""
    tools = workflow_scripts["prompt"]

    def make(name):
        workflow = json.loads((ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8"))
        prompt = tools.to_prompt(workflow, object_info)
        tools.use_embedded_tower(prompt)
        tools.set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name)
        tools.set_inputs(prompt, "Reference", image=server.upload_image(pictures["reference"]))
        tools.set_inputs(prompt, "Width", value=SIZE)
        tools.set_inputs(prompt, "Height", value=SIZE)
        tools.set_inputs(prompt, "ColorizeSampleSequence", steps=STEPS)
        return prompt

    return make


@pytest.fixture
def prompt(prompt_of, workflow_scripts):
    """shot.json, with another noise for each frame."""
    prompt = prompt_of("shot")
    workflow_scripts["prompt"].set_inputs(prompt, "ColorizeSampleSequence", seed=3, seed_rule="seed_per_frame")
    return prompt


def frames_of(server, prompt, pixels):
    return [pixels(data).astype(int) for data in server.fetch_images(server.run(prompt))]


def test_colours_a_shot_and_its_parts_alike(server, prompt, workflow_scripts, pixels):
    tools = workflow_scripts["prompt"]
    whole = frames_of(server, prompt, pixels)
    assert [frame.shape for frame in whole] == [(SIZE - 32, SIZE, 3)] * len(FRAMES)
    assert all((a != b).any() for a, b in itertools.pairwise(whole))
    tools.set_inputs(prompt, "Drawings", first_frame=6, frame_count=2)
    tools.set_inputs(prompt, "ColorizeSampleSequence", chunk_size=1)
    part = frames_of(server, prompt, pixels)
    assert len(part) == 2
    assert all(abs(a - b).max() <= 1 for a, b in zip(part, whole[2:4], strict=True))


def test_a_saved_carrier_takes_the_references_place(server, prompt, workflow_scripts, pixels):
    tools = workflow_scripts["prompt"]
    whole = frames_of(server, prompt, pixels)
    encoder = tools.find(prompt, "ColorizeEncodeBackground")
    saving = {
        **prompt,
        "save": {
            "class_type": "ColorizeSaveCarrier",
            "inputs": {"carrier": [encoder, 0], "filename_prefix": "carriers/hero"},
        },
    }
    (saved,) = server.run(saving).outputs["save"]["carriers"]
    name = f"{saved['subfolder']}/{saved['filename']} [output]"
    offered = server.get("/object_info/ColorizeLoadCarrier")["ColorizeLoadCarrier"]["input"]["required"]["file"]
    assert name in json.dumps(offered)
    tools.set_inputs(prompt, "ColorizeLoadCarrier", file=name)
    tools.set_inputs(prompt, "ColorizeApply", carrier=[tools.find(prompt, "ColorizeLoadCarrier"), 0])
    for kind in ("ColorizeEncodeBackground", "ColorizeEncodeReference", "ColorizeBleach", "Reference"):
        del prompt[tools.find(prompt, kind)]
    loaded = frames_of(server, prompt, pixels)
    assert all((a == b).all() for a, b in zip(loaded, whole, strict=True))


def test_an_approved_frame_is_what_the_others_look_at(server, prompt_of, workflow_scripts, pixels, tmp_path):
    """anchored_shot.json as its note says: one frame first, with Attention Injection bypassed, then the shot."""
    tools = workflow_scripts["prompt"]
    prompt = prompt_of("anchored_shot")
    injected, applied = (tools.find(prompt, f"Colorize{name}") for name in ("AttentionInjection", "Apply"))
    tools.set_inputs(prompt, "ColorizeSampleSequence", model=[applied, 0])
    tools.set_inputs(prompt, "Drawings", first_frame=6, frame_count=1)
    approved = tmp_path / "approved.png"
    (picture,) = server.fetch_images(server.run(prompt))
    approved.write_bytes(picture)
    tools.set_inputs(prompt, "Drawings", first_frame=0, frame_count=0)
    bare = frames_of(server, prompt, pixels)
    tools.set_inputs(prompt, "ColorizeSampleSequence", model=[injected, 0])
    tools.set_inputs(prompt, "Approved frame", image=server.upload_image(approved))
    tools.set_inputs(prompt, "Number of the anchor", value=6)
    whole = frames_of(server, prompt, pixels)
    assert len(whole) == len(FRAMES) and all((a != b).any() for a, b in zip(whole, bare, strict=True))
    tools.set_inputs(prompt, "Drawings", first_frame=7, frame_count=2)
    tools.set_inputs(prompt, "ColorizeSampleSequence", chunk_size=1)
    part = frames_of(server, prompt, pixels)
    assert all(abs(a - b).max() <= 1 for a, b in zip(part, whole[3:], strict=True))


def test_masks_of_other_frames_may_be_missing(server, prompt, workflow_scripts, pixels, folders):
    """The masks' frames are wired to the drawings'."""
    (folders / "masks" / "masks_0005.png").rename(folders / "masks_0005.png")
    try:
        workflow_scripts["prompt"].set_inputs(prompt, "Drawings", first_frame=6)
        assert len(frames_of(server, prompt, pixels)) == 3
    finally:
        (folders / "masks_0005.png").rename(folders / "masks" / "masks_0005.png")


def test_drawings_on_twos_take_the_masks_of_their_own_frames(server, prompt, workflow_scripts, pixels, folders):
    """Each comes out as the frame that it is in the whole shot, whose masks and seeds have no gap."""
    whole = frames_of(server, prompt, pixels)
    gaps = [folders / "drawings" / f"drawings_{number:04}.png" for number in (5, 7)]
    for path in gaps:
        path.rename(folders / path.name)
    try:
        workflow_scripts["prompt"].set_inputs(prompt, "Drawings", missing="skip")
        alone = frames_of(server, prompt, pixels)
    finally:
        for path in gaps:
            (folders / path.name).rename(path)
    assert len(alone) == 3 and all(abs(a - b).max() <= 1 for a, b in zip(alone, whole[::2], strict=True))


def cels_of(server, run, prompt, tools):
    """Return the colours in each cel that was saved, by its frame, without those of the lines."""
    from PIL import Image

    node = tools.find(prompt, "ColorizeSaveCels")
    found = {}
    for cel in run.outputs[node].get("cels") or run.outputs[node]["images"]:
        with Image.open(server.base_directory / "output" / cel["subfolder"] / cel["filename"]) as picture:
            colors = picture.convert("RGBA").getcolors()
        frame = int(cel["filename"].rpartition("_")[2].split(".")[0])
        found[frame] = {color[:3] for _, color in colors if color[3] and color[:3] != LINES}
    return found


@pytest.mark.parametrize("put_right", [False, True])
def test_a_coloured_shot_becomes_cels_that_do_not_flicker(
    put_right, server, object_info, workflow_scripts, coloured, tmp_path
):
    """shot_to_cels.json as it opens: a frame of another colour is outvoted. With Anchor it wins over all others."""
    from PIL import Image

    tools = workflow_scripts["prompt"]
    workflow = json.loads((ROOT / "workflows" / "shot_to_cels.json").read_text(encoding="utf-8"))
    if put_right:
        (anchor,) = (node for node in workflow["nodes"] if node.get("title") == "Anchor")
        anchor["mode"] = 0
    prompt = tools.to_prompt(workflow, object_info)
    tools.set_inputs(prompt, "Character sheet", image=server.upload_image(coloured))
    if put_right:
        Image.new("RGB", (32, 24), HAIR).save(tmp_path / "anchor.png")
        tools.set_inputs(prompt, "Anchor", image=server.upload_image(tmp_path / "anchor.png"))
    run = server.run(prompt)
    assert cels_of(server, run, prompt, tools) == {frame: {HAIR if put_right else SHIRT} for frame in FRAMES}
    (strip,) = run.outputs[tools.find(prompt, "ColorizeTrackRegions")]["images"]
    assert strip["type"] == "temp"
    assert len(run.outputs[tools.find(prompt, "Result")]["images"]) == len(FRAMES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Drawings": {"folder": "../output"}}, "subfolder of ComfyUI's input folder"),
        ({"Drawings": {"first_frame": 3}}, "has frames 4 to 8"),
        ({"ColorizeLoadCarrier": {"file": "../secret.carrier.safetensors"}}, "input or output folder"),
        ({"Masks": {"frame_numbers": "4-6"}}, "3, but `latent_image` has 5 frames"),
    ],
)
def test_mistakes_are_told(server, prompt, workflow_scripts, comfyui_server, changes, words):
    tools = workflow_scripts["prompt"]
    for title, inputs in changes.items():
        tools.set_inputs(prompt, title, **inputs)
        if title == "ColorizeLoadCarrier":
            tools.set_inputs(prompt, "ColorizeApply", carrier=[tools.find(prompt, title), 0])
    with pytest.raises(comfyui_server.ServerError, match=words):
        server.run(prompt)


def test_the_farms_workflows_are_as_they_are_built(object_info, workflow_scripts, same_prompt):
    build = workflow_scripts["build"]
    for name, prompt in build.farm_prompts(object_info).items():
        given = json.loads((build.FARM / f"{name}.json").read_text(encoding="utf-8"))
        same_prompt(given, json.loads(build.as_text(prompt)))
