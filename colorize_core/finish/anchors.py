"""What a person has said of a frame's regions: flats that have been put right, and corrections made before."""

import numpy as np
from torch import Tensor

from .corrections import painted_swatches
from .palette import Palette, Swatch
from .regions import NO_SWATCH, Regions
from .track_votes import UNDECIDED
from .votes import Families

#: Share of a region that is white in flats that have been put right, from which it is paper.
BLANK = 0.9
#: The picture is flats, and not dots on a blank canvas, where so much of what is not around the character is painted.
PAINTED = 0.5
WHITE = Palette((Swatch("paper", (255, 255, 255)),))


def anchored(anchor: Tensor, regions: Regions, palette: Palette, around: np.ndarray) -> np.ndarray:
    """Read which swatch each region of a frame has in flats that a person has put right.

    A region is what most of its pixels in exact colours of the palette say, a colour and its shadow counted together;
    lines drawn over the flats say nothing. White is paper where the palette has no white and most regions are painted.

    Args:
        anchor: [1, h, w, 3] in [0, 1], of any size. regions: of the frame. around: [R] bool, lie around the character.

    Returns:
        [R] int64, `UNDECIDED` where the picture says nothing, `NO_SWATCH` for paper.
    """
    labels, count = regions.labels[0].numpy(), len(regions.tables[0])
    decided = np.full(count, UNDECIDED)
    if not len(palette):
        return decided
    painted, _ = painted_swatches(anchor, labels, palette)
    found = (painted >= 0) & (labels > 0)
    columns = len(palette) + 1  # the last one is paper's
    place = labels[found].astype(np.int64) * columns + painted[found]
    pixels = np.bincount(place, minlength=count * columns).reshape(count, columns)
    _, own = Families.in_palette(palette).chosen(pixels)
    said = pixels.any(axis=1)
    decided[said] = own[said]
    areas = np.bincount(labels.ravel(), minlength=count)
    inside = (areas > 0) & ~around
    inside[0] = False
    white_is_a_swatch = any(swatch.color == WHITE.swatches[0].color for swatch in palette.swatches)
    if pixels[inside].sum() < PAINTED * areas[inside].sum() or white_is_a_swatch:
        return decided
    white, _ = painted_swatches(anchor, labels, WHITE)
    blank = np.bincount(labels.ravel(), (white == 0).ravel(), minlength=count)
    decided[inside & ~said & (blank >= BLANK * areas)] = NO_SWATCH
    return decided


def kept_decisions(regions: Regions, palette: Palette) -> np.ndarray:
    """Return what has been corrected before in a frame: [R] int64, `UNDECIDED` for nothing; swatches go by name."""
    table = regions.tables[0]
    if regions.palette is None:
        return np.full(len(table), UNDECIDED)
    return np.where(table.decided, renamed(regions.palette, palette)[table.swatch], UNDECIDED)


def renamed(old: Palette, new: Palette) -> np.ndarray:
    """Return which swatch of another palette each one is: [S + 1] int64, `UNDECIDED` for none; the last is paper."""
    places = {swatch.name: index for index, swatch in enumerate(new.swatches)}
    return np.array([*(places.get(swatch.name, UNDECIDED) for swatch in old.swatches), NO_SWATCH])
