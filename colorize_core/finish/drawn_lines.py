"""A drawing's lines by themselves: as a layer over colours, and without soft edges for cels."""

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from .ink import ink_amount, trace_lines
from .regions import Regions

#: Least ink of a line that has no soft edge.
HARD_INK = 0.5
#: Chroma in [0, 1] above which ink is coloured, and the share of the ink that has to be, so that the lines are.
COLORED, COLORED_SHARE = 0.12, 0.02


def line_ink(drawing: Tensor, regions: Regions | None) -> np.ndarray:
    """Return how much ink lies on every pixel, the regions' trace lines left out, which bound colours and are no ink.

    Args:
        drawing: [1, H, W, 3] in [0, 1], dark lines on light paper. regions: one frame of the same size.

    Returns:
        [H, W] float32 in [0, 1], 1 = ink.
    """
    if regions is None or regions.trace is None:
        return ink_amount(drawing.amin(dim=-1))[0].cpu().numpy()
    ink = trace_lines(drawing)[0][0].cpu().numpy()
    # A soft edge of a trace line lies beside it.
    traced = binary_dilation(regions.trace[0].cpu().numpy(), iterations=1) & ~regions.ink[0].cpu().numpy()
    return np.where(traced, np.float32(0), ink)


def line_color(drawing: Tensor, ink: np.ndarray) -> np.ndarray:
    """Return the colour of the ink: black, or what it was drawn with where that is no grey.

    Args:
        drawing: [1, H, W, 3] in [0, 1]. ink: [H, W], from `line_ink`.

    Returns:
        [3] uint8, or [H, W, 3] uint8: what has to be laid on the drawing's paper as thickly as `ink` says.
    """
    rgb = drawing[0].cpu().numpy()
    inked = ink > HARD_INK
    chroma = np.ptp(rgb[inked], axis=-1)
    if not inked.any() or (chroma > COLORED).mean() < COLORED_SHARE:
        return np.zeros(3, dtype=np.uint8)
    blank = rgb[ink == 0]
    paper = np.median(blank, axis=0).clip(min=0.35) if len(blank) else np.ones(3, dtype=np.float32)
    white = (rgb / paper).clip(0, 1)
    # The thinner the ink, the less the pixel tells of its colour: from a few levels of 255 nothing is concluded.
    pure = 1 - (1 - white) / np.maximum(ink, 8 / 255)[..., None]
    return torch.from_numpy(pure).clamp(0, 1).mul(255).round().byte().numpy()
