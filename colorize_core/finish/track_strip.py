"""A strip of small pictures of a shot in which each track has a colour of its own, the same in all frames."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_erosion
from torch import Tensor

from .line_regions import GAP_SHOWN, INK_SHOWN, chance_colors
from .regions import Regions

#: Most pixels of a strip, across and down, and of one picture's longer side; pixels between pictures.
WIDTH, HEIGHT, LARGEST, BETWEEN = 2048, 4096, 512, 4
#: Pictures beside each other, at least while there are so many.
ACROSS = 8
#: The border of what is new in a frame is so many pixels wide.
MARK = 2


def thumbnail_size(height: int, width: int, count: int) -> tuple[int, int, int]:
    """Return how large each of `count` pictures of a size is in the strip, in pixels, and how many lie side by side."""
    columns = min(ACROSS, count)
    while True:
        room = (WIDTH - BETWEEN * (columns - 1)) // columns
        shrink = min(1.0, room / width, LARGEST / max(height, width))
        small = max(1, int(height * shrink)), max(1, int(width * shrink))
        rows = -(-count // columns)
        if rows * (small[0] + BETWEEN) <= HEIGHT or columns >= min(count, WIDTH // (1 + BETWEEN)):
            return *small, columns
        columns += 1


def draw_tracks(regions: Regions, new: np.ndarray, tracks: int, size: tuple[int, int]) -> Tensor:
    """Draw the tracks of one frame.

    Args:
        regions: with tracks. new: [R] bool, regions whose track comes for the first time in a later frame than the
            first. tracks: how many there are in the shot. size: height and width of the picture.

    Returns:
        [1, h, w, 3] in [0, 1]; what is new has a magenta border.
    """
    filled, track = regions.filled[0], torch.from_numpy(regions.tables[0].track)
    shown = chance_colors(tracks + 1)[track + 1][filled.long()]
    shown[regions.lines[0]] = torch.tensor(INK_SHOWN)
    small = F.interpolate(shown.movedim(-1, 0)[None], size, mode="area").movedim(1, -1).clamp(0, 1)
    if new.any():
        mask = torch.from_numpy(new)[filled.long()].float()
        there = F.interpolate(mask[None, None], size, mode="area")[0, 0].numpy() > 0.5
        border = there & ~binary_erosion(there, iterations=MARK)
        small[0, torch.from_numpy(border)] = torch.tensor(GAP_SHOWN)
    return small


def strip_of(pictures: list[Tensor], columns: int) -> Tensor:
    """Lay pictures [1, h, w, 3] of one size side by side in rows, on white: [1, H, W, 3]."""
    height, width = pictures[0].shape[1:3]
    rows = -(-len(pictures) // columns)
    strip = torch.ones(1, rows * (height + BETWEEN) - BETWEEN, columns * (width + BETWEEN) - BETWEEN, 3)
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + BETWEEN), place % columns * (width + BETWEEN)
        strip[:, top : top + height, left : left + width] = picture
    return strip
