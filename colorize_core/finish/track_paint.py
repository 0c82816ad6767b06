"""The paint of a frame whose regions have got other swatches: base, shadow and highlight stay where they were."""

import numpy as np

from .anchors import renamed
from .palette import Palette
from .regions import NO_SWATCH, Regions
from .track_votes import UNDECIDED
from .votes import Families


def has_tones(regions: Regions) -> bool:
    """Tell whether some region of a frame is painted in a colour and its shadow or highlight."""
    if regions.palette is None or regions.paint is None:
        return False
    paint, filled, table = regions.paint[0].numpy(), regions.filled[0].numpy(), regions.tables[0]
    of = Families.in_palette(regions.palette).of
    own = table.swatch[filled]
    return bool(((paint != own) & (of[paint] == of[own]) & (filled > 0)).any())


def repainted(regions: Regions, palette: Palette, swatch: np.ndarray, toned: bool) -> np.ndarray:
    """Paint a frame.

    Args:
        regions: of one frame, painted before or not. swatch: [R] int64, the regions' new ones, of `palette`.
        toned: whether the shot is painted in two tones. What a region has of its former colour's tones becomes the
            same tone of the new one; what else lies in it, painted pixel by pixel, stays.

    Returns:
        [H, W] int16.
    """
    filled = regions.filled[0].numpy()
    plain = swatch.astype(np.int16)[filled]
    if regions.palette is None or regions.paint is None:
        return plain
    former, paint = regions.palette, regions.paint[0].numpy()
    own = regions.tables[0].swatch[filled]
    if (paint == own).all() and not toned:
        return plain
    of, tones = Families.in_palette(former).of, _tones(palette)
    tone = np.array([TONES.get(s.role, 0) for s in former.swatches] + [0])
    kept = renamed(former, palette)[paint]
    inside = of[paint] == of[own]
    same = tones[swatch[filled], tone[paint]] if toned else plain
    return np.where(inside, same, np.where(kept == UNDECIDED, plain, kept)).astype(np.int16)


TONES = {"base": 0, "shadow": 1, "highlight": 2}


def _tones(palette: Palette) -> np.ndarray:
    """Return for each swatch its family's base, shadow and highlight, itself where there is none: [S + 1, 3]."""
    of = Families.in_palette(palette).of
    found = np.repeat(np.array([*range(len(palette)), NO_SWATCH])[:, None], len(TONES), axis=1)
    for index, swatch in enumerate(palette.swatches):
        members = np.flatnonzero(of == of[index])
        found[index, 0] = of[index]
        found[index, 1:] = of[index]
        for member in members[::-1].tolist():
            found[index, TONES.get(palette.swatches[member].role, 0)] = member
        if swatch.role == "line":
            found[index] = index
    return found
