"""Colour differences drawn as a map with a legend."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..prepare.preview_sheet import (
    LEAST_CELL_WIDTH,
    MARGIN,
    SHEET_COLOR,
    LegendEntry,
    draw_legend_row,
    legend_height,
    wrap_legend,
)

#: ΔE2000 -> sRGB in levels of 255: from paper to dark violet, lightness falling all the way so that it reads in grey,
#: too. From 2 on a difference is seen side by side, from 10 on it is another colour.
RAMP = (
    (0.0, (250, 247, 238)),
    (2.0, (248, 222, 160)),
    (5.0, (240, 165, 92)),
    (10.0, (214, 84, 74)),
    (15.0, (146, 38, 106)),
    (20.0, (58, 18, 88)),
)
#: Where there is nothing to compare with.
UNKNOWN = (170, 176, 184)


def heat_colors(delta_e: np.ndarray) -> np.ndarray:
    """Return the colours [H, W, 3] in [0, 1] of differences [H, W]; NaN is unknown."""
    at, colors = zip(*RAMP, strict=True)
    table = np.array(colors, dtype=np.float32)
    known = np.isfinite(delta_e)
    picked = np.stack([np.interp(np.where(known, delta_e, 0), at, table[:, c]) for c in range(3)], axis=-1)
    return (np.where(known[..., None], picked, np.array(UNKNOWN)) / 255).astype(np.float32)


def draw_heat_map(delta_e: np.ndarray, ink: np.ndarray) -> Tensor:
    """Draw the map with lines over it and a legend below.

    Args:
        delta_e: [H, W], ΔE2000, NaN for unknown. ink: [H, W] in [0, 1].

    Returns:
        [1, H + margins and legend, W + margins, 3] in [0, 1].
    """
    height, width = delta_e.shape
    heat = heat_colors(delta_e) * (1 - ink[..., None])
    sheet_width = max(width, 2 * LEAST_CELL_WIDTH) + 2 * MARGIN
    # Pillow's own font has no Δ.
    entries = [(f"dE {at:g}" if at < RAMP[-1][0] else f"{at:g} and more", color) for at, color in RAMP]
    entries.append(("not compared", UNKNOWN))
    legend = [LegendEntry((r / 255, g / 255, b / 255), meaning) for meaning, (r, g, b) in entries]
    rows = wrap_legend(legend, sheet_width)
    sheet = Image.new("RGB", (sheet_width, height + 3 * MARGIN + len(rows) * legend_height()), SHEET_COLOR)
    sheet.paste(Image.fromarray((heat * 255).round().astype(np.uint8)), (MARGIN, MARGIN))
    draw = ImageDraw.Draw(sheet)
    for index, row in enumerate(rows):
        draw_legend_row(draw, row, height + 2 * MARGIN + index * legend_height())
    return torch.from_numpy(np.asarray(sheet).astype(np.float32) / 255)[None]
