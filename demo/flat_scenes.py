"""Drawings whose every region is known, with pictures as a colourizer might give them: for flats.

A drawing has thin lines with gaps in them; the picture beside it is the right one, blurred, its colours off by part and
by place. The right part of every pixel is known, under the lines too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom

from character import AS_DRAWN, Pose, draw_character
from drawing import TABLE_SIZE, Part
from palettes import Style, colour_table

#: Width of the lines in pixels at 1024².
LINE_WIDTH = 4
#: Gaps of (pixels across, how many), as a hand leaves them.
GAPS = {"none": (0, 0), "8 px": (8, 30), "16 px": (16, 20), "24 px": (24, 20)}
#: Standard deviation of a part's colour, and of the slow noise, in 1/255.
COLOR_OFF = 8.0
NOISE = 8.0
#: The picture is blurred by a hundred and twenty-eighth of its side, as a box of that width is.
BLUR = 1 / 128 / 12**0.5


@dataclass(frozen=True)
class FlatScene:
    """One drawing of a character with all that is right.

    Attributes:
        drawing: [N, N] uint8, dark on white.
        ink: [N, N] bool.
        parts: [N, N] uint8, the right part of every pixel, 0 for what is no character.
        shapes: [N, N] uint8, which of the character's shapes every pixel belongs to, the same in all frames of a shot.
        right: [N, N, 3] uint8, the right colours without lines.
        picture: [N, N, 3] uint8, what the colourizer is made out to have given.
        palette: {part: (base, shadow)}, [3] uint8 each.
    """

    drawing: np.ndarray
    ink: np.ndarray
    parts: np.ndarray
    shapes: np.ndarray
    right: np.ndarray
    picture: np.ndarray
    palette: dict[Part, tuple[np.ndarray, np.ndarray]]


def thin_lines(lines: np.ndarray, width: float) -> np.ndarray:
    """Thin lines [N, N] bool to so many pixels: what is nearer to their edge goes. Thinner ones keep their middle."""
    depth = distance_transform_edt(lines)
    thick = np.percentile(depth[depth > 0], 90)
    return depth > max(0.5, thick - width / 2)


def cut_gaps(lines: np.ndarray, across: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Erase discs of so many pixels across, their middles on the lines."""
    if not count:
        return lines
    size, lines = len(lines), lines.copy()
    places = np.argwhere(lines)
    y, x = np.mgrid[:size, :size]
    for row, column in places[rng.choice(len(places), size=min(count, len(places)), replace=False)]:
        lines[(y - row) ** 2 + (x - column) ** 2 <= (across / 2) ** 2] = False
    return lines


def slow_noise(size: int, rng: np.random.Generator) -> np.ndarray:
    """Noise [size, size, 3] of standard deviation 1 that changes over about a sixteenth of the picture."""
    coarse = rng.standard_normal((16, 16, 3))
    noise = zoom(coarse, (size / 16, size / 16, 1), order=3)
    return noise / noise.std()


def flat_scene(
    seed: int, size: int = 1024, gaps: str = "none", shading: float = 0.35, pose: Pose = AS_DRAWN, frame: int = 0
) -> FlatScene:
    """Draw a scene. Its gaps and its noise depend on the seed, and in a shot on the frame's number, too."""
    canvas = draw_character(seed, size, pose)
    rng = np.random.default_rng([seed, 21, list(GAPS).index(gaps), *([frame] if frame else [])])
    scale = size / 1024
    thick = canvas.ids == Part.LINE
    across, count = GAPS[gaps]
    ink = cut_gaps(thin_lines(thick, LINE_WIDTH * scale), round(across * scale), count, rng)
    nearest = distance_transform_edt(thick, return_distances=False, return_indices=True)
    parts, shapes, shade = (of[tuple(nearest)] for of in (canvas.ids, canvas.shapes, canvas.shade))
    table = colour_table(seed, seed, Style(shading=shading))
    table[:, 0] = 255
    off = rng.standard_normal((TABLE_SIZE, 3)) * COLOR_OFF
    right = table[shade.astype(np.intp), parts]
    shown = np.where(ink[..., None], table[0, Part.LINE], right + off[parts])
    shown = gaussian_filter(shown.astype(np.float32), (BLUR * size, BLUR * size, 0))
    shown = shown + NOISE * slow_noise(size, rng)
    palette = {part: (table[0, part], table[1, part]) for part in Part if part != Part.LINE}
    return FlatScene(
        drawing=np.where(ink, 0, 255).astype(np.uint8),
        ink=ink,
        parts=parts,
        shapes=shapes,
        right=right,
        picture=np.clip(shown, 0, 255).round().astype(np.uint8),
        palette=palette,
    )
