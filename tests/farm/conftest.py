"""The farm's job on a shot of a circle that walks, with tiny checkpoints."""

import json
import os
import sys

import pytest
from PIL import Image, ImageDraw
from shot_run import BUNDLE, FLOAT32, FRAMES, SIZE, VERSIONS, Run, small_workflow


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


@pytest.fixture
def job(base, shot, comfyui_path, tmp_path_factory):
    """A function that starts a step of the job, or all of it; what still runs when the test ends is ended."""
    started = []

    def start(output, chunk, step="Colour", **parameters):
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
            "IdleSeconds": 40,
            **parameters,
        }
        folder = tmp_path_factory.mktemp("session")
        openjd = [sys.executable, "-m", "openjd"]
        command = [*openjd, "run", str(BUNDLE / "template.yaml"), "--extensions", "TASK_CHUNKING"]
        command += ["--step", step] if step else []
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
