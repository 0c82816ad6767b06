"""Colour a drawing with character_and_background.json through a real ComfyUI server on the CPU: `make demo`.

Drawing and reference come from the scene generator, their characters' masks lie in the alpha channel as ComfyUI's mask
editor saves them. The checkpoint is made on the spot from the layout of the tests' tiny model; its weights are random
numbers, so that the picture is noise: what the demo shows is the whole way from files to a picture.
"""

import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scenes import HELD_OUT, Scene

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(1, str(ROOT / "scripts"))

from comfyui_server import Server, make_base_directory  # noqa: E402
from workflow_prompt import find, set_inputs, to_prompt, use_embedded_tower  # noqa: E402

WORKFLOW = "character_and_background"
CHECKPOINT = "made-up-weights.safetensors"
OUTPUT = ROOT / "demo" / "output"
WIDTH, HEIGHT, STEPS = 384, 384, 10


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def make_checkpoint(path: Path) -> None:
    """Write a small v2 checkpoint with image tower and VAE inside, unless it is there."""
    if path.is_file():
        return
    from safetensors.torch import save_file

    say(f"making a checkpoint with random weights: {path.name}")
    fill = runpy.run_path(str(GOLDEN / "weights.py"))["fill"]
    shapes = json.loads((GOLDEN / "keys-tiny.json").read_text())
    unfinished = path.with_suffix(".part")
    save_file(fill(shapes), str(unfinished))
    unfinished.rename(path)


def make_pictures() -> tuple[Path, Path]:
    """Draw a character to colour and another one, in another scene, to take the colours from."""
    target = Scene(character=HELD_OUT + 4, background=HELD_OUT + 4, kind="hills", size=WIDTH)
    other = Scene(character=HELD_OUT + 9, background=HELD_OUT + 9, kind="hills", size=WIDTH)
    drawing = np.repeat(target.drawing()[..., None], 3, axis=2)
    reference = other.paint(character_colours=HELD_OUT + 2, background_colours=HELD_OUT + 2)
    paths = OUTPUT / "drawing.png", OUTPUT / "reference.png"
    for path, colours, scene in zip(paths, (drawing, reference), (target, other), strict=True):
        Image.fromarray(np.dstack([colours, 255 - scene.mask()])).save(path)
    return paths


def make_prompt(server: Server, drawing: Path, reference: Path) -> dict[str, Any]:
    """Open the workflow as a user would and choose the demo's files and size."""
    workflow = json.loads((ROOT / "workflows" / f"{WORKFLOW}.json").read_text(encoding="utf-8"))
    prompt = to_prompt(workflow, server.get("/object_info"))
    use_embedded_tower(prompt)
    set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=CHECKPOINT)
    set_inputs(prompt, "Drawing", image=server.upload_image(drawing))
    set_inputs(prompt, "Reference", image=server.upload_image(reference))
    set_inputs(prompt, "Width", value=WIDTH)
    set_inputs(prompt, "Height", value=HEIGHT)
    set_inputs(prompt, "KSampler", seed=1, steps=STEPS)
    return prompt


def main() -> None:
    comfyui = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    base = make_base_directory(ROOT / ".host" / "demo", ROOT, "colorizediffusion")
    make_checkpoint(base / "models" / "checkpoints" / CHECKPOINT)
    drawing, reference = make_pictures()
    say(f"drawing and reference are in {OUTPUT.relative_to(ROOT)}; starting ComfyUI")
    with Server(comfyui, base, ["--cpu"]) as server:
        prompt = make_prompt(server, drawing, reference)
        sampler, start = find(prompt, "KSampler"), time.monotonic()

        def show(node: str, done: int, total: int) -> None:
            if node == sampler:
                say(f"step {done} of {total}, {time.monotonic() - start:.0f} s")

        say(f"colouring {WIDTH}×{HEIGHT} pixels in {STEPS} steps")
        (picture,) = server.fetch_images(server.run(prompt, on_step=show))
    result = OUTPUT / f"{WORKFLOW}.png"
    result.write_bytes(picture)
    say("the weights are random, so the picture is noise")
    say(f"saved {result}")


if __name__ == "__main__":
    main()
