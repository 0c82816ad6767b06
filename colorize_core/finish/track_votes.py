"""One swatch for each track: the votes of all its frames, and what a person has decided."""

from dataclasses import dataclass

import numpy as np

from .regions import NO_SWATCH
from .votes import Families, Votes

#: A region whose votes are split has at least this share of its weight.
LEAST_SURE = 0.05
#: No swatch, not even paper, has been said.
UNDECIDED = -2


@dataclass(frozen=True)
class Ballot:
    """What the regions of one frame have voted, numbered in reading order.

    Attributes:
        votes: of `count_votes`. area: [R] pixels. around: [R] bool, which lie around the character.
        decided: [R] int64, the swatch that a person has given a region, `UNDECIDED` for none.
        strand: [R] int64, -1 for none.
    """

    votes: Votes
    area: np.ndarray
    around: np.ndarray
    decided: np.ndarray
    strand: np.ndarray


def weights(ballots: list[Ballot], strands: int, families: Families) -> list[np.ndarray]:
    """Return what each region's votes count in its track, [R] for each frame.

    A region that is much larger or smaller than the same one in other frames has run into another, or been cut: it
    says little. So does one whose pixels do not agree.
    """
    strand, area = (np.concatenate([getattr(ballot, name) for ballot in ballots]) for name in ("strand", "area"))
    usual = _medians(strand, area.astype(np.float64), strands)
    found = []
    for ballot in ballots:
        expected = np.where(ballot.strand >= 0, usual[ballot.strand], 1.0)
        less, more = np.minimum(ballot.area, expected), np.maximum(ballot.area, expected)
        counts = ballot.votes.counts
        sure = families.lead(counts) / np.maximum(counts.sum(axis=1), 1e-12)
        found.append(less * (less / np.maximum(more, 1)) * np.maximum(sure, LEAST_SURE) * (ballot.strand >= 0))
    return found


def _medians(group: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return the median of the values [n] of each group 0 … count - 1; groups below 0 are left out."""
    order = np.lexsort((values, group))
    ends = np.searchsorted(group[order], np.arange(count + 1))
    lower, upper = (ends[:-1] + ends[1:] - 1) // 2, (ends[:-1] + ends[1:]) // 2
    last = len(order) - 1
    middle = (values[order][lower.clip(0, last)] + values[order][upper.clip(0, last)]) / 2
    return np.where(ends[1:] > ends[:-1], middle, 1.0)


def summed(ballots: list[Ballot], weight: list[np.ndarray], group: list[np.ndarray], count: int) -> Votes:
    """Add up the votes of regions by groups [R], 0 … count - 1, those below 0 left out; see `Votes`."""
    counts, nearest = (np.zeros((count, ballots[0].votes.counts.shape[1])) for _ in range(2))
    total = np.zeros(count)
    for ballot, share, number in zip(ballots, weight, group, strict=True):
        there = number >= 0
        for sums, values in ((counts, ballot.votes.counts), (nearest, ballot.votes.nearest)):
            np.add.at(sums, number[there], share[there, None] * values[there])
        np.add.at(total, number[there], share[there])
    total = np.maximum(total, 1e-12)[:, None]
    return Votes(counts / total, nearest / total)


def decisions(ballots: list[Ballot], track: list[np.ndarray], count: int, swatches: int) -> np.ndarray:
    """Return what persons have decided for each track [count], by area; `UNDECIDED` where they have not."""
    votes = np.zeros((count, swatches + 1))
    for ballot, number in zip(ballots, track, strict=True):
        said = (ballot.decided != UNDECIDED) & (number >= 0)
        np.add.at(votes, (number[said], ballot.decided[said]), ballot.area[said])  # NO_SWATCH is the last column
    chosen = votes.argmax(axis=1)
    chosen = np.where(chosen == swatches, NO_SWATCH, chosen)
    return np.where(votes.any(axis=1), chosen, UNDECIDED)
