"""Draw the pictures in samples/: python demo/make_assets.py

Drawings, references and backgrounds of 128×128 pixels, the demonstration model's size, none of them from training; a
drawing and a background of 1024×1024 as well, for what comes after the sampler. The alpha channel of drawings and
references holds the character's mask, as ComfyUI's mask editor saves it: transparent on the character.

`color_sample.py` beside this makes the coloured picture.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from comfy_path import EXAMPLES
from palettes import Style
from scenes import HELD_OUT, Scene

DRAWINGS = {"jumper": 34, "sailor": 45, "dancer": 12, "walker": 31}
"""Name and seed of each drawing's character, counted from `HELD_OUT`; the other tables likewise."""

REFERENCES = {"blueberry": (22, "hills"), "poppy": (30, "room"), "coral": (55, "plain"), "orchard": (51, "city")}

BACKGROUNDS = {"hills": 3, "sea": 5, "room": 8, "city": 13, "stripes": 21, "bubbles": 34}

SMALL, LARGE = 128, 1024
"""Sizes; a large picture shows the same scene as the small one of its name."""

LARGE_DRAWING, LARGE_BACKGROUND = "jumper", "hills"

INKED = Style(ink="blue", shading=0.5)


def masked(picture: np.ndarray, scene: Scene) -> np.ndarray:
    """Put the mask of a scene's character into a picture's alpha channel: [128, 128, 4]."""
    return np.dstack([picture, 255 - scene.mask()])


def drawn(seed: int, size: int) -> np.ndarray:
    """Draw a character's lines and mask: [size, size, 4]."""
    scene = Scene(HELD_OUT + seed, HELD_OUT + seed, size=size)
    return masked(np.repeat(scene.drawing()[..., None], 3, axis=2), scene)


def background(kind: str, size: int) -> np.ndarray:
    """Paint a background: [size, size, 3]."""
    seed = HELD_OUT + BACKGROUNDS[kind]
    return Scene(0, seed, kind, size).paint_background(seed)


def pictures() -> dict[str, np.ndarray]:
    """Return every asset by name: drawings and references [N, N, 4], backgrounds [N, N, 3], uint8."""
    assets = {f"drawing-{name}": drawn(seed, SMALL) for name, seed in DRAWINGS.items()}
    assets[f"drawing-{LARGE_DRAWING}-large"] = drawn(DRAWINGS[LARGE_DRAWING], LARGE)
    for name, (seed, kind) in REFERENCES.items():
        scene = Scene(HELD_OUT + seed, HELD_OUT + seed, kind)
        assets[f"reference-{name}"] = masked(scene.paint(HELD_OUT + seed, HELD_OUT + seed), scene)
        assets[f"reference-{name}-inked"] = masked(scene.paint(HELD_OUT + seed, HELD_OUT + seed, INKED), scene)
    assets |= {f"background-{kind}": background(kind, SMALL) for kind in BACKGROUNDS}
    assets[f"background-{LARGE_BACKGROUND}-large"] = background(LARGE_BACKGROUND, LARGE)
    return assets


def main() -> None:
    EXAMPLES.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        Image.fromarray(picture).save(EXAMPLES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
