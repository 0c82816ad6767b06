"""A drawing's lines by themselves: as a layer over colours, and without soft edges for cels."""

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from .ink import drawn_ink, trace_lines, whitened
from .regions import Regions

#: Least ink of a line that has no soft edge.
HARD_INK = 0.5
#: How far beyond the pixels of a trace line its soft edge reaches, in pixels.
SOFT_EDGE = 2
#: Chroma in [0, 1] above which ink is coloured, and the share of the ink that has to be, so that the lines are.
COLORED, COLORED_SHARE = 0.12, 0.02


def line_ink(drawing: Tensor, regions: Regions | None) -> np.ndarray:
    """Return how much ink lies on every pixel, the regions' trace lines left out, which bound colours and are no ink.

    Args:
        drawing: [1, H, W, 3] in [0, 1], dark lines on light paper. regions: one frame of the same size.

    Returns:
        [H, W] float32 in [0, 1], 1 = ink.
    """
    return without_trace(drawing, drawn_ink(drawing), regions)[0][0].cpu().numpy()


def without_trace(drawing: Tensor, ink: Tensor, regions: Regions | None) -> tuple[Tensor, Tensor]:
    """Take the regions' trace lines and their soft edges out of a drawing's ink.

    Args:
        drawing: [1, H, W, 3] in [0, 1]. ink: [1, H, W] in [0, 1], however it was measured.

    Returns:
        the ink that is left, and how much of a trace line each pixel is, both [1, H, W] in [0, 1].
    """
    if regions is None or regions.trace is None or not regions.trace.any():
        return ink, torch.zeros_like(ink)
    marked = regions.trace.to(ink.device)
    reached = binary_dilation(regions.trace[0].cpu().numpy(), iterations=SOFT_EDGE)
    near = torch.from_numpy(reached)[None].to(ink.device)
    own, traced = trace_lines(drawing)
    whole = own + traced
    traced = torch.where(marked, whole, torch.where(near, traced, 0))
    return ink * (1 - traced / whole.clamp(min=1e-6)), traced


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
    white = whitened(drawing)[0].cpu().numpy()
    # The thinner the ink, the less the pixel tells of its colour: from a few levels of 255 nothing is concluded.
    pure = 1 - (1 - white) / np.maximum(ink, 8 / 255)[..., None]
    return torch.from_numpy(pure).clamp(0, 1).mul(255).round().byte().numpy()
