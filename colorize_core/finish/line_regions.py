"""Closed regions of a line drawing, at its full size, gaps in its lines closed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..prepare.masks import fit_mask
from .basins import Parts, basins, distances, find_passes, in_reading_order, nearest
from .ink import drawn_ink, trace_lines
from .regions import BESIDE, Regions, table_of

TRACE_LINES = ("none", "red_green_blue")
#: Gaps are closed up to this share of the shorter side where no width is given.
GAP = 0.012
#: A gap is measured between the pixels of two line ends, and by eye: what is a little wider is closed, too, but nothing
#: of more than twice the width.
SPARE, SPARE_PIXELS, MOST = 1.25, 1.5, 2.0
#: The middle of a thin line has this share of the threshold's ink, this share of the most beside it, and so much more,
#: in parts of the threshold, than what lies within so many pixels has on the average.
THIN_INK, THIN_SUMMIT, THIN_ABOVE, THIN_AROUND = 0.85, 0.8, 0.4, 7
#: Regions of fewer pixels are crumbs, at `SMALLEST_AT` squared.
SMALLEST, SMALLEST_AT = 16, 1024
#: A region of which less than this share lies on one side of `within` belongs to the other; else it is cut.
STRADDLING = 0.1
#: Colours of the preview. Regions get hues that go round by the golden angle, so that neighbours differ.
GOLDEN = 0.61803399
#: Closed gaps are marked this wide on both sides, as a share of the shorter side, for previews are shown small.
GAP_MARK = 1 / 300
INK_SHOWN, TRACE_SHOWN, GAP_SHOWN, NOWHERE_SHOWN = (0.1, 0.1, 0.13), (0.45, 0.45, 0.5), (1.0, 0.0, 1.0), (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class RegionChoice:
    """How regions are looked for.

    Attributes:
        close_gap: in pixels; 0 for `GAP` of the shorter side.
        ink_threshold: in [0, 1], how much ink makes a line.
        smallest: in pixels; 0 for `SMALLEST` at `SMALLEST_AT` squared, by area.
        trace_lines: of `TRACE_LINES`.
    """

    close_gap: int = 0
    ink_threshold: float = 0.5
    smallest: int = 0
    trace_lines: str = "none"


def find_regions(
    drawing: Tensor, choice: RegionChoice, within: Tensor | None = None, stop: Callable[[], None] = lambda: None
) -> Regions:
    """Find the regions of one drawing.

    Needs about 45 bytes a pixel beside the drawing: 3.6 GB for a scan of 8000×10000.

    Args:
        drawing: [1, H, W, 3] in [0, 1], dark lines on light paper.
        within: [1, H', W'] in [0, 1]; regions are looked for where it is over 0.5.
        stop: called now and then; raises when the user has cancelled.
    """
    if choice.trace_lines == "none":
        ink, trace = drawn_ink(drawing)[0], None
        border = black = lines_in(ink, choice.ink_threshold)
    else:
        ink, colored = (amount[0] for amount in trace_lines(drawing))
        border = lines_in(ink + colored, choice.ink_threshold)
        trace = border & (colored > ink)
        black = border & ~trace
    stop()
    lines = border.numpy()
    height, width = lines.shape
    gap = choice.close_gap or max(1, round(GAP * min(height, width)))
    distance = distances(lines)
    labels = basins(distance, min(gap * SPARE + SPARE_PIXELS, gap * MOST), stop)
    smallest = choice.smallest or max(1, round(SMALLEST * height * width / SMALLEST_AT**2))
    labels = without_crumbs(labels, distance, smallest)
    stop()
    if not labels.any():  # nothing but ink
        labels = np.ones_like(labels)
    filled = labels[tuple(nearest(labels > 0))] if (labels == 0).any() else labels
    if within is not None:
        filled = in_reading_order(cut_to(filled, fit_mask(within, height, width)[0].numpy() > 0.5))
    return Regions(
        filled=torch.from_numpy(filled)[None],
        ink=black[None],
        tables=(table_of(filled),),
        trace=None if trace is None else trace[None],
    )


def lines_in(amount: Tensor, threshold: float) -> Tensor:
    """Tell lines from paper: where there is enough ink, and along the middle of lines too thin to have so much.

    A line of one pixel that lies between two rows gives half of its ink to each, and may be under the threshold in
    both. Its middle is darker than what lies around it; a tone or a wash is not.

    Args:
        amount: [H, W] in [0, 1], 1 = ink.

    Returns:
        [H, W] bool.
    """
    full = amount >= threshold
    around = amount[None]
    summit = amount >= THIN_SUMMIT * F.max_pool2d(around, 3, 1, 1)[0]
    mean = F.avg_pool2d(around, THIN_AROUND, 1, THIN_AROUND // 2, count_include_pad=False)[0]
    return full | (summit & (amount >= THIN_INK * threshold) & (amount - mean >= THIN_ABOVE * threshold))


def without_crumbs(labels: np.ndarray, distance: np.ndarray, smallest: int) -> np.ndarray:
    """Join regions of fewer than `smallest` pixels to what they open into; those that do not become line.

    Args:
        labels: [H, W] int32, 0 on lines. distance: [H, W] float32, to the nearest line.
    """
    areas = np.bincount(labels.ravel())
    if not (areas[1:] < smallest).any():
        return labels
    parts, sizes = Parts(len(areas)), areas.tolist()
    for a, b in zip(*(numbers.tolist() for numbers in find_passes(labels, distance)[:2]), strict=True):
        a, b = parts.root(a), parts.root(b)
        if a != b and min(sizes[a], sizes[b]) < smallest:
            sizes[parts.join(a, b, sizes[a] >= sizes[b])] = sizes[a] + sizes[b]
    roots = parts.roots()
    kept = np.array(sizes)[roots] >= smallest
    return in_reading_order(np.where(kept, roots, 0).astype(np.int32)[labels])


def cut_to(filled: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Keep the regions inside of a mask; only those that lie on both its sides are cut along it.

    Args:
        filled: [H, W] int32, from 1. inside: [H, W] bool.

    Returns:
        [H, W] int32, 0 where there is no region.
    """
    areas = np.bincount(filled.ravel())
    share = np.bincount(filled.ravel(), weights=inside.ravel()) / np.maximum(areas, 1)
    share = share[filled]
    return np.where((share > 1 - STRADDLING) | (inside & (share >= STRADDLING)), filled, 0)


