"""Which region of one drawing is which of another: what speaks for a pair, and the pairs that together cost least."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .region_shapes import FrameShapes
from .track_alignment import Motion, best_shift, fitted

#: What each unlikeness counts; they add up to 1.
OVERLAP, PLACE, SIZE, SHAPE, COLOR, BESIDE = 0.3, 0.15, 0.15, 0.1, 0.18, 0.12
#: Pairs that cost more than this are none.
LIMIT = 0.6
#: Regions whose middles lie farther apart are not compared unless they overlap, in parts of the longer side …
REACH = 0.12
#: … nor are more than so many of the nearest, nor any that are larger by more than this factor.
NEAREST, LARGER = 6, 6.0
#: Up to so many pairs of labels are counted in a table, and not sorted.
FEW = 1 << 20


@dataclass(frozen=True)
class Pairs:
    """Pairs of regions of an earlier and a later drawing that may be the same.

    Attributes:
        earlier, later: [n] int64, regions, none of them 0. cost: [n] in [0, 1], how unlike they are.
        within_earlier: [n], share of the later region that lies in the earlier one. within_later: the other way round.
        growth: area of the later drawing's things as a multiple of what they had.
    """

    earlier: np.ndarray
    later: np.ndarray
    cost: np.ndarray
    within_earlier: np.ndarray
    within_later: np.ndarray
    growth: float


def compare(earlier: FrameShapes, later: FrameShapes) -> Pairs:
    """Compare the regions of two drawings, the character's motion between them taken away.

    The lines say how it has moved, or it stands still; what is then found to be the same says how it has grown. The
    motion with which most is alike is taken.
    """
    still, shifted = Motion(1.0, (0.0, 0.0)), best_shift(earlier.lines, later.lines)
    found = [_matched(earlier, later, motion, None) for motion in dict.fromkeys((still, shifted))]
    best = max(found, key=lambda match: match.likeness)
    one, other = best.pairs.earlier[best.same], best.pairs.later[best.same]
    weight = np.minimum(earlier.area[one], later.area[other]) ** 0.5 * (LIMIT - best.pairs.cost[best.same])
    motion = fitted(earlier.middle[one], later.middle[other], weight, best.motion)
    neighbors = csr_matrix((np.ones(len(one)), (one, other)), (len(earlier), len(later)))
    found = [_matched(earlier, later, each, neighbors) for each in dict.fromkeys((best.motion, motion))]
    return max(found, key=lambda match: match.likeness).pairs


@dataclass(frozen=True)
class _Match:
    """A motion with the pairs that come of it: all, which of them are the same, and how alike those are together."""

    motion: Motion
    pairs: Pairs
    same: np.ndarray
    likeness: float


def _matched(earlier: FrameShapes, later: FrameShapes, motion: Motion, neighbors: csr_matrix | None) -> _Match:
    """Match regions after a motion; see `_pairs`."""
    pairs = _pairs(earlier, later, motion, neighbors)
    same = assign(pairs.earlier, pairs.later, pairs.cost)
    size = np.minimum(earlier.area[pairs.earlier[same]], later.area[pairs.later[same]]) ** 0.5
    return _Match(motion, pairs, same, float(size @ (LIMIT - pairs.cost[same])))


def assign(rows: np.ndarray, columns: np.ndarray, cost: np.ndarray, limit: float = LIMIT) -> np.ndarray:
    """Choose pairs so that nothing is in two of them and all together cost least, one left alone costing `limit`.

    Args:
        rows, columns: [n] of each pair, each pair once. cost: [n].

    Returns:
        [k] which pairs, in their order.

    Source: linear assignment (Crouse, "On implementing 2D rectangular assignment algorithms", 2016), for each set of
    pairs that have anything to do with one another alone.
    """
    good = np.flatnonzero(cost < limit)
    if not len(good):
        return good
    rows_there, row = np.unique(rows[good], return_inverse=True)
    columns_there, column = np.unique(columns[good], return_inverse=True)
    count = len(rows_there) + len(columns_there)
    graph = coo_matrix((np.ones(len(good)), (row, column + len(rows_there))), (count, count))
    group = connected_components(graph, directed=False)[1][row]
    order = np.argsort(group, kind="stable")
    chosen = []
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(members) == 1:
            chosen.append(members)
            continue
        own_rows, at_row = np.unique(row[members], return_inverse=True)
        own_columns, at_column = np.unique(column[members], return_inverse=True)
        table = np.full((len(own_rows), len(own_columns)), limit)
        table[at_row, at_column] = cost[good[members]]
        which = np.full(table.shape, -1)
        which[at_row, at_column] = members
        found = which[linear_sum_assignment(table)]
        chosen.append(found[found >= 0])
    return np.sort(good[np.concatenate(chosen)])


def _pairs(earlier: FrameShapes, later: FrameShapes, motion: Motion, same: csr_matrix | None) -> Pairs:
    """Measure how unlike pairs are.

    Args:
        same: [R, R'] 1 where two regions are known to be the same, for comparing neighbours; None for not yet.
    """
    warped = motion.warped(earlier.map, later.map.shape)
    one, other, both = _overlaps(warped, later.map, len(later))
    one, other, both = _with_near(earlier, later, motion, one, other, both)
    area, own = earlier.area * motion.scale**2, later.area
    visible = np.bincount(warped.ravel(), minlength=len(earlier))
    there = np.bincount(later.map.ravel(), minlength=len(later))
    overlap = both / np.maximum(visible[one] + there[other] - both, 1)
    place, reach = motion.moved(earlier.middle), REACH * max(later.map.shape)
    sizes = np.sqrt(np.minimum(area[one], own[other]))
    apart = np.linalg.norm(place[one] - later.middle[other], axis=1) / (reach / 2 + sizes / 2)
    ratio = np.minimum(area[one], own[other]) / np.maximum(np.maximum(area[one], own[other]), 1e-9)
    spread = (
        np.log(np.maximum(earlier.spread * motion.scale, 1e-3))[one] - np.log(np.maximum(later.spread, 1e-3))[other]
    )
    shape = np.exp(-np.abs(spread).sum(axis=1))
    colors = np.sqrt(earlier.colors[one] * later.colors[other]).sum(axis=1)
    cost = OVERLAP * (1 - overlap) + PLACE * np.minimum(apart, 1) + SIZE * (1 - ratio)
    cost += SHAPE * (1 - shape) + COLOR * (1 - np.minimum(colors, 1))
    if same is not None:
        shared = (earlier.beside @ same)[one].minimum(later.beside[other])
        cost += BESIDE * (1 - np.minimum(np.asarray(shared.sum(axis=1)).ravel(), 1))
    else:
        cost /= 1 - BESIDE
    within = both / np.maximum(there[other], 1), both / np.maximum(visible[one], 1)
    return Pairs(one, other, cost, *within, growth=motion.scale**2)


def _overlaps(warped: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which regions lie over each other, and by how many pixels."""
    place = warped.ravel().astype(np.int64) * count + labels.ravel()
    if (int(warped.max()) + 1) * count <= FEW:
        counts = np.bincount(place)
        over = np.flatnonzero(counts)
        pixels = counts[over]
    else:
        over, pixels = np.unique(place, return_counts=True)
    one, other = np.divmod(over, count)
    kept = (one > 0) & (other > 0)
    return one[kept], other[kept], pixels[kept]


def _with_near(
    earlier: FrameShapes, later: FrameShapes, motion: Motion, one: np.ndarray, other: np.ndarray, both: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add pairs that do not overlap and lie near each other."""
    rows, columns = (np.flatnonzero(frame.area > 0) for frame in (earlier, later))
    rows, columns = rows[rows > 0], columns[columns > 0]
    if not len(rows) or not len(columns):
        return one, other, both
    near = min(NEAREST, len(columns))
    reach = REACH * max(later.map.shape)
    apart, found = cKDTree(later.middle[columns]).query(motion.moved(earlier.middle[rows]), k=np.arange(1, near + 1))
    inside = apart <= reach
    first = np.broadcast_to(rows[:, None], found.shape)[inside]
    second = columns[found[inside]]
    ratio = earlier.area[first] * motion.scale**2 / later.area[second]
    alike = (ratio < LARGER) & (ratio > 1 / LARGER)
    pairs = np.concatenate([one * len(later) + other, first[alike] * len(later) + second[alike]])
    unique, place = np.unique(pairs, return_index=True)
    pixels = np.concatenate([both, np.zeros(int(alike.sum()), dtype=both.dtype)])[place]
    return unique // len(later), unique % len(later), pixels
