"""A palette for a picture that has none: the regions' own colours, those that are nearly one put together."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..prepare.pictures import resize_picture
from .color import to_lab, to_rgb
from .color_names import numbered_names
from .flats import LIKE_PAPER, PAPER, surrounding
from .near_colors import near_colors
from .palette import Palette, Swatch
from .regions import Regions
from .tones import lit_and_shaded
from .votes import call_voters, lab_of, medians


@dataclass(frozen=True)
class Medians:
    """The colours of the regions of one frame.

    Attributes:
        lab: [n, 3] CIELAB, of the lit part where two tones are looked for. area: [n] pixels.
        shadow: [n, 3], NaN where a region has one tone.
    """

    lab: np.ndarray
    area: np.ndarray
    shadow: np.ndarray


def region_medians(picture: Tensor, regions: Regions, shading: str) -> Medians:
    """Find the median colour of every region of one frame, paper left out.

    Args:
        picture: [1, h, w, 3] in [0, 1], of any size. shading: of `flats.SHADING`.
    """
    filled, table = regions.filled[0].numpy(), regions.tables[0]
    rgb = resize_picture(picture, *regions.size)[0]
    lines = regions.lines[0].numpy()
    median = medians(call_voters(rgb, filled, lines, table.area))
    white = to_lab(torch.tensor(PAPER) / 255).numpy()
    paper = surrounding(regions) & (np.linalg.norm(median - white, axis=1) < LIKE_PAPER)
    kept = (table.area > 0) & ~paper
    kept[0] = False
    shadow = np.full_like(median, np.nan)
    if shading == "two_tones":
        median, shadow = lit_and_shaded(lab_of(rgb), filled, lines, median)
    return Medians(median[kept], table.area[kept], shadow[kept])


def own_palette(frames: list[Medians]) -> Palette:
    """Put the medians of all frames together, the largest areas first.

    Returns:
        Swatches by area, each with its shadow after it where most of its area has one; one of grey where there is no
        region at all.
    """
    lab, area, shadow = (
        np.concatenate([getattr(frame, name) for frame in frames]) for name in ("lab", "area", "shadow")
    )
    merged = near_colors(lab, area)
    swatches: list[Swatch] = []
    colors = [as_bytes(np.average(lab[members], axis=0, weights=area[members])) for members in merged]
    for members, color, name in zip(merged, colors, numbered_names(torch.tensor(colors).reshape(-1, 3)), strict=True):
        swatches.append(Swatch(name, color))
        has = ~np.isnan(shadow[members, 0])
        if area[members][has].sum() * 2 > area[members].sum():
            toned = np.array(members)[has]
            dark = as_bytes(np.average(shadow[toned], axis=0, weights=area[toned]))
            swatches.append(Swatch(f"{name} shadow", dark, "shadow", name))
    return Palette(tuple(swatches)) if swatches else Palette((Swatch("grey 1", (128, 128, 128)),))


def as_bytes(lab: np.ndarray) -> tuple[int, int, int]:
    """Return a colour [3] in CIELAB as sRGB, 0 … 255."""
    red, green, blue = (to_rgb(torch.from_numpy(lab).float()) * 255).round().int().tolist()
    return red, green, blue
