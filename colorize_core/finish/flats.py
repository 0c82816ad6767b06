"""Flat colours: every region of a drawing in the swatch that its pixels in a coloured picture vote for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import minimum_filter, uniform_filter
from torch import Tensor

from ..prepare.pictures import resize_picture
from .basins import distances
from .color import difference_76, to_lab, to_rgb
from .corrections import corrected
from .palette import Palette
from .regions import NO_SWATCH, Regions, RegionTable, table_of
from .tones import shaded
from .votes import (
    ROWS,
    Families,
    Voters,
    Votes,
    as_the_picture_has_them,
    call_voters,
    lab_of,
    medians,
    nearness,
)

SHADING = ("flat", "two_tones", "keep")
UNSURE = ("vote", "pixels")
#: Paper: what is in no swatch and white in the picture.
PAPER = (255, 255, 255)
#: A swatch as near to white as this can be told from paper only by where it lies.
LIKE_PAPER = 10.0
#: Sides of the picture that the area around a character touches at least.
SIDES = 2
#: Votes by pixel are averaged over this share of the longer side, for the noise of a picture is none of a drawing.
SMOOTH = 1 / 128


@dataclass(frozen=True)
class FlatChoice:
    """How flats are made.

    Attributes:
        shading: of `SHADING`. flat: one swatch a region. two_tones: base and shadow. keep: the picture, moved so that
            each region's median is its swatch.
        unsure_below: in [0, 1], regions of which a smaller share agrees are unsure.
        unsure: of `UNSURE`, what becomes of those: vote: the most votes win, as anywhere. pixels: each pixel its own.
    """

    shading: str = "flat"
    unsure_below: float = 0.8
    unsure: str = "vote"


@dataclass(frozen=True)
class Flats:
    """Flats of one frame.

    Attributes:
        image: [1, H, W, 3] in [0, 1]. regions: of one frame, with swatches and paint. unsure: [1, H, W], 0 or 1.
    """

    image: Tensor
    regions: Regions
    unsure: Tensor


def make_flats(
    picture: Tensor,
    regions: Regions,
    palette: Palette,
    choice: FlatChoice,
    corrections: Tensor | None = None,
    stop: Callable[[], None] = lambda: None,
) -> Flats:
    """Make the flats of one frame.

    Args:
        picture: [1, h, w, 3] in [0, 1], of any size. regions: of one frame.
        corrections: [1, h', w', 3]; see `corrected`.
        stop: called now and then; raises when the user has cancelled.
    """
    rgb = resize_picture(picture, *regions.size)[0]
    families, colors = Families.in_palette(palette), with_paper(palette)
    table, seen, voters, votes = regions.tables[0], colors / 255, None, None
    held = regions.tracked and regions.palette == palette  # the whole shot has voted
    if not held or choice.shading != "flat" or choice.unsure == "pixels":
        filled, lines = regions.filled[0].numpy(), regions.lines[0].numpy()
        voters = call_voters(rgb, filled, lines, table.area, all_=choice.shading == "keep")
        stop()
        seen, votes = as_the_picture_has_them(voters, seen, families)
    stop()
    if votes is None or held:
        swatch, agreement, decided, track = table.swatch.copy(), table.agreement, table.decided, table.track
    else:
        swatch, agreement = elect(votes, candidates_of(palette), families, surrounding(regions))
        decided, track = np.zeros(len(table), dtype=bool), np.full(len(table), -1)
    if corrections is not None:
        alike = families.of[: len(palette)] if choice.shading == "two_tones" else None
        labels = regions.labels[0].numpy()
        swatch, agreement, dotted = corrected(corrections, labels, swatch, agreement, palette, alike)
        decided = decided | dotted
    swatch[0] = NO_SWATCH
    unsure = (agreement < choice.unsure_below) & (np.arange(len(swatch)) > 0)
    paint = painted(rgb, regions, palette, swatch, seen, choice.shading)
    if choice.unsure == "pixels":
        for region in np.flatnonzero(unsure).tolist():
            paint_by_pixel(paint, rgb, regions, region, seen, families)
            stop()
    table = replace(table, swatch=swatch, agreement=agreement, track=track, decided=decided)
    done = with_paint(regions, palette, table, paint)
    filled = done.filled[0].numpy()
    paint = paint if done.paint is None else done.paint[0].numpy()
    marked = unsure[filled]
    shown = colors[torch.from_numpy(paint).long()] / 255
    if choice.shading == "keep" and voters is not None:
        own = torch.from_numpy((paint != swatch[filled]) & marked)  # an unsure region's, each pixel by itself
        shown = torch.where(own[..., None], shown, moved(rgb, filled, shifts(voters, swatch, palette)))
    shown = torch.where(torch.from_numpy(filled == 0)[..., None], rgb, shown)
    return Flats(shown[None], done, torch.from_numpy(marked).float()[None])


def candidates_of(palette: Palette) -> Tensor:
    """Return what may be voted for [S + 1, 3], CIELAB: the swatches, and paper last."""
    return to_lab(with_paper(palette) / 255)


def with_paper(palette: Palette) -> Tensor:
    """Return the colours that paint stands for, [S + 1, 3] uint8: `NO_SWATCH`, the last one, is paper."""
    return torch.cat([palette.colors, torch.tensor([PAPER], dtype=torch.uint8)])


def painted(
    rgb: Tensor, regions: Regions, palette: Palette, swatch: np.ndarray, seen: Tensor, shading: str
) -> np.ndarray:
    """Return the swatch of every pixel: its region's, or with two tones of that and its shadow the right one.

    Args:
        rgb: [H, W, 3] in [0, 1]. swatch: [R] int64. seen: [S + 1, 3], sRGB, the swatches as the picture has them.

    Returns:
        [H, W] int16.
    """
    filled = regions.filled[0].numpy()
    paint = swatch.astype(np.int16)[filled]
    if shading != "two_tones":
        return paint
    return shaded(paint, lab_of(rgb), filled, swatch, regions.lines[0].numpy(), palette, to_lab(seen.clamp(0, 1)))


def with_paint(
    regions: Regions, palette: Palette, table: RegionTable, paint: np.ndarray, dissolve: bool = True
) -> Regions:
    """Give the regions of one frame their swatches.

    Args:
        table: with the swatches, agreement and what else is known. paint: [H, W] int16.
        dissolve: give the pixels of trace lines to the darker of the regions beside them.
    """
    filled, trace = regions.filled[0].numpy(), regions.trace
    table = replace(table, color=with_paper(palette)[torch.from_numpy(table.swatch)].numpy())
    if trace is not None and dissolve:
        filled = dissolved(filled, trace[0].numpy(), to_lab(torch.from_numpy(table.color) / 255)[:, 0].numpy())
        grown = table_of(filled, len(table))
        table = replace(table, area=grown.area, box=grown.box)
        paint = np.where(trace[0].numpy(), table.swatch.astype(np.int16)[filled], paint)
    return replace(
        regions,
        filled=torch.from_numpy(filled)[None],
        tables=(table,),
        palette=palette,
        paint=torch.from_numpy(paint)[None],
    )


def shifts(voters: Voters, swatch: np.ndarray, palette: Palette) -> Tensor:
    """Return what brings each region's median onto its swatch: [R, 3] float32, in CIELAB."""
    return candidates_of(palette)[torch.from_numpy(swatch)] - torch.from_numpy(medians(voters))


