"""The regions of a shot, followed from frame to frame, with one swatch for each track.

shot = ShotTracks(palette)
for picture, frame in zip(pictures, frames):
    shot.add(picture, frame)
tracked = shot.elected()
painted = [paint_tracks(frame, palette, *of_frame) for frame, of_frame in ...]
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from ..prepare.pictures import resize_picture
from .anchors import anchored, kept_decisions
from .flats import agreeing, candidates_of, elect, paper_or_white, surrounding, with_paint, with_paper
from .palette import Palette
from .region_shapes import frame_shapes, reading_numbers
from .region_tracks import Strands
from .regions import NO_SWATCH, Regions, RegionTable
from .track_paint import has_tones, repainted
from .track_votes import UNDECIDED, Ballot, decisions, summed, weights
from .votes import Families, as_the_picture_has_them, call_voters


@dataclass(frozen=True)
class FrameTracks:
    """What tracking has found of one frame; row r belongs to label r, as in its table.

    Attributes:
        track: [R] int64, from 0 in the order in which tracks come; -1 for region 0 and what is nowhere.
        swatch: [R] int64, the track's. agreement: [R] float32, share of the region's own votes for it. decided: [R].
    """

    track: np.ndarray
    swatch: np.ndarray
    agreement: np.ndarray
    decided: np.ndarray


class ShotTracks:
    """Collects a shot frame by frame; of each frame nothing is kept but a few numbers a region.

    Args:
        palette: with at least one swatch.

    Attributes:
        ballots: of the frames so far. toned: whether a region of them is painted in two tones.
    """

    def __init__(self, palette: Palette) -> None:
        self.palette, self.candidates = palette, candidates_of(palette)
        self.families = Families.in_palette(palette)
        self.ballots: list[Ballot] = []
        self.toned = False
        self._strands = Strands()
        self._numbers: list[np.ndarray] = []
        self._anchored: list[np.ndarray] = []
        self._last: Regions | None = None

    def add(
        self,
        picture: Tensor,
        regions: Regions,
        anchor: Tensor | None = None,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on by a frame.

        Args:
            picture: [1, h, w, 3] in [0, 1], of any size. regions: of one frame.
            anchor: [1, h', w', 3] in [0, 1], this frame's flats as a person has put them right; see `anchored`.
            stop: called now and then; raises when the user has cancelled.
        """
        numbers = reading_numbers(regions.filled[0].numpy(), len(regions.tables[0]))
        frame = renumbered(regions, numbers)
        filled, table, lines = frame.filled[0].numpy(), frame.tables[0], frame.lines[0].numpy()
        voters = call_voters(resize_picture(picture, *frame.size)[0], filled, lines, table.area)
        stop()
        votes = as_the_picture_has_them(voters, with_paper(self.palette) / 255, self.families)[1]
        stop()
        around = surrounding(frame)
        held = self._last is not None and torch.equal(frame.filled, self._last.filled)
        if held:
            strand = self._strands.held()
        else:
            counts = self.families.pooled(paper_or_white(votes, self.candidates, around)[0])
            strand = self._strands.add(frame_shapes(filled, lines, counts))
        self._last = frame
        self._numbers.append(numbers)
        self.ballots.append(Ballot(votes, table.area, around, kept_decisions(frame, self.palette), strand))
        said = np.full(len(table), UNDECIDED)
        self._anchored.append(said if anchor is None else anchored(anchor, frame, self.palette, around))
        self.toned = self.toned or has_tones(regions)

    def elected(self) -> list[FrameTracks]:
        """Join strands to tracks, give each a swatch, and say what that means for the regions of each frame."""
        ballots, count = self.ballots, max(1, self._strands.count)  # one at least, so that -1 is a place in every list
        self._last = None
        share = weights(ballots, count, self.families)
        strand = [ballot.strand for ballot in ballots]
        own = summed(ballots, share, strand, count)
        around = _mostly(ballots, strand, count)
        strand_said = self._said(strand, count)
        counts = self.families.pooled(paper_or_white(own, self.candidates, around)[0])
        of_strand = self._strands.joined(counts, strand_said, UNDECIDED)
        track = [np.where(number >= 0, of_strand[number], -1) for number in strand]
        votes = summed(ballots, share, track, count)
        around = _mostly(ballots, track, count)
        voted, _ = elect(votes, self.candidates, self.families, around)
        said = self._said(track, count)
        swatch = np.where(said == UNDECIDED, voted, said)
        paper = np.flatnonzero(around & (swatch == NO_SWATCH) & np.isin(np.arange(count), of_strand))
        if len(paper):  # what lies around the character is one track
            of_strand[np.isin(of_strand, paper)] = paper[0]
        numbers = np.unique(of_strand, return_inverse=True)[1]
        found = []
        for index, ballot in enumerate(ballots):
            there, place = ballot.strand >= 0, ballot.strand
            by_strand = track[index]
            family = self.families.of[np.where(there, voted[by_strand], NO_SWATCH)]
            near = paper_or_white(ballot.votes, self.candidates, around[by_strand] & there)[1]
            dotted = ((ballot.decided != UNDECIDED) | (self._anchored[index] != UNDECIDED)) & there
            result = FrameTracks(
                track=np.where(there, numbers[place], -1),
                swatch=np.where(there, swatch[by_strand], NO_SWATCH),
                agreement=np.where(dotted, np.float32(1), agreeing(near, self.families, family)),
                decided=dotted,
            )
            at = self._numbers[index]
            found.append(FrameTracks(*(getattr(result, field.name)[at] for field in fields(result))))
        return found

    def _said(self, group: list[np.ndarray], count: int) -> np.ndarray:
        """Return what persons have said of each group; flats that have been put right win over corrections."""
        by_anchor, by_dots = (
            decisions(
                [replace(b, decided=said) for b, said in zip(self.ballots, what, strict=True)],
                group,
                count,
                len(self.palette),
            )
            for what in (self._anchored, [ballot.decided for ballot in self.ballots])
        )
        return np.where(by_anchor == UNDECIDED, by_dots, by_anchor)


def renumbered(regions: Regions, numbers: np.ndarray) -> Regions:
    """Give the labels of one frame other numbers [R]; what belongs to them goes along."""
    table = regions.tables[0]
    values = {}
    for field in fields(RegionTable):
        old = getattr(table, field.name)
        values[field.name] = np.empty_like(old)
        values[field.name][numbers] = old
    filled = torch.from_numpy(numbers.astype(np.int32)[regions.filled[0].numpy()])[None]
    return replace(regions, filled=filled, tables=(RegionTable(**values),))


def paint_tracks(regions: Regions, palette: Palette, found: FrameTracks, toned: bool) -> Regions:
    """Give the regions of one frame their tracks and the tracks' swatches.

    Args:
        regions: of one frame, with swatches or without. toned: of `ShotTracks`.
    """
    paint = repainted(regions, palette, found.swatch, toned)
    table = replace(
        regions.tables[0],
        swatch=found.swatch,
        agreement=found.agreement,
        track=found.track,
        decided=found.decided,
    )
    return with_paint(regions, palette, table, paint, dissolve=regions.paint is None)


def _mostly(ballots: list[Ballot], group: list[np.ndarray], count: int) -> np.ndarray:
    """Tell which groups lie around the character in most of their area: [count] bool."""
    areas = np.zeros((count, 2))
    for ballot, number in zip(ballots, group, strict=True):
        there = number >= 0
        np.add.at(areas, (number[there], ballot.around[there].astype(np.int64)), ballot.area[there])
    return areas[:, 1] > areas[:, 0]
