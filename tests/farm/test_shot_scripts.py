"""The parts of the farm's task that need no ComfyUI."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from colorizediffusion.colorize_core.shot.frame_numbers import POSITIONS, SUFFIXES, frame_number

ROOT = Path(__file__).resolve().parent.parent.parent
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def scripts():
    """The bundle's modules, imported as the task imports them."""
    folder = str(ROOT / "farm" / "colorize_shot" / "scripts")
    sys.path.insert(0, folder)
    try:
        yield {name: importlib.import_module(name) for name in ("shot_files", "shot_prompt")}
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def files(scripts):
    return scripts["shot_files"]


@pytest.mark.parametrize(
    ("text", "frames"),
    [("7", [7]), ("1-3", [1, 2, 3]), ("1-3,8,10-14:2", [1, 2, 3, 8, 10, 12, 14]), ("5-1:-2", [1, 3, 5])],
)
def test_ranges(files, text, frames):
    assert files.parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "1..3", "1-3;5"])
def test_no_ranges(files, text):
    with pytest.raises(files.ShotError, match="range of frames"):
        files.parse_frames(text)


def test_runs(files):
    assert files.runs([1, 2, 3, 7, 9, 10]) == [[1, 2, 3], [7], [9, 10]] and files.runs([]) == []


def test_numbers_are_read_as_the_pack_reads_them(files, tmp_path):
    names = ["sc12_ink_0007.png", "a8.JPG", "notes9.txt", ".hidden_0010.png", "none.png", "x_011.tiff"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    ours = {number: name for name in names if (number := frame_number(name)) is not None}
    assert {n: p.name for n, p in files.numbered(tmp_path, [7, 8, 11]).items()} == ours
    with pytest.raises(files.ShotError, match=r"lacks 2 .* first 9"):
        files.numbered(tmp_path, [7, 9, 10])
    (tmp_path / "b_0008.png").write_bytes(b"")
    with pytest.raises(files.ShotError, match="both frame 8"):
        files.numbered(tmp_path, [8])


def test_names_are_read_as_the_pack_reads_them(files):
    assert files.SUFFIXES == SUFFIXES and files.POSITIONS == POSITIONS
    for name in ("f_-001.png", "shot-001.png", "sc2_ink_0007_v2.tga", "0007_1920x1080.png", "ink.png", "-3.png"):
        for which in POSITIONS:
            match = files.number_in(Path(name), which)
            assert frame_number(name, which) == (match and int(match[0])), (name, which)


def test_drawings_on_twos(files, tmp_path):
    for number in (1, 3, 5):
        (tmp_path / f"ink_{number:04}_v2.png").write_bytes(b"")
    held = files.numbered(tmp_path, [2, 3, 4, 6], "second_last", "hold")
    assert {n: p.name[4:8] for n, p in held.items()} == {2: "0001", 3: "0003", 4: "0003", 6: "0005"}
    names = [files.named_for(n, p, "second_last") for n, p in held.items()]
    assert names == ["ink_0002_v2", "ink_0003_v2", "ink_0004_v2", "ink_0006_v2"]
    assert list(files.numbered(tmp_path, [2, 3, 4], "second_last", "skip")) == [3]
    with pytest.raises(files.ShotError, match=r"lacks 1 .* first 0"):
        files.numbered(tmp_path, [0, 1], "second_last", "hold")


def test_a_task_follows_the_workflows_choices(scripts, tmp_path):
    """What is held or skipped is the job's; the folder that ComfyUI reads then holds just the run's frames."""
    prompt = workflow()
    choices = {"missing": "hold", "number": "second_last", "frame_numbers": "1-9:2"}
    prompt["1"]["inputs"] |= choices
    assert scripts["shot_prompt"].reading(prompt, "Drawings") == ("second_last", "hold")
    filled = scripts["shot_prompt"].for_frames(prompt, 40, "run/drawings", None)
    assert filled["1"]["inputs"] == {"folder": "run/drawings", "first_frame": 0, "frame_count": 0}
    prompt["1"]["inputs"]["number"] = ["7", 0]
    with pytest.raises(scripts["shot_files"].ShotError, match="`number`"):
        scripts["shot_prompt"].reading(prompt, "Drawings")
    for number in (1, 3):
        (tmp_path / f"ink_{number:04}_v2.png").write_bytes(PIXEL)
    prompt["1"]["inputs"]["number"] = "second_last"
    (tmp_path / "workflow.json").write_text(json.dumps(prompt))
    colour = importlib.import_module("colour_frames")
    paths = {"drawings": tmp_path, "workflow": tmp_path / "workflow.json", "output": tmp_path / "out"}
    rest = dict.fromkeys(("masks", "references", "carrier"))
    chunk = colour.Chunk(colour.Job(session=tmp_path, frames=[1, 2, 3], overwrite=False, **paths, **rest))
    assert [chunk.target(frame).name for frame in chunk.frames] == [f"ink_000{n}_v2.png" for n in (1, 2, 3)]
    assert len({chunk.stamp(frame) for frame in chunk.frames}) == 3


def test_a_carrier_of_single_frames_is_refused(scripts, tmp_path):
    """Two backgrounds would go with the first two frames of the job as well as with any other two."""
    import torch
    from colorizediffusion.colorize_core.carrier.carrier import Carrier
    from colorizediffusion.colorize_core.carrier.carrier_file import write_carrier

    colour, file = importlib.import_module("colour_frames"), tmp_path / "hero.carrier.safetensors"
    (tmp_path / "workflow.json").write_text(json.dumps(workflow()))
    (tmp_path / "ink_0001.png").write_bytes(PIXEL)
    paths = {"drawings": tmp_path, "workflow": tmp_path / "workflow.json", "output": tmp_path / "out", "carrier": file}
    job = colour.Job(session=tmp_path, frames=[1], overwrite=False, masks=None, references=None, **paths)

    def chunk(backgrounds):
        carrier = Carrier(torch.zeros(1, 4, 8), None)
        write_carrier(carrier.with_background(torch.zeros(1, 4, 8), (torch.zeros(backgrounds, 4, 2),), "x"), file)
        return colour.Chunk(job)

    assert list(chunk(1).inputs.values()) == [file]
    with pytest.raises(scripts["shot_files"].ShotError, match=r"2 rows of background_features\.0"):
        chunk(2)
    file.write_bytes(b"no carrier")
    assert colour.Chunk(job).frames == [1], "ComfyUI tells what is wrong with it"


def test_stamps(files, tmp_path):
    from PIL import Image

    path = tmp_path / "frame.png"
    files.write_whole(path, files.stamped(PIXEL, "abc"))
    assert files.stamp_of(path) == "abc"
    with Image.open(path) as picture:
        picture.load()
        assert picture.size == (1, 1) and picture.text["colorize_inputs"] == "abc"
    assert [entry.name for entry in tmp_path.iterdir()] == ["frame.png"]


def test_what_is_no_finished_frame_has_no_stamp(files, tmp_path):
    path = tmp_path / "frame.png"
    assert files.stamp_of(path) is None
    for data in (b"", PIXEL, files.stamped(PIXEL, "abc")[:-1], b"GIF89a"):
        path.write_bytes(data)
        assert files.stamp_of(path) is None
    with pytest.raises(files.ShotError, match="no whole PNG"):
        files.stamped(PIXEL[:-3], "abc")


def test_digests_tell_where_one_part_ends(files):
    assert files.digest(b"ab", b"c") != files.digest(b"a", b"bc")


def workflow(**nodes):
    base = {
        "1": {"class_type": "ColorizeLoadFrames", "inputs": {"folder": "x"}, "_meta": {"title": "Drawings"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["5", 0]}, "_meta": {"title": "Save"}},
        "3": {"class_type": "ColorizeApply", "inputs": {"carrier": ["9", 0], "sketch_mask": ["8", 0]}},
        "4": {"class_type": "ColorizeSampleSequence", "inputs": {"first_frame": 0}},
        "5": {"class_type": "LoadImage", "inputs": {"image": "hero.png"}},
    }
    return {**base, **nodes}


def test_a_prompt_is_filled(scripts, tmp_path):
    tools = scripts["shot_prompt"]
    masks = {"class_type": "ColorizeLoadFrames", "inputs": {"first_frame": ["1", 2]}, "_meta": {"title": "Masks"}}
    prompt = tools.use_carrier(workflow(masks=masks), "hero.carrier.safetensors")
    filled = tools.for_frames(prompt, 40, "run/drawings", "run/masks")
    assert filled["1"]["inputs"] == {"folder": "run/drawings", "first_frame": 0, "frame_count": 0}
    assert filled["masks"]["inputs"] == {"folder": "run/masks", "first_frame": ["1", 2], "frame_count": 0}
    assert filled["4"]["inputs"]["first_frame"] == 40
    assert filled["3"]["inputs"]["carrier"] == ["job_carrier", 0]
    assert "sketch_mask" not in tools.without_masks(filled)["3"]["inputs"]
    filled["8"] = {"class_type": "ColorizeEncodeBackground", "inputs": {"carrier": ["job_carrier", 0]}}
    filled["3"]["inputs"]["carrier"] = ["8", 0]
    plain = tools.without_masks(filled)
    assert "8" not in plain and plain["3"]["inputs"]["carrier"] == ["job_carrier", 0]
    (tmp_path / "hero.png").write_bytes(b"")
    (tmp_path / "other.png").write_bytes(b"")
    assert list(tools.input_files(prompt, tmp_path)) == ["hero.png"]


def test_workflows_that_will_not_do(scripts, tmp_path):
    tools, error = scripts["shot_prompt"], scripts["shot_files"].ShotError
    path = tmp_path / "workflow.json"
    two_savers = workflow(other={"class_type": "SaveImage", "inputs": {}})
    no_frames = {key: node for key, node in workflow().items() if key != "1"}
    for contents, words in (("{", "cannot be read"), ("[]", "API format"), ('{"nodes": []}', "API format")):
        path.write_text(contents)
        with pytest.raises(error, match=words):
            tools.read_workflow(path)
    for prompt, words in ((two_savers, "2 SaveImage"), (no_frames, "0 ColorizeLoadFrames")):
        path.write_text(json.dumps(prompt))
        with pytest.raises(error, match=words):
            tools.read_workflow(path)
    with pytest.raises(error, match="titled Masks"):
        tools.for_frames(workflow(), 1, "a", "b")


def test_the_bundles_own_workflow_will_do(scripts):
    prompt = scripts["shot_prompt"].read_workflow(ROOT / "farm" / "colorize_shot" / "workflow.json")
    filled = scripts["shot_prompt"].for_frames(prompt, 1, "d", "m")
    assert {node["inputs"].get("folder") for node in filled.values()} >= {"d", "m"}
