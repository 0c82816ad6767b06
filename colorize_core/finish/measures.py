"""How right the colours of a picture are, in measures of a colourist: differences, leaks, fringes, ink."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..prepare.blur import OnStrip
from ..prepare.pictures import as_grey, resize_picture
from .color import difference_76, difference_2000, to_lab
from .ink import drawn_ink
from .ink_over import ink_over
from .palette import Palette
from .region_measures import LINE, Measures, beside_lines, by_region, medians, swatch_shares
from .regions import NO_SWATCH, Regions

#: PSNR in decibels that stands for a picture equal to the truth.
EQUAL = 100.0
#: Measures of one frame -> how those of a shot are made of them; others are means.
ALTOGETHER: dict[str, Callable[[list[Any]], Any]] = {
    "pixels": sum, "regions": sum, "delta_e_max": max, "region_delta_e_worst": max, "ink_max": max,
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """One frame, measured.

    Attributes:
        values: as `measure` documents them.
        delta_e: [H, W] float32, ΔE2000 of every pixel; NaN on lines and where there is nothing to compare with.
        ink: [H, W] float32 in [0, 1], the lines to draw over a map of it.
    """

    values: Measures
    delta_e: np.ndarray
    ink: np.ndarray


def measure(
    image: Tensor,
    truth: Tensor | None = None,
    regions: Regions | None = None,
    palette: Palette | None = None,
    drawing: Tensor | None = None,
    on_strip: OnStrip = lambda: None,
) -> Measured:
    """Measure one picture, at the size of the regions, else of the truth, the drawing, or its own.

    What the colours are held against, `against`, is the first there is of: `truth`; `swatches`, those that the regions
    were given by Flats; `palette`, its nearest swatch; `regions`, the median of each region.

    Args:
        image: [1, H', W', 3] in [0, 1]. truth: the right picture, of any size.
        regions: one frame. palette: in place of the regions' own. drawing: of any size.
        on_strip: see `OnStrip`; called between the steps.

    Returns:
        `values`, each None where what it needs is missing:
        against: see above. pixels: number of pixels off the lines that were compared.
        delta_e_mean, delta_e_median, delta_e_95, delta_e_max: ΔE2000 over them, `95` that which 95 % stay below.
        fringe_delta_e: the mean within `FRINGE` of a line. psnr: in decibels, whole picture against the truth.
        regions: number of regions with pixels off the lines. region_delta_e_mean, region_delta_e_worst: ΔE2000 between
            the region's median colour and that of what it should be. region_worst: the worst one's label.
        regions_right: share of regions whose median has the right swatch. right_swatch: share of pixels whose nearest
            swatch is the right one. leak: share of pixels with the swatch of a neighbouring region in place of their
            own. fringe: share of pixels within `FRINGE` of a line that have a wrong swatch.
        ink_max, ink_mean: difference of brightness, in [0, 1], between the lines and those of the drawing over the
            same colours.
    """
    height, width = _size(image, truth, regions, drawing)
    rgb = resize_picture(image, height, width)[0].cpu()
    right = None if truth is None else resize_picture(truth, height, width)[0].cpu()
    lines = None if drawing is None else resize_picture(drawing, height, width).cpu()
    ink = _lines(lines, regions, (height, width))
    lab = to_lab(rgb)
    swatches = palette if palette is not None and len(palette) else regions.palette if regions is not None else None
    swatches = swatches if swatches is not None and len(swatches) else None
    own = None if swatches is None else _nearest(lab, swatches)
    on_strip()
    wanted = None if swatches is None else _wanted(right, regions, swatches)
    against, target = _target(lab, right, regions, swatches, own, ink < LINE)
    off = (ink < LINE) & (np.ones_like(ink, bool) if target is None else np.isfinite(target[..., 0].numpy()))
    values: Measures = {"against": against, "pixels": int(off.sum()) if target is not None else 0}
    delta_e = np.full(off.shape, np.nan, dtype=np.float32)
    if target is not None:
        delta_e[off] = difference_2000(lab[torch.from_numpy(off)], target[torch.from_numpy(off)]).numpy()
    on_strip()
    values |= _spread(delta_e[off] if target is not None else delta_e[:0])
    beside = beside_lines(ink) & off
    values["fringe_delta_e"] = float(delta_e[beside].mean()) if target is not None and beside.any() else None
    values["psnr"] = None if right is None else _psnr(rgb, right)
    values |= by_region(lab, target, regions, own, wanted, off)
    on_strip()
    values |= swatch_shares(own, wanted, regions, ink)
    on_strip()
    values |= _ink_difference(rgb, lines, on_strip)
    return Measured(values, delta_e, ink)


def altogether(frames: list[Measures]) -> Measures:
    """Join the measures of frames: sums of counts, the worst of the worst, means of all else."""
    joined: Measures = {"frames": len(frames)}
    for name in frames[0]:
        found = [frame[name] for frame in frames if frame[name] is not None]
        if name == "region_worst":
            continue
        if name == "against" or not found:
            joined[name] = found[0] if found else None
        else:
            joined[name] = ALTOGETHER.get(name, fmean)(found)
    return joined


def _size(image: Tensor, truth: Tensor | None, regions: Regions | None, drawing: Tensor | None) -> tuple[int, int]:
    if regions is not None:
        return regions.size
    picture = next(picture for picture in (truth, drawing, image) if picture is not None)
    return picture.shape[1], picture.shape[2]


def _lines(drawing: Tensor | None, regions: Regions | None, size: tuple[int, int]) -> np.ndarray:
    """Return where lines are [H, W] in [0, 1], of the drawing and of the regions."""
    ink = np.zeros(size, dtype=np.float32) if drawing is None else drawn_ink(drawing)[0].numpy()
    if regions is not None:
        for marked in (regions.ink, regions.trace):
            ink = ink if marked is None else np.maximum(ink, marked[0].cpu().numpy())
    return ink


def _nearest(lab: Tensor, palette: Palette) -> np.ndarray:
    """Return the index [H, W] of the swatch nearest to each pixel, by the distance in CIELAB."""
    nearest = torch.zeros(lab.shape[:2], dtype=torch.long)
    least = torch.full(lab.shape[:2], torch.inf)
    for index, swatch in enumerate(palette.lab):
        away = difference_76(lab, swatch)
        nearest, least = torch.where(away < least, index, nearest), torch.minimum(away, least)
    return nearest.numpy()


def _wanted(truth: Tensor | None, regions: Regions | None, palette: Palette) -> np.ndarray | None:
    """Return the index [H, W] of the swatch that each pixel should have, `NO_SWATCH` for none; None where unknown."""
    if truth is not None:
        return _nearest(to_lab(truth), palette)
    paint = _paint(regions)
    if regions is None or regions.palette is None or paint is None:
        return None
    if regions.palette == palette:
        return paint
    same = _nearest(regions.palette.lab[None], palette)[0]
    return np.where(paint == NO_SWATCH, NO_SWATCH, same[paint])


def _paint(regions: Regions | None) -> np.ndarray | None:
    """Return the swatch of each pixel [H, W] that Flats has given, None where it has given none."""
    if regions is None or regions.palette is None or not len(regions.palette):
        return None
    if regions.paint is not None:
        return regions.paint[0].cpu().numpy().astype(np.int64)
    swatch = regions.tables[0].swatch
    return None if (swatch == NO_SWATCH).all() else swatch[regions.filled[0].cpu().numpy()]


def _target(
    lab: Tensor,
    truth: Tensor | None,
    regions: Regions | None,
    swatches: Palette | None,
    own: np.ndarray | None,
    off: np.ndarray,
) -> tuple[str | None, Tensor | None]:
    """Return what the colours are held against, and its CIELAB [H, W, 3], NaN where there is nothing."""
    if truth is not None:
        return "truth", to_lab(truth)
    paint = _paint(regions)
    if regions is not None and regions.palette is not None and paint is not None:
        target = regions.palette.lab[torch.from_numpy(paint).clamp(min=0)]
        return "swatches", torch.where(torch.from_numpy(paint != NO_SWATCH)[..., None], target, torch.nan)
    if swatches is not None and own is not None:
        return "palette", swatches.lab[torch.from_numpy(own)]
    if regions is not None:
        filled = regions.filled[0].cpu().numpy()
        own_medians = medians(lab, np.where(off, filled, 0), int(filled.max(initial=0)) + 1)
        return "regions", torch.from_numpy(own_medians)[torch.from_numpy(filled).long()]
    return None, None


def _spread(delta_e: np.ndarray) -> Measures:
    names = ("delta_e_mean", "delta_e_median", "delta_e_95", "delta_e_max")
    if not delta_e.size:
        return dict.fromkeys(names)
    found = (delta_e.mean(dtype=np.float64), np.median(delta_e), np.percentile(delta_e, 95), delta_e.max())
    return {name: float(value) for name, value in zip(names, found, strict=True)}


def _psnr(rgb: Tensor, truth: Tensor) -> float:
    error = float((rgb - truth).double().square().mean())
    return EQUAL if error == 0 else min(EQUAL, -10 * float(np.log10(error)))


def _ink_difference(rgb: Tensor, drawing: Tensor | None, on_strip: OnStrip) -> Measures:
    """Compare the lines of a picture with the drawing's own laid over the same colours."""
    values: Measures = {"ink_max": None, "ink_mean": None}
    if drawing is None:
        return values
    expected, ink = ink_over(rgb[None], drawing, on_strip=on_strip)
    lines = ink > 0
    if lines.any():
        away = (as_grey(expected) - as_grey(rgb[None]))[lines].abs()
        values |= {"ink_max": float(away.max()), "ink_mean": float(away.mean())}
    return values


def rounded(values: Measures) -> Measures:
    """Round to what the eye may care for: four digits after the point."""
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in values.items()}
