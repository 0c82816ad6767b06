"""Where paper is closed in by lines that have gaps: basins of the distance to the nearest line.

The distance is a landscape. Wide areas are high, and where two lines come near each other there is a pass between two
heights. A pass no wider than a gap may be, much lower than the heights on both its sides, is a gap in a line, and what
lies on its sides are two regions. A pass as high as what lies behind it is an arm, a strand, the tip of a corner: it
belongs to what it opens into.

Source: after "trapped ball" filling (Zhang et al., "Vectorizing Cartoon Animations", TVCG 2009), whose balls of falling
radius are level sets of the same landscape; merging by the height of passes as in hierarchical watersheds (Najman,
Schmitt, PAMI 1996).
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt, label

from .regions import BESIDE

#: A pass is a gap where it is lower than this share of the lower height beside it.
GAP_SHARE = 0.7
#: Distances are whole pixels' and off by so much.
ROUNDING = 0.5
#: Lines of a picture that are worked on at once, where all of them would need too much memory.
ROWS = 1024


def nearest(wanted: np.ndarray) -> np.ndarray:
    """Return for every pixel the nearest one that is wanted: [H, W] bool, any true, to [2, H, W] int32."""
    return distance_transform_edt(~wanted, return_distances=False, return_indices=True)


def distances(border: np.ndarray) -> np.ndarray:
    """Return every pixel's distance to the nearest border pixel.

    Args:
        border: [H, W] bool.

    Returns:
        [H, W] float32 in pixels, 0 on the border; all the picture's diagonal where there is no border.
    """
    height, width = border.shape
    if not border.any():
        return np.full(border.shape, np.hypot(height, width), dtype=np.float32)
    found = nearest(border)
    far = np.empty(border.shape, dtype=np.float32)
    across = np.arange(width, dtype=np.int32)
    for top in range(0, height, ROWS):
        rows = np.arange(top, min(top + ROWS, height), dtype=np.int32)
        at = slice(top, top + len(rows))
        np.hypot(found[0, at] - rows[:, None], found[1, at] - across, out=far[at], dtype=np.float32)
    return far


def basins(distance: np.ndarray, widest: float, stop: Callable[[], None]) -> np.ndarray:
    """Label what lies on the two sides of each gap apart.

    Args:
        distance: [H, W] float32, of every pixel to the nearest line, 0 on lines.
        widest: width in pixels of the widest gap that is closed.
        stop: called now and then; raises when the user has cancelled.

    Returns:
        [H, W] int32, 0 on lines, else from 1, in the order in which the picture is read; each label is connected.
    """
    open_above = widest / 2
    ground, count = label(distance > open_above)
    stop()
    narrow = np.flatnonzero((distance > 0) & (distance <= open_above))
    if len(narrow) == 0:
        return ground
    ends = climb(distance, narrow)
    stop()
    flat = ground.ravel()  # the open areas first, then a basin for each other summit
    reached = flat[ends]
    summits, order = np.unique(ends[reached == 0], return_inverse=True)
    reached[reached == 0] = count + 1 + order
    flat[narrow] = reached
    heights = np.concatenate([np.full(count + 1, np.inf, dtype=np.float32), distance.ravel()[summits]])
    stop()
    first, second, passes = find_passes(ground, distance)
    joined = join(heights, first, second, passes)
    stop()
    return in_reading_order(joined[ground])


def climb(distance: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Go up from places to the highest neighbour, and on, as far as it goes.

    Args:
        distance: [H, W] float32. places: [n] flat indices of all pixels from which there is something to climb; what
            lies outside of them is an end.

    Returns:
        [n] flat indices of where each ends.
    """
    height, width = distance.shape
    flat = distance.ravel()
    best, to = flat[places], places.astype(np.int32)
    row, column = np.divmod(places, width)
    steps = ((-width, row > 0), (-1, column > 0), (1, column < width - 1), (width, row < height - 1))
    for step, inside in steps:
        beside = places[inside] + step
        higher = flat[beside] > best[inside]
        at = np.flatnonzero(inside)[higher]
        best[at], to[at] = flat[beside[higher]], beside[higher]
    onward = np.arange(flat.size, dtype=np.int32)
    onward[places] = to
    while True:
        further = onward[to]
        if np.array_equal(further, to):
            return to
        onward[places] = to = further


def find_passes(ground: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find which basins touch, and how high the pass between them is.

    Args:
        ground: [H, W] int32 basins, 0 on lines. distance: [H, W] float32.

    Returns:
        first [n] < second [n], and the highest point [n] at which they touch, the highest first.
    """
    count = int(ground.max()) + 1
    keys, heights = [], []
    for one, other in BESIDE:
        at = np.nonzero((ground[one] != ground[other]) & (ground[one] > 0) & (ground[other] > 0))
        a, b = ground[one][at].astype(np.int64), ground[other][at].astype(np.int64)
        keys.append(np.minimum(a, b) * count + np.maximum(a, b))
        heights.append(np.minimum(distance[one][at], distance[other][at]))
    key, height = np.concatenate(keys), np.concatenate(heights)
    order = np.lexsort((-height, key))
    key, height = key[order], height[order]
    first_of_pair = np.concatenate([np.ones(min(1, len(key)), dtype=bool), key[1:] != key[:-1]])
    key, height = key[first_of_pair], height[first_of_pair]
    order = np.argsort(-height, kind="stable")
    return key[order] // count, key[order] % count, height[order]


def join(heights: np.ndarray, first: np.ndarray, second: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """Join basins over passes that are no gaps, the highest pass first.

    Args:
        heights: [R] of each basin's summit; infinite for open areas. first, second, passes: of `find_passes`.

    Returns:
        [R] int32, the basin that each becomes a part of.
    """
    parts = Parts(len(heights))
    tops = heights.tolist()
    for a, b, height in zip(first.tolist(), second.tolist(), passes.tolist(), strict=True):
        a, b = parts.root(a), parts.root(b)
        if a != b and height >= GAP_SHARE * min(tops[a], tops[b]) - ROUNDING:
            tops[parts.join(a, b, tops[a] >= tops[b])] = max(tops[a], tops[b])
    return parts.roots()


class Parts:
    """Disjoint sets of the numbers 0 … count - 1 (Tarjan's union-find)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def root(self, number: int) -> int:
        """Return the number that stands for a set."""
        above = self._above
        while above[number] != number:
            above[number] = above[above[number]]
            number = above[number]
        return number

    def join(self, one: int, other: int, first_stands: bool = True) -> int:
        """Join two sets by their roots, and return the root that stands for both."""
        kept, gone = (one, other) if first_stands else (other, one)
        self._above[gone] = kept
        return kept

    def roots(self) -> np.ndarray:
        """Return [count] int32, the root of each number."""
        return np.array([self.root(number) for number in range(len(self._above))], dtype=np.int32)


def in_reading_order(labels: np.ndarray) -> np.ndarray:
    """Number labels [H, W] anew from 1 in the order in which they first come, 0 staying 0."""
    count = int(labels.max(initial=0)) + 1
    first = np.full(count, labels.size, dtype=np.int64)
    # Written backwards, so that the first place is what stays.
    flat = labels.ravel()
    first[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    first[0] = -1
    there = first < labels.size
    there[0] = True
    order = np.argsort(first[there], kind="stable")
    numbers = np.zeros(count, dtype=np.int32)
    numbers[np.flatnonzero(there)[order]] = np.arange(len(order))
    return numbers[labels]
