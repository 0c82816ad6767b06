"""Which swatch a region has: its pixels vote.

A pixel's vote goes to swatches by how near its colour is, not to the nearest one alone: where a colourizer was a little
off, all of a region's pixels are off by the same, and the second nearest swatch is the right one as often. A swatch and
its shadow stand for one colour in another light, and their votes are counted together.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .color import to_lab
from .palette import Palette

#: Standard deviation, as ΔE of 1976, of what a colourizer is off by.
OFF = 12.0
#: What a pixel votes for no swatch at all, so that one which is near to none counts little.
NONE_NEAR = 1e-3
#: Pixels at least so far from the line, at 1024 pixels on the shorter side, count fully; nearer ones are mixed with it.
CLEAR = 8.0
#: Lines of a picture whose colours are worked out at once.
ROWS = 256
#: Levels of L, a and b at which medians are looked for.
LEVELS = 512
#: Least and most of L, a and b.
RANGE = ((0.0, 100.0), (-110.0, 110.0), (-110.0, 110.0))


@dataclass(frozen=True)
class Votes:
    """Votes of the regions of one frame.

    Attributes:
        counts: [R, S] float64, of each region for each swatch, weighted; a row adds up to at most 1.
        nearest: [R, S] float64, share of each region's pixels, weighted, to which a swatch is the nearest.
        median: [R, 3] float32, each region's weighted median colour, CIELAB.
    """

    counts: np.ndarray
    nearest: np.ndarray
    median: np.ndarray


def vote_weights(distance: np.ndarray) -> np.ndarray:
    """Return what each pixel's vote counts: little beside a line, nothing on it.

    Args:
        distance: [H, W] float32 in pixels, to the nearest line.

    Returns:
        [H, W] float32 in [0, 1]; never quite 0, so that a region of nothing but line has a colour, too.
    """
    clear = max(1.0, CLEAR * min(distance.shape) / 1024)
    return np.maximum(np.minimum(distance / clear, 1), 1e-4).astype(np.float32)


def count_votes(lab: Tensor, filled: np.ndarray, weights: np.ndarray, candidates: Tensor, count: int) -> Votes:
    """Let the pixels of one frame vote.

    Args:
        lab: [H, W, 3] float32. filled: [H, W] int32, each pixel's region. weights: [H, W] float32.
        candidates: [S, 3], CIELAB; S may be 0. count: R, of regions, 0 included.
    """
    swatches = len(candidates)
    counts, nearest = np.zeros((count, swatches)), np.zeros(count * swatches)
    hits = [np.zeros((count, LEVELS)) for _ in RANGE]
    for top in range(0, len(lab), ROWS):
        at = slice(top, top + ROWS)
        region, weight = filled[at].ravel().astype(np.int64), weights[at].ravel()
        colors = lab[at].reshape(-1, 3)
        if swatches:
            near = nearness(colors, candidates)
            for swatch, vote in enumerate(near.T.contiguous().numpy()):
                counts[:, swatch] += np.bincount(region, weight * vote, minlength=count)
            place = region * swatches + near.argmax(dim=1).numpy()
            nearest += np.bincount(place, weight, minlength=count * swatches)
        for hit, channel, (least, most) in zip(hits, colors.T, RANGE, strict=True):
            level = ((channel - least) * (LEVELS / (most - least))).clamp(0, LEVELS - 1).numpy()
            place = region * LEVELS + level.astype(np.int64)
            hit += np.bincount(place, weight, minlength=count * LEVELS).reshape(count, LEVELS)
    total = np.maximum(np.bincount(filled.ravel(), weights.ravel(), minlength=count), 1e-12)[:, None]
    median = np.stack([_median(hit, *limits) for hit, limits in zip(hits, RANGE, strict=True)], axis=1)
    return Votes(counts / total, nearest.reshape(count, swatches) / total, median.astype(np.float32))


def nearness(colors: Tensor, candidates: Tensor) -> Tensor:
    """Return how a pixel's vote is shared out: [n, 3] and [S, 3], CIELAB, to [n, S] in [0, 1]; a row is at most 1."""
    near = torch.exp(-(torch.cdist(colors, candidates) ** 2) / (2 * OFF**2))
    return near / (near.sum(dim=1, keepdim=True) + NONE_NEAR)


def _median(hits: np.ndarray, least: float, most: float) -> np.ndarray:
    """Return the median [R] of histograms [R, levels], between the limits of the level that it falls into."""
    below = np.cumsum(hits, axis=1)
    half = below[:, -1:] / 2
    level = (below < half).sum(axis=1).clip(0, hits.shape[1] - 1)
    rows = np.arange(len(hits))
    inside = hits[rows, level]
    share = np.where(inside > 0, (half[:, 0] - (below[rows, level] - inside)) / np.maximum(inside, 1e-12), 0.5)
    return least + (level + share) * (most - least) / hits.shape[1]


@dataclass(frozen=True)
class Families:
    """Swatches and their shadows and highlights, which are one colour in other lights.

    Attributes:
        of: [S] int64, which family each swatch is of.
    """

    of: np.ndarray

    @classmethod
    def in_palette(cls, palette: Palette) -> "Families":
        """Find them by the names of their bases; a shadow whose base is not there is its own."""
        names = {swatch.name: index for index, swatch in enumerate(palette.swatches)}
        return cls(np.array([names.get(s.base, i) for i, s in enumerate(palette.swatches)], dtype=np.int64))

    def pooled(self, counts: np.ndarray) -> np.ndarray:
        """Add up the votes [R, S] of each family where its base stands, 0 elsewhere."""
        pooled = np.zeros_like(counts)
        for swatch, family in enumerate(self.of):
            pooled[:, family] += counts[:, swatch]
        return pooled

    def members(self, family: int) -> np.ndarray:
        """Return the swatches of a family."""
        return np.flatnonzero(self.of == family)


def lab_of(rgb: Tensor) -> Tensor:
    """Convert a picture [H, W, 3] to CIELAB, some lines at once."""
    return torch.cat([to_lab(rgb[top : top + ROWS]) for top in range(0, len(rgb), ROWS)])
