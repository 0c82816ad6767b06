"""Which swatch a region has: its pixels vote.

A pixel's vote goes to swatches by how near its colour is, not to the nearest one alone: where a colourizer was a little
off, all of a region's pixels are off by the same, and the second nearest swatch is the right one as often. A swatch and
its shadow stand for one colour in another light, and their votes are counted together.

How near is measured in sRGB, not in CIELAB: what makes a picture's colours makes them in sRGB, and is off by about as
much in each channel. Distances in CIELAB are for eyes, and stretch dark colours and saturated blues, so that there a
part that is off by as little as any other looks like another swatch.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .basins import distances
from .color import to_lab
from .palette import Palette

#: Standard deviation of what a colourizer is off by, in parts of the way from black to white.
OFF = 0.07
#: What a shadow's or a highlight's votes count against a base's, for they take less of a drawing.
LESS_OFTEN = 0.5
#: What a pixel votes for no swatch at all, so that one which is near to none counts little.
NONE_NEAR = 1e-3
#: Pixels at least so far from the line, at 1024 pixels on the shorter side, count fully; nearer ones are mixed with it.
CLEAR = 8.0
#: So many pixels of a picture vote, about; more say nothing new.
VOTERS = 512**2
#: A region of which fewer would vote sends all of its pixels.
FEW = 64
#: Pixels whose votes, and lines of a picture whose colours are worked out at once.
CHUNK, ROWS = 1 << 18, 256
#: Rounds in which it is found what the picture is off by, how much of it is believed, and the most of it, as `OFF`.
ROUNDS, TRUST, MOST_OFF = 2, 0.5, 0.15
#: Against one region's word stands this share of the picture that says nothing is off.
PRIOR = 0.002
#: Levels of a channel at which medians are looked for.
LEVELS = 512
#: Least and most of L, a and b, and of red, green and blue.
LAB_RANGE, RGB_RANGE = ((0.0, 100.0), (-110.0, 110.0), (-110.0, 110.0)), ((0.0, 1.0),) * 3


@dataclass(frozen=True)
class Votes:
    """Votes of the regions of one frame.

    Attributes:
        counts: [R, S] float64, of each region for each swatch, weighted; a row adds up to at most 1.
        nearest: [R, S] float64, share of each region's pixels, weighted, to which a swatch is the nearest.
    """

    counts: np.ndarray
    nearest: np.ndarray


@dataclass(frozen=True)
class Voters:
    """The pixels of one frame that vote.

    Attributes:
        rgb: [n, 3] float32 in [0, 1], their colours. region: [n] int64. weight: [n] float32.
        area: [R] int64, pixels of each region, 0 included.
    """

    rgb: Tensor
    region: np.ndarray
    weight: np.ndarray
    area: np.ndarray


@dataclass(frozen=True)
class Families:
    """Swatches and their shadows and highlights, which are one colour in other lights.

    Attributes:
        of: [S + 1] int64, which family each swatch is of; the last one is paper, alone.
        often: [S + 1] float32, what a vote for each counts.
    """

    of: np.ndarray
    often: Tensor

    @classmethod
    def in_palette(cls, palette: Palette) -> "Families":
        """Find them by the names of their bases; a shadow whose base is not there is its own."""
        names = {swatch.name: index for index, swatch in enumerate(palette.swatches)}
        of = [names.get(s.base, i) for i, s in enumerate(palette.swatches)]
        often = [LESS_OFTEN if s.role in ("shadow", "highlight") else 1.0 for s in palette.swatches]
        return cls(np.array([*of, len(of)], dtype=np.int64), torch.tensor([*often, 1.0]))

    def pooled(self, counts: np.ndarray) -> np.ndarray:
        """Add up the votes [R, S] of each family where its base stands, 0 elsewhere."""
        pooled = np.zeros_like(counts)
        for swatch, family in enumerate(self.of):
            pooled[:, family] += counts[:, swatch]
        return pooled

    def chosen(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for votes [R, S + 1] the family [R] that has the most together, and of its swatches the first, [R]."""
        family = self.pooled(counts).argmax(axis=1)
        return family, np.where(self.of == family[:, None], counts, -1).argmax(axis=1)

    def lead(self, counts: np.ndarray) -> np.ndarray:
        """Return by how much of the votes [R, S + 1] the first family is ahead of the second, if there is one: [R]."""
        ranked = np.sort(self.pooled(counts), axis=1)
        return ranked[:, -1] - ranked[:, -2] if ranked.shape[1] > 1 else ranked[:, -1]

    def members(self, family: int) -> np.ndarray:
        """Return the swatches of a family."""
        return np.flatnonzero(self.of == family)