def draw_regions(regions: Regions) -> Tensor:
    """Draw the regions of one frame in chance colours, with the gaps that were closed marked.

    Returns:
        [1, H, W, 3] in [0, 1].
    """
    filled, ink = regions.filled[0], regions.ink[0]
    colors = chance_colors(len(regions.tables[0]))
    shown = colors[filled.long()]
    shown[ink] = torch.tensor(INK_SHOWN)
    if regions.trace is not None:
        shown[regions.trace[0]] = torch.tensor(TRACE_SHOWN)
    shown[closed_gaps(filled, regions.lines[0])] = torch.tensor(GAP_SHOWN)
    return shown[None]


def closed_gaps(filled: Tensor, lines: Tensor) -> Tensor:
    """Return where two regions meet without a line between them.

    Args:
        filled: [H, W] int32. lines: [H, W] bool.

    Returns:
        [H, W] bool, as wide as can be seen.
    """
    cut = torch.zeros_like(lines)
    for one, other in BESIDE:
        both = (filled[one] > 0) & (filled[other] > 0)
        cut[one] |= (filled[one] != filled[other]) & both & ~lines[one] & ~lines[other]
    wide = 2 * max(1, round(min(cut.shape) * GAP_MARK)) + 1
    return F.max_pool2d(cut[None].float(), wide, 1, wide // 2)[0] > 0


def chance_colors(count: int) -> Tensor:
    """Return a light colour for each label [count, 3] in [0, 1], always the same; label 0 is none."""
    number = torch.arange(count, dtype=torch.float64)
    hue = (number * GOLDEN) % 1
    light, strong = 0.95 - 0.2 * (number * 0.7549 % 1), 0.25 + 0.35 * (number * 0.5698 % 1)
    turns = (hue[:, None] + torch.tensor([0.0, 1 / 3, 2 / 3], dtype=torch.float64)) % 1
    ramp = ((turns - 0.5).abs() * 6 - 1).clamp(0, 1)
    colors = (light[:, None] * (1 - strong[:, None] * (1 - ramp))).float()
    if count:
        colors[0] = torch.tensor(NOWHERE_SHOWN)
    return colors