def moved(rgb: Tensor, filled: np.ndarray, by: Tensor) -> Tensor:
    """Return the picture [H, W, 3] with its regions' colours moved by [R, 3], in CIELAB, and its shading kept."""
    lab = lab_of(rgb)
    return torch.cat([to_rgb(lab[t : t + ROWS] + by[filled[t : t + ROWS]]) for t in range(0, len(lab), ROWS)])


def surrounding(regions: Regions) -> np.ndarray:
    """Tell which regions lie around the character: those that touch two sides of the picture or more, [R] bool."""
    box, (height, width) = regions.tables[0].box, regions.size
    sides = np.stack([box[:, 0] == 0, box[:, 1] == 0, box[:, 2] == width, box[:, 3] == height])
    return (sides.sum(axis=0) >= SIDES) & (regions.tables[0].area > 0)


def elect(votes: Votes, candidates: Tensor, families: Families, around: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each region the swatch that its pixels vote for.

    Args:
        candidates: [S + 1, 3], CIELAB, the last of them paper. around: [R] bool, which regions lie around.

    Returns:
        [R] int64, the swatch of each region, or `NO_SWATCH`; [R] float32, the share of its pixels that agree.
    """
    counts, nearest = paper_or_white(votes, candidates, around)
    family, swatch = families.chosen(counts)
    return np.where(swatch == len(candidates) - 1, NO_SWATCH, swatch), agreeing(nearest, families, family)


def agreeing(nearest: np.ndarray, families: Families, family: np.ndarray) -> np.ndarray:
    """Return the share of each region's pixels to which a swatch of its family is the nearest: [R] float32.

    Args:
        nearest: [R, S + 1], of `Votes`. family: [R].
    """
    pooled = families.pooled(nearest)
    own = pooled[np.arange(len(family)), family]
    return np.asarray(own / np.maximum(pooled.sum(axis=1), 1e-12)).clip(0, 1).astype(np.float32)


def paper_or_white(votes: Votes, candidates: Tensor, around: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return votes and nearest swatches [R, S + 1] with white told from paper.

    White is no swatch but paper around the character; inside of it, only where the palette has no white.
    """
    paper = len(candidates) - 1
    apart = difference_76(candidates[:paper], candidates[paper]).numpy()
    whites = np.flatnonzero(apart < LIKE_PAPER)
    counts, nearest = votes.counts.copy(), votes.nearest.copy()
    for ballot in (counts, nearest) if len(whites) else ():  # whites and paper have shared out one colour's votes
        outside, inside = np.ix_(around, whites), np.ix_(~around, np.array([apart.argmin(), paper]))
        ballot[around, paper] += ballot[outside].sum(axis=1)
        ballot[outside] = 0
        ballot[inside] = ballot[inside] @ np.array([[1, 0], [1, 0]])
    return counts, nearest


def paint_by_pixel(
    paint: np.ndarray, rgb: Tensor, regions: Regions, region: int, candidates: Tensor, families: Families
) -> None:
    """Give every pixel of a region the swatch that it and those around it in the region vote for, in place.

    Args:
        paint: [H, W] int16, written to. rgb: [H, W, 3] in [0, 1].
        candidates: [S + 1, 3], sRGB, the last of them paper.
    """
    left, top, right, bottom = regions.tables[0].box[region]
    at = np.s_[top:bottom, left:right]
    inside = regions.filled[0].numpy()[at] == region
    near = nearness(rgb[at].reshape(-1, 3), candidates, families.often).reshape(*inside.shape, -1).numpy()
    near = near * inside[..., None]
    across = 2 * round(SMOOTH * max(paint.shape) / 2) + 1
    best = uniform_filter(near, (across, across, 0), mode="constant").argmax(axis=2)
    paint[at][inside] = np.where(best == len(candidates) - 1, NO_SWATCH, best)[inside]


def dissolved(filled: np.ndarray, trace: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Give the pixels of trace lines to the darker of the regions beside them.

    Args:
        filled: [H, W] int32. trace: [H, W] bool. lightness: [R] of each region's colour.

    Returns:
        [H, W] int32. Source: how ink and paint programs treat trace lines (production research, c).
    """
    if not trace.any() or trace.all():
        return filled
    by_light = np.argsort(lightness, kind="stable")
    rank = np.empty(len(by_light), dtype=np.int32)
    rank[by_light] = np.arange(len(by_light))
    # Each half of a line has the region on its own side, so the line's middle is as far as anyone has to look.
    ranks = np.where(trace & (filled > 0), rank[filled], len(by_light))
    reach = 2 * int(np.ceil(distances(~trace).max())) + 1
    darkest = minimum_filter(ranks, reach, mode="nearest")
    found = trace & (darkest < len(by_light))
    return np.where(found, by_light[np.minimum(darkest, len(by_light) - 1)], filled).astype(np.int32)