def vote_weights(lines: np.ndarray, step: int = 1) -> np.ndarray:
    """Return what each pixel's vote counts: little beside a line, nothing on it.

    Args:
        lines: [H, W] bool. step: every so many pixels of either side are looked at, with the lines between them.

    Returns:
        [⌈H / step⌉, ⌈W / step⌉] float32 in [0, 1]; never quite 0, so that a region of nothing but line has a colour,
        too.
    """
    height, width = lines.shape
    clear = max(1.0, CLEAR * min(height, width) / 1024)
    if step > 1:
        lines = np.pad(lines, ((0, -height % step), (0, -width % step)))
        lines = np.asarray(lines.reshape(len(lines) // step, step, -1, step).any(axis=(1, 3)))
    return np.clip(distances(lines) * (step / clear), 1e-4, 1).astype(np.float32)


def call_voters(rgb: Tensor, filled: np.ndarray, lines: np.ndarray, area: np.ndarray, all_: bool = False) -> Voters:
    """Choose the pixels that vote: of a large picture every few, but all of a region that has few of those.

    Args:
        rgb: [H, W, 3] in [0, 1]. filled: [H, W] int32, each pixel's region. lines: [H, W] bool.
        area: [R] pixels of each region. all_: let every pixel vote, whatever the size.
    """
    height, width = filled.shape
    step = 1 if all_ else max(1, round((filled.size / VOTERS) ** 0.5))
    weights = vote_weights(lines, step)
    places = (np.arange(0, height, step)[:, None] * width + np.arange(0, width, step)).ravel()
    flat, weight = filled.ravel(), weights.ravel()
    if step > 1:
        few = (np.bincount(flat[places], minlength=len(area)) < FEW) & (area > 0)
        few[0] = False
        if few.any():
            more = np.flatnonzero(few[flat])
            cell = more // width // step * weights.shape[1] + more % width // step
            kept = ~few[flat[places]]
            places, weight = np.concatenate([places[kept], more]), np.concatenate([weight[kept], weight[cell]])
    colors = rgb.reshape(-1, 3)[torch.from_numpy(places)]
    return Voters(colors, flat[places].astype(np.int64), weight, area)


def count_votes(voters: Voters, candidates: Tensor, families: Families) -> Votes:
    """Let the pixels of one frame vote.

    Args:
        candidates: [S, 3], sRGB in [0, 1], the last of them paper. families: theirs.
    """
    swatches, count = len(candidates), len(voters.area)
    counts, nearest = np.zeros((count, swatches)), np.zeros(count * swatches)
    for start in range(0, len(voters.region), CHUNK):
        at = slice(start, start + CHUNK)
        region, weight = voters.region[at], voters.weight[at]
        near = nearness(voters.rgb[at], candidates, families.often)
        for swatch, vote in enumerate(near.T.contiguous().numpy()):
            counts[:, swatch] += np.bincount(region, weight * vote, minlength=count)
        place = region * swatches + (near / families.often).argmax(dim=1).numpy()
        nearest += np.bincount(place, weight, minlength=count * swatches)
    total = np.maximum(np.bincount(voters.region, voters.weight, minlength=count), 1e-12)[:, None]
    return Votes(counts / total, nearest.reshape(count, swatches) / total)


def medians(voters: Voters) -> np.ndarray:
    """Return the weighted median of each region's L, a and b: [R, 3] float32."""
    return _medians(to_lab(voters.rgb), LAB_RANGE, voters)


def _medians(colors: Tensor, limits: tuple[tuple[float, float], ...], voters: Voters) -> np.ndarray:
    """Return the weighted median [R, 3] float32 of each region's channels.

    Args:
        colors: [n, 3], the voters', in any colour space. limits: of its channels.
    """
    found = []
    for channel, (least, most) in zip(colors.T, limits, strict=True):
        level = ((channel - least) * (LEVELS / (most - least))).clamp(0, LEVELS - 1).numpy()
        place = voters.region * LEVELS + level.astype(np.int64)
        hits = np.bincount(place, voters.weight, minlength=len(voters.area) * LEVELS)
        found.append(_median(hits.reshape(-1, LEVELS), least, most))
    return np.stack(found, axis=1).astype(np.float32)


def as_the_picture_has_them(voters: Voters, candidates: Tensor, families: Families) -> tuple[Tensor, Votes]:
    """Move swatches towards what the picture has in their place, and let the pixels vote for those.

    A colourizer that gives a colour too dark gives it too dark everywhere. So regions that are sure of their swatch
    tell by how much it is off, and small or torn ones are judged by that.

    Args:
        candidates: [S, 3], sRGB in [0, 1]; the last one, paper, stays.

    Returns:
        candidates [S, 3], which may lie a little outside of sRGB, and votes, both after `ROUNDS` rounds.
    """
    median = _medians(voters.rgb, RGB_RANGE, voters)
    votes = count_votes(voters, candidates, families)
    palette, moved = candidates.numpy(), candidates
    for _ in range(ROUNDS):
        sure = voters.area * families.lead(votes.counts)
        family, _ = families.chosen(votes.counts)
        off = np.zeros_like(palette)
        for number in np.unique(family[1:]):
            own, members = (family == number) & (sure > 0), families.members(number)
            own[0] = False
            shares = votes.nearest[np.ix_(own, members)]
            expected = palette[members[shares.argmax(axis=1)]]  # the median lies in the larger tone
            weight = sure[own][:, None]
            mean = ((median[own] - expected) * weight).sum(axis=0) / (weight.sum() + PRIOR * voters.area.sum())
            length = float(np.linalg.norm(mean))
            off[members] = TRUST * mean * min(1.0, MOST_OFF / max(length, 1e-6))
        off[-1] = 0
        moved = torch.from_numpy((palette + off).astype(np.float32))
        votes = count_votes(voters, moved, families)
    return moved, votes


def nearness(colors: Tensor, candidates: Tensor, often: Tensor) -> Tensor:
    """Return how a pixel's vote is shared out: [n, 3] and [S, 3], sRGB, to [n, S] in [0, 1]; a row is at most 1.

    Args:
        often: [S], of `Families`.
    """
    square = (colors**2).sum(dim=1, keepdim=True) + (candidates**2).sum(dim=1) - 2 * colors @ candidates.T
    near = torch.exp(square.clamp_(min=0).mul_(-1 / (2 * OFF**2))) * often
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


def lab_of(rgb: Tensor) -> Tensor:
    """Convert a picture [H, W, 3] to CIELAB, some lines at once."""
    return torch.cat([to_lab(rgb[top : top + ROWS]) for top in range(0, len(rgb), ROWS)])
