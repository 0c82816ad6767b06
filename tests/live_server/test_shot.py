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


@pytest.fixture
def prompt(server, object_info, workflow_scripts, pictures, tiny_checkpoint, folders):
    """shot.json, set to the test's files and size."""
    tools = workflow_scripts["prompt"]
    workflow = json.loads((ROOT / "workflows" / "shot.json").read_text(encoding="utf-8"))
    prompt = tools.to_prompt(workflow, object_info)
    tools.use_embedded_tower(prompt)
    tools.set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name)
    tools.set_inputs(prompt, "Reference", image=server.upload_image(pictures["reference"]))
    tools.set_inputs(prompt, "Width", value=SIZE)
    tools.set_inputs(prompt, "Height", value=SIZE)
    tools.set_inputs(prompt, "ColorizeSampleSequence", steps=STEPS, seed=3, seed_rule="seed_per_frame")
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
