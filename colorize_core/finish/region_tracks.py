"""Which regions of a shot's frames are the same one.

Frame after frame, regions take the place of the tracks that they are most like, all at once and not the best pair
first. A track is compared by what it was in the last few drawings, so that one bad frame, or a limb that hides it for a
moment, ends nothing. What a limb cuts off a region, or joins again, belongs to the region's track where the colours say
so, too.
"""

from dataclasses import dataclass, field

import numpy as np

from .region_shapes import FrameShapes
from .track_matching import Pairs, assign, compare

#: A track is remembered over so many drawings; held frames are one drawing.
REMEMBERED = 3
#: What it costs to have been away, for each drawing.
AWAY = 0.05
#: A region of which this share lies in another one has been cut off it, or has joined it …
PART_OF = 0.7
#: … where that has become smaller, or larger, by so much of it, and …
CHANGED = 0.4
#: … where at least this share of its votes is for the other one's colour.
LIKE_WHOLE = 0.25


@dataclass
class Seen:
    """One of the last drawings: its regions, and the strand [R] that each belongs to, -1 for region 0."""

    shapes: FrameShapes
    strand: np.ndarray


@dataclass
class Strands:
    """Regions followed from frame to frame, at most one in a frame; tracks are made of them.

    Attributes:
        count: how many there are.
        recent: the last drawings, the newest first.
        began_in, ended_in: {strand: the one in which its first, or last, region lies in the drawing before, or after}.
    """

    count: int = 0
    recent: list[Seen] = field(default_factory=list)
    began_in: dict[int, int] = field(default_factory=dict)
    ended_in: dict[int, int] = field(default_factory=dict)

    def held(self) -> np.ndarray:
        """Go on by a frame with the drawing of the last one; return its strands [R]."""
        return self.recent[0].strand

    def add(self, shapes: FrameShapes) -> np.ndarray:
        """Go on by a drawing; return the strand [R] of each region, -1 for region 0 and for what is nowhere."""
        pairs = [compare(seen.shapes, shapes) for seen in self.recent]
        strand = self._followed(pairs, len(shapes))
        new = np.flatnonzero((strand < 0) & (shapes.area > 0))
        new = new[new > 0]
        strand[new] = self.count + np.arange(len(new))
        self.count += len(new)
        for number in strand[strand >= 0].tolist():
            self.ended_in.pop(number, None)
        if pairs:
            self._note_parts(pairs[0], shapes, strand, new)
        self.recent = [Seen(shapes, strand), *self.recent][:REMEMBERED]
        return strand

    def _followed(self, pairs: list[Pairs], count: int) -> np.ndarray:
        """Return the strands of earlier drawings that regions go on with: [count], -1 for none."""
        strand = np.full(count, -1)
        if not pairs:
            return strand
        row = np.concatenate([seen.strand[p.earlier] for seen, p in zip(self.recent, pairs, strict=True)])
        column = np.concatenate([p.later for p in pairs])
        cost = np.concatenate([p.cost + AWAY * away for away, p in enumerate(pairs)])
        order = np.lexsort((cost, column, row))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(row[order]) != 0) | (np.diff(column[order]) != 0)
        kept = order[first]  # of a strand seen in several drawings the one that the region is most like
        chosen = kept[assign(row[kept], column[kept], cost[kept])]
        strand[column[chosen]] = row[chosen]
        return strand

    def _note_parts(self, pairs: Pairs, shapes: FrameShapes, strand: np.ndarray, new: np.ndarray) -> None:
        """Note which new regions were part of what has shrunk by them, and which lost ones are of what has grown."""
        before = self.recent[0]
        had, has = before.shapes.area * pairs.growth, shapes.area
        had_by, has_by = _by_strand(before.strand, had), _by_strand(strand, has)
        whole = _holders(pairs.later, pairs.earlier, pairs.within_earlier, len(shapes))
        for region in new[whole[new] >= 0].tolist():
            holder = int(before.strand[whole[region]])
            if had[whole[region]] - has_by.get(holder, 0.0) >= CHANGED * has[region]:
                self.began_in[int(strand[region])] = holder
        part = _holders(pairs.earlier, pairs.later, pairs.within_later, len(before.shapes))
        for region in np.flatnonzero((part > 0) & (before.strand >= 0) & ~np.isin(before.strand, strand)).tolist():
            holder = int(strand[part[region]])
            if has[part[region]] - had_by.get(holder, 0.0) >= CHANGED * had[region]:
                self.ended_in[int(before.strand[region])] = holder

    def joined(self, votes: np.ndarray, decided: np.ndarray, undecided: int) -> np.ndarray:
        """Put strands together that are parts of one thing.

        Args:
            votes: [n, F], n at least `count`, each strand's for each family of swatches, of any scale.
            decided: [n] what persons have said that each is, `undecided` for nothing: unlike ones stay apart.

        Returns:
            [n] int64, the track of each strand: the number of its first one.
        """
        track = np.arange(len(votes))
        shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-12)
        said = decided.copy()
        for part, whole in sorted({*self.began_in.items(), *self.ended_in.items()}):
            one, other = sorted((int(track[part]), int(track[whole])))
            apart = undecided not in (said[one], said[other]) and said[one] != said[other]
            if not apart and shares[part, shares[whole].argmax()] >= LIKE_WHOLE:
                track[track == other] = one
                said[one] = said[other] if said[one] == undecided else said[one]
        return track


def _by_strand(strand: np.ndarray, area: np.ndarray) -> dict[int, float]:
    """Return the area of each strand's region in a drawing."""
    there = strand >= 0
    return dict(zip(strand[there].tolist(), area[there].tolist(), strict=True))


def _holders(inner: np.ndarray, outer: np.ndarray, share: np.ndarray, count: int) -> np.ndarray:
    """Return in which region each lies with `PART_OF` of it: [count], -1 for none."""
    found = np.full(count, -1)
    good = share >= PART_OF  # over a half, so that there is but one
    found[inner[good]] = outer[good]
    return found
