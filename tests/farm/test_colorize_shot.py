"""The farm's job with openjd-cli and real ComfyUI servers: cut, interrupted and begun anew."""

import functools
import itertools
import os
import re
import signal
import subprocess
import sys

import pytest
from PIL import Image
from shot_run import BUNDLE, FRAMES, NAMES, PATIENCE, SIZE, VERSIONS, pictures, runs

pytestmark = pytest.mark.thorough


def test_the_template_is_valid():
    openjd = [sys.executable, "-m", "openjd"]
    command = [*openjd, "check", BUNDLE / "template.yaml", "--extensions", "TASK_CHUNKING"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_cuts_agree_and_a_dead_comfyui_is_started_again(version, job, shot, tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    job = functools.partial(job, Workflow=shot / f"{version}.json")
    log = job(whole, 12).finish().log
    assert "openjd_progress: 100.0" in log and "openjd_env: COLORIZE_COMFYUI_PORT=" in log
    assert re.search(r"openjd_progress: (?!0\.0|100\.0)", log), "no progress between begin and end"

    run = job(pieces, 4)
    run.wait_for(lambda: "colouring frames 5 to 8" in run.log)
    os.kill(run.state["comfyui"], signal.SIGKILL)
    run.finish()
    assert "it was started 2 times" in run.log
    assert sorted(run.written) == list(FRAMES)

    first, second = pictures(whole), pictures(pieces)
    assert list(first) == list(second) == NAMES
    assert all(frame.shape == (SIZE, SIZE, 3) for frame in first.values())
    assert all(abs(first[name] - second[name]).max() <= 1 for name in NAMES)
    assert all((first[a] != first[b]).any() for a, b in itertools.pairwise(NAMES))

    # The same inputs again: only the frame whose drawing has changed is coloured.
    kept = {name: (pieces / name).stat().st_mtime_ns for name in NAMES}
    drawing = shot / "drawings" / NAMES[6]
    before = drawing.read_bytes()
    try:
        Image.new("L", (SIZE, SIZE), 255).save(drawing)
        again = job(pieces, 12).finish()
    finally:
        drawing.write_bytes(before)
    assert again.written == [7] and again.log.count("is already there") == 11
    assert {n for n in NAMES if (pieces / n).stat().st_mtime_ns != kept[n]} == {NAMES[6]}
    assert (pictures(pieces)[NAMES[6]] != second[NAMES[6]]).any()


def test_killed_in_the_middle_and_begun_anew(job, tmp_path):
    output = tmp_path / "out"
    chunk = 3
    killed = job(output, chunk)
    killed.wait_for(lambda: len(killed.written) >= 6)
    killed.process.kill()
    killed.process.wait()
    assert len(killed.written) < len(FRAMES), "the run was over before it was killed"
    orphan = killed.state
    assert all(path.read_bytes().endswith(b"IEND\xaeB`\x82") for path in output.glob("*.png"))

    again = job(output, 4).finish()
    told = sorted(killed.written + again.written)
    assert len(told) == len(set(told)), "a frame was coloured twice"
    # The killed session's task may end the chunk that it is at, which nobody is left to write into the log.
    assert len(set(FRAMES) - set(told)) <= chunk
    assert list(pictures(output)) == NAMES
    # The ComfyUI of the killed session has noticed that nobody uses it any more.
    killed.wait_for(lambda: "ended" in killed.state)
    for pid in (orphan["supervisor"], orphan["comfyui"]):
        killed.wait_for(lambda pid=pid: not runs(pid))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_carrier_in_place_of_references(version, job, pack, shot, checkpoints, tmp_path):
    """A worker with a carrier encodes nothing; without masks there is no split, with them XL's background."""
    _, colorizer, _, vae, clip_vision = pack.run("ColorizeCheckpointLoader", ckpt_name=checkpoints[version].name)
    shared = {"colorizer": colorizer, "clip_vision": clip_vision, "image": clip_vision_input()}
    (carrier,) = pack.run("ColorizeEncodeReference", **shared)
    parameters = {"ReferencesFolder": "", "Frames": "11-12", "Workflow": shot / f"{version}.json"}
    if version == "xl":
        sizes = {"width": SIZE, "height": SIZE, "source": "background_image"}
        mask = (clip_vision_input()[..., 0] > 0.5).float()
        (carrier,) = pack.run("ColorizeEncodeBackground", carrier=carrier, vae=vae, sketch_mask=mask, **sizes, **shared)
        assert carrier.has_background
    else:
        parameters["MasksFolder"] = ""
    file = tmp_path / "hero.carrier.safetensors"
    pack.module("colorize_core.carrier.carrier_file").write_carrier(carrier, file)
    assert sorted(job(tmp_path / "out", 8, Carrier=file, **parameters).finish().written) == [11, 12]
    assert list(pictures(tmp_path / "out")) == NAMES[10:]


def clip_vision_input():
    """A reference: IMAGE [1, 60, 80, 3]."""
    import torch

    return torch.rand(1, 60, 80, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"Frames": "1-13"}, r"lacks 1 of the job's frames, first 13"),
        ({"ComfyUI": "/nowhere"}, r"no main\.py in it"),
    ],
)
def test_mistakes_are_told(job, tmp_path, parameters, words):
    run = job(tmp_path / "out", 13, **parameters)
    run.process.wait(PATIENCE)
    assert run.process.returncode != 0
    assert re.search(r"openjd_fail: .*" + words, run.log), run.log[-3000:]
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
