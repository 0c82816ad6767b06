"""Closed regions of a line drawing: what a paint bucket would fill."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.ndimage import find_objects
from torch import Tensor

from .palette import Palette

#: In `Regions.paint` and `RegionTable.swatch`: no swatch of the palette, as paper.
NO_SWATCH = -1
#: What picks of a map [H, W] the pixels that have a neighbour to the right, and those; then the same downwards.
BESIDE = ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:]))


@dataclass(frozen=True)
class RegionTable:
    """What is known of the regions of one frame; row r belongs to label r, row 0 to what is in no region.

    Attributes:
        area: [R] int64, pixels, those under the ink included.
        box: [R, 4] int64, left, top, right, bottom in pixels; right and bottom are the first ones outside.
        swatch: [R] int64, index into the palette, `NO_SWATCH` for none or for not yet.
        color: [R, 3] uint8, sRGB: the swatch's, or the region's own where it has none.
        agreement: [R] float32 in [0, 1], share of the region's weighted pixels that voted for its swatch; 1 before.
        track: [R] int64, which regions of a shot are the same one; -1 for not yet.
        decided: [R] bool, whether a person has said which swatch it is.
    """

    area: np.ndarray
    box: np.ndarray
    swatch: np.ndarray
    color: np.ndarray
    agreement: np.ndarray
    track: np.ndarray
    decided: np.ndarray

    def __len__(self) -> int:
        return len(self.area)


@dataclass(frozen=True)
class Regions:
    """Regions of the frames of a shot, all of one size; labels of one frame have nothing to do with another's.

    Attributes:
        filled: [B, H, W] int32, the region of every pixel, those under the ink included, to the middle of the line; 0
            where there is none (outside of the mask that regions were looked for in).
        ink: [B, H, W] bool, the drawing's lines, trace lines left out.
        trace: [B, H, W] bool, coloured lines that bound a region and are no ink; None for none.
        tables: one a frame.
        palette: whose swatches the tables and `paint` name; None before the flats.
        paint: [B, H, W] int16, index of the swatch of every pixel, `NO_SWATCH` for none; within a region it may differ
            (two tones, a region split by hand). None before the flats.
    """

    filled: Tensor
    ink: Tensor
    tables: tuple[RegionTable, ...]
    trace: Tensor | None = None
    palette: Palette | None = None
    paint: Tensor | None = None

    def __len__(self) -> int:
        return len(self.filled)

    @cached_property
    def labels(self) -> Tensor:
        """[B, H, W] int32, 0 = ink."""
        return self.filled.masked_fill(self.ink, 0)

    @property
    def lines(self) -> Tensor:
        """[B, H, W] bool, ink and trace lines."""
        return self.ink if self.trace is None else self.ink | self.trace

    @property
    def tracked(self) -> bool:
        """Whether the regions have tracks, each with one swatch."""
        return self.paint is not None and any((table.track >= 0).any() for table in self.tables)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.filled.shape[1], self.filled.shape[2]

    def frame(self, index: int) -> "Regions":
        """Return one frame alone."""
        at = slice(index, index + 1)
        return replace(
            self,
            filled=self.filled[at],
            ink=self.ink[at],
            tables=self.tables[at],
            trace=None if self.trace is None else self.trace[at],
            paint=None if self.paint is None else self.paint[at],
        )


def table_of(filled: np.ndarray, rows: int = 1) -> RegionTable:
    """Measure the regions of one frame.

    Args:
        filled: [H, W] int32, labels from 0 to the highest. rows: how many the table has at least.
    """
    count = max(rows, int(filled.max(initial=0)) + 1)
    area = np.bincount(filled.ravel(), minlength=count)
    found = [(slice(0, 0), slice(0, 0)), *find_objects(filled, count - 1)]
    places = [place or (slice(0, 0), slice(0, 0)) for place in found]
    box = np.array([(x.start, y.start, x.stop, y.stop) for y, x in places], dtype=np.int64)
    return RegionTable(
        area=area,
        box=box,
        swatch=np.full(count, NO_SWATCH),
        color=np.zeros((count, 3), dtype=np.uint8),
        agreement=np.ones(count, dtype=np.float32),
        track=np.full(count, -1),
        decided=np.zeros(count, dtype=bool),
    )


def color_sums(labels: np.ndarray, colors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Add up the colours of each region's pixels.

    Args:
        labels: [n] of the pixels, from 0 to below `count`. colors: [n, 3], of any scale.

    Returns:
        sums [count, 3] float64; numbers of pixels [count].
    """
    sums = [np.bincount(labels, weights=colors[:, channel], minlength=count) for channel in range(3)]
    return np.stack(sums, axis=1), np.bincount(labels, minlength=count)
