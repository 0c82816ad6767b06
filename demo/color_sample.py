"""Colour samples/colored-jumper.png with the demonstration model, through a real ComfyUI server on the CPU.

python demo/color_sample.py

Its alpha channel is the drawing's, which holds the character's mask.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from run_demo import CHECKPOINT, EXAMPLES, ROOT, ROWS, Server, colour_row, make_base_directory

NAME = "jumper"


def main() -> None:
    comfyui = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
    (names,) = (row for row in ROWS if row[0] == f"drawing-{NAME}")
    with tempfile.TemporaryDirectory() as folder:
        base = make_base_directory(Path(folder), ROOT, "colorizediffusion")
        (base / "models" / "checkpoints" / CHECKPOINT.name).symlink_to(CHECKPOINT)
        with Server(comfyui, base, ["--cpu"]) as server:
            *_, mask, _, _, _, best = colour_row(server, names)
    Image.fromarray(np.dstack([best, 255 - mask])).save(EXAMPLES / f"colored-{NAME}.png", optimize=True)


if __name__ == "__main__":
    main()
