"""The farm's job with openjd-cli and real ComfyUI servers: cut, interrupted and begun anew."""

import functools
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent.parent
BUNDLE = ROOT / "farm" / "colorize_shot"
FRAMES = range(1, 13)
SIZE = 64
FLOAT32 = "--cpu --fp32-unet --fp32-vae --fp32-text-enc"
PATIENCE = 300
#: Each has a checkpoint, and a workflow of its name in the shot's folder.
VERSIONS = ("v2", "xl")


@pytest.fixture(scope="module")
def checkpoints(tiny_checkpoint, tiny_xl_checkpoint):
    """The checkpoint of each version."""
    return dict(zip(VERSIONS, (tiny_checkpoint, tiny_xl_checkpoint("v2")), strict=True))


@pytest.fixture(scope="module")
def base(new_base_directory, checkpoints):
    """Models and the pack, as a worker has them."""
    base = new_base_directory()
    for path in checkpoints.values():
        (base / "models" / "checkpoints" / path.name).symlink_to(path)
    return base


@pytest.fixture(scope="module")
def shot(tmp_path_factory, checkpoints):
    """A folder with drawings, masks, references, and for each version the bundle's own workflow at a small size."""
    folder = tmp_path_factory.mktemp("shot")
    for kind, ground in (("drawings", 255), ("masks", 0)):
        (folder / kind).mkdir()
        for frame in FRAMES:
            picture = Image.new("L", (SIZE, SIZE), ground)
            fill = {"outline": 0, "width": 2} if kind == "drawings" else {"fill": 255}
            ImageDraw.Draw(picture).ellipse((3 * frame - 10, 10, 3 * frame + 20, 55), **fill)
            picture.save(folder / kind / f"sc3_{frame:04}.png")
    (folder / "references").mkdir()
    reference = Image.new("RGBA", (80, 60), "#88c0e8")
    ImageDraw.Draw(reference).ellipse((20, 10, 50, 55), fill=(200, 72, 60, 0))
    reference.save(folder / "references" / "reference.png")
    for version, checkpoint in checkpoints.items():
        workflow = json.dumps(small_workflow(checkpoint.name, version == "xl"))
        (folder / f"{version}.json").write_text(workflow, encoding="utf-8")
    return folder


def small_workflow(checkpoint, is_xl):
    """The bundle's workflow at a small size, its image encoders inside the checkpoint; XL's wired as its templates."""
    workflow = json.loads((BUNDLE / "workflow.json").read_text(encoding="utf-8"))
    by_title = {node["_meta"]["title"]: (key, node["inputs"]) for key, node in workflow.items()}
    by_title["Width"][1]["value"] = by_title["Height"][1]["value"] = SIZE
    by_title["ColorizeSampleSequence"][1].update(steps=2, seed=5, seed_rule="seed_per_frame")
    loader, inputs = by_title["ColorizeCheckpointLoader"]
    inputs["ckpt_name"] = checkpoint
    tower, _ = by_title["CLIPVisionLoader"]
    for node in workflow.values():
        node["inputs"] = {k: [loader, 4] if v == [tower, 0] else v for k, v in node["inputs"].items()}
    if is_xl:
        mask, reference = by_title["Characters of the drawings"][0], by_title["Reference"][0]
        workflow[by_title["ColorizeEncodeReference"][0]]["inputs"]["colorizer"] = [loader, 1]
        background = workflow[by_title["ColorizeEncodeBackground"][0]]["inputs"]
        background.update(sketch_mask=[mask, 0], image_mask=[reference, 1])
        sampling = workflow[by_title["ColorizeSampleSequence"][0]]["inputs"]
        sampling.update(sampler_name="dpmpp_3m_sde", scheduler="exponential", chunk_size=5)
    return workflow


class Run:
    """One `openjd run`, whose log is read while it goes on."""

    def __init__(self, folder, command, environment):
        self.folder = folder
        self.log_file = folder / "log.txt"
        with self.log_file.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )

    @property
    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    @property
    def written(self):
        """The frames that the log says were written, as often as it says so."""
        return [int(number) for number in re.findall(r"wrote frame (\d+):", self.log)]

    @property
    def state(self):
        """What the session's supervisor has written."""
        (file,) = self.folder.glob("OpenJD/*/comfyui/state.json")
        return json.loads(file.read_text(encoding="utf-8"))

    def wait_for(self, what):
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.1)

    def finish(self):
        self.process.wait(PATIENCE)
        assert self.process.returncode == 0, self.log[-5000:]
        return self


@pytest.fixture
def job(base, shot, comfyui_path, tmp_path_factory):
    """A function that starts the job; what still runs when the test ends is ended."""
    started = []

    def start(output, chunk, **parameters):
        values = {
            "Frames": "1-12",
            "ChunkSize": chunk,
            "DrawingsFolder": shot / "drawings",
            "MasksFolder": shot / "masks",
            "ReferencesFolder": shot / "references",
            "Workflow": shot / "v2.json",
            "OutputFolder": output,
            "ComfyUI": comfyui_path,
            "Python": sys.executable,
            "ComfyUIArguments": f"{FLOAT32} --disable-api-nodes --base-directory {base}",
            "IdleSeconds": 10,
            **parameters,
        }
        folder = tmp_path_factory.mktemp("session")
        openjd = [sys.executable, "-m", "openjd"]
        command = [*openjd, "run", str(BUNDLE / "template.yaml"), "--step", "Colour"]
        command += ["--extensions", "TASK_CHUNKING"]
        for name, value in values.items():
            command += ["--job-param", f"{name}={value}"]
        started.append(Run(folder, command, {**os.environ, "TMPDIR": str(folder)}))
        return started[-1]

    yield start
    for run in started:
        if run.process.poll() is None:
            run.process.kill()
        for alive in run.folder.glob("OpenJD/*/comfyui"):
            (alive / "stop").touch()


def pictures(folder):
    """The coloured frames of a folder by name; nothing else may lie there."""
    return {path.name: np.asarray(Image.open(path).convert("RGB")).astype(int) for path in sorted(folder.iterdir())}


NAMES = [f"sc3_{frame:04}.png" for frame in FRAMES]


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


def runs(pid):
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
