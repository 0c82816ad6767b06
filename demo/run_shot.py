"""Colour and finish a shot in a ComfyUI inside this process: `make demo-shot`.

Draws assets/shot.webp, the moving picture of the README. Drawings, masks, coloured frames, sheet and background go to
demo/output/shot: as the folder `shot` in ComfyUI's `input` they are what workflows/shot_to_cels.json looks for.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from comfy_path import DEMO, EXAMPLES, ROOT
from demo_shot import ANCHOR, colour_shot, draw_shot, finish_shot
from moving_picture import Column, Still, save_moving_picture
from pipeline import CHECKPOINT_NAME, Pipeline

FRAMES, PICTURE = DEMO / "output" / "shot", ROOT / "assets" / "shot.webp"


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def as_levels(picture: Tensor) -> np.ndarray:
    """Turn pictures in [0, 1] into uint8."""
    return (picture.clamp(0, 1) * 255).round().byte().numpy()


def save_frames(folder: Path, name: str, frames: np.ndarray) -> None:
    """Write numbered PNG files: name_0001.png and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(folder / f"{name}_{number:04}.png", optimize=True)


def main() -> None:
    start = time.monotonic()
    pipeline, shot = Pipeline(EXAMPLES / CHECKPOINT_NAME), draw_shot()
    coloured = colour_shot(pipeline, shot)
    say(f"{len(coloured)} frames coloured, {time.monotonic() - start:.0f} s")
    done = finish_shot(pipeline.run, shot, coloured)
    sheet, background = as_levels(shot.sheet)[0], as_levels(shot.background)[0]
    frames = {"drawings": shot.drawings, "masks": shot.masks, "colour": coloured, "flats": done.flats}
    for name, pictures in frames.items():
        save_frames(FRAMES / name, name, as_levels(pictures))
    tracks, anchor = as_levels(done.strip)[0], as_levels(shot.corrected)[0]
    for name, picture in {"sheet": sheet, "background": background, "tracks": tracks, "anchor": anchor}.items():
        Image.fromarray(picture).save(FRAMES / f"{name}.png", optimize=True)
    say(f"saved {FRAMES}; anchor.png is frame {ANCHOR}, counted from 0")
    stills = [Still("sheet", sheet), Still("background", as_levels(shot.scenery)[0])]
    columns = [
        Column("drawings", as_levels(shot.drawings)),
        Column("coloured", as_levels(done.picture)),
        Column("flats, one frame put right", as_levels(done.flats)),
    ]
    save_moving_picture(PICTURE, stills, columns)
    say(f"saved {PICTURE}, {PICTURE.stat().st_size / 2**20:.1f} MB, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
