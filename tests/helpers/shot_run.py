"""A shot for the farm's job, and `openjd run` on it."""

import json
import re
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
BUNDLE = ROOT / "farm" / "colorize_shot"
FRAMES = range(1, 13)
SIZE = 64
FLOAT32 = "--cpu --fp32-unet --fp32-vae --fp32-text-enc"
PATIENCE = 300
#: Each has a checkpoint, and a workflow of its name in the shot's folder.
VERSIONS = ("v2", "xl")
NAMES = [f"sc3_{frame:04}.png" for frame in FRAMES]


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


def pictures(folder):
    """The coloured frames of a folder by name; nothing else may lie there."""
    return {path.name: np.asarray(Image.open(path).convert("RGB")).astype(int) for path in sorted(folder.iterdir())}


def runs(pid):
    """Tell whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
