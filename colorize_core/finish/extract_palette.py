"""The colours of a reference: exact values where parts are flat, averages where they are painted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.cluster.vq import vq
from torch import Tensor

from ..prepare.blur import OnStrip
from ..prepare.masks import checked_mask, fit_batch, fit_mask
from ..prepare.pictures import as_rgb
from .color import to_rgb
from .color_names import numbered_names
from .palette import Palette, Swatch
from .sheet_labels import Seen, looked_at, of_lines_and_edges, shadows_of
from .sheet_pixels import EVEN, SheetPixels, lab_of, levels_of

#: Pixels that are looked at: of larger pictures and batches every second, third … row and column.
MOST_PIXELS, MOST_OF_BATCH = 2_400_000, 16_000_000
#: An exact value stands for its surroundings in colour where it has this share of their pixels.
EXACT_SHARE = 0.25
#: How many times `unrest` two colours have to lie apart to be two.
APART = 2.2
#: `unrest` above which a picture is painted.
PAINTED = 0.3


@dataclass(frozen=True)
class Extracted:
    """A palette, and the share of the pictures' area, paper left out, that each of its swatches has; [S] in [0, 1]."""

    palette: Palette
    shares: tuple[float, ...]


def extract_palette(
    image: Tensor,
    mask: Tensor | None = None,
    most: int = 24,
    merge: float = 4.0,
    smallest_share: float = 0.0015,
    on_frame: Callable[[], object] = lambda: None,
    on_strip: OnStrip = lambda: None,
) -> Extracted:
    """Find the colours of a character in one or several pictures of it.

    Exact values of flat parts come first, the most frequent before others; then what is even but not flat (JPEG,
    paint); then what is left over in parts too small to be even. Left out are white paper at the border, thin dark
    lines, and the mixtures along edges.

    Args:
        image: [B, H, W, C] in [0, 1]; the pictures show one character.
        mask: [B or 1, H', W'] in [0, 1]; colours are looked for where it is above a half. None for everywhere.
        most: swatches at most, at least 1.
        merge: colours nearer than this ΔE (CIE76) are one.
        smallest_share: share of the area, paper left out, below which a colour is none; in [0, 1].
        on_frame: called before each picture is looked at. on_strip: see `OnStrip`; called between the steps.
    """
    sheets, areas, unrests = [], [], []
    for frame, wanted in _frames(image, mask):
        on_frame()
        sheets.append(SheetPixels(frame, wanted, on_strip))
        areas.append(int(sheets[-1].kept.sum()))
        unrests.append(sheets[-1].unrest)
    area = sum(areas)
    if not area:
        return Extracted(Palette(), ())
    least = max(1.0, smallest_share * area)
    unrest = float(np.median(unrests))
    apart = min(max(merge, APART * unrest), 3 * max(merge, 1.0))
    centers = _exact_centers(sheets, apart, least)
    centers = _even_centers(sheets, centers, apart, least)
    centers = _small_centers(sheets, centers, apart, least)
    if not len(centers):
        return Extracted(Palette(), ())
    seen = looked_at(sheets, centers)
    kept = (seen.areas >= least) & ~of_lines_and_edges(seen, centers, unrest > PAINTED)
    order = np.argsort(-np.where(kept, seen.areas, -1), kind="stable")[: min(most, int(kept.sum()))]
    return _as_palette(seen, centers, order, area)


def _frames(image: Tensor, mask: Tensor | None):
    """Yield each picture as [h, w, 3] uint8 with where colours are wanted, [h, w] bool."""
    image = as_rgb(image)
    height, width = image.shape[1:3]
    masks = torch.ones(1, 1, 1) if mask is None else checked_mask(mask)
    image, masks = fit_batch(image, masks, ("image", "mask"))
    pixels = height * width
    step = max(1, int(np.ceil(max(pixels / MOST_PIXELS, len(image) * pixels / MOST_OF_BATCH) ** 0.5)))
    for frame, one in zip(image, masks, strict=True):
        levels = (frame[::step, ::step] * 255).round().byte().cpu().numpy()
        if mask is None:
            wanted = np.ones(levels.shape[:2], dtype=bool)
        else:
            wanted = (fit_mask(one[None], height, width)[0, ::step, ::step] > 0.5).cpu().numpy()
        yield levels, wanted


def _tallied(sheets: list[SheetPixels], chosen: Callable[[SheetPixels], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Count colours over all pictures.

    Args:
        chosen: gives the pixels that count, [H, W] bool.

    Returns:
        The colours [U, 3] in CIELAB with their codes as [U], and pixels of each [U].
    """
    tallies = []
    for sheet in sheets:
        sheet.on_strip()
        tallies.append(np.bincount(sheet.place[chosen(sheet)], minlength=len(sheet.codes)))
    codes, place = np.unique(np.concatenate([sheet.codes for sheet in sheets]), return_inverse=True)
    counts = np.bincount(place.ravel(), weights=np.concatenate(tallies), minlength=len(codes))
    return codes[counts > 0], counts[counts > 0]


def _exact_centers(sheets: list[SheetPixels], apart: float, least: float) -> np.ndarray:
    """Return values [S, 3] uint8 that flat parts have exactly, the most frequent first."""
    codes, counts = _tallied(sheets, lambda sheet: sheet.exact & sheet.kept)
    even_codes, even_counts = _tallied(sheets, lambda sheet: sheet.even & sheet.kept)
    lab, even = lab_of(levels_of(codes)), lab_of(levels_of(even_codes))
    found: list[int] = []
    for index in np.argsort(-counts, kind="stable"):
        if counts[index] < least / 4:
            break
        if found and np.linalg.norm(lab[found] - lab[index], axis=1).min() < apart:
            continue
        near = even_counts[np.linalg.norm(even - lab[index], axis=1) < apart].sum()
        if counts[index] >= EXACT_SHARE * near:
            found.append(int(index))
    return levels_of(codes[found])


def _even_centers(sheets: list[SheetPixels], centers: np.ndarray, apart: float, least: float) -> np.ndarray:
    """Add the averages of even parts that have no exact value."""
    codes, counts = _tallied(sheets, lambda sheet: sheet.even & sheet.kept)
    return _with_peaks(centers, codes, counts, apart, least / 2)


def _small_centers(sheets: list[SheetPixels], centers: np.ndarray, apart: float, least: float) -> np.ndarray:
    """Add colours of parts too small or too rough to be even, edges between other colours left out."""
    known = lab_of(centers)
    codes, counts = _tallied(sheets, lambda sheet: _left_over(sheet, known, 1.5 * apart))
    return _with_peaks(centers, codes, counts, 1.5 * apart, least / 2)


def _left_over(sheet: SheetPixels, known: np.ndarray, apart: float) -> np.ndarray:
    """Return which pixels are far from every known colour and are no mixture of what lies on both their sides."""
    far = np.ones(len(sheet.codes), dtype=bool)
    if len(known):
        far = vq(sheet.lab, known)[1] > apart
    left = far[sheet.place] & sheet.kept & (sheet.change <= 4 * EVEN)
    y, x = np.nonzero(left)
    height, width = left.shape
    reach = max(2, round(sheet.side / 200))
    own = sheet.lab[sheet.place[y, x]]
    mixed = np.zeros(len(y), dtype=bool)
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        sides = []
        for sign in (-reach, reach):
            there = np.clip(y + sign * down, 0, height - 1), np.clip(x + sign * across, 0, width - 1)
            sides.append(sheet.lab[sheet.place[there]])
        way = sides[1] - sides[0]
        length = np.maximum((way**2).sum(axis=1), 1e-6)
        part = ((own - sides[0]) * way).sum(axis=1) / length
        off = np.linalg.norm(own - sides[0] - np.clip(part, 0, 1)[:, None] * way, axis=1)
        mixed |= (length > 100) & (part > 0.08) & (part < 0.92) & (off < np.maximum(4, 0.12 * np.sqrt(length)))
    left[y[mixed], x[mixed]] = False
    return left | (far[sheet.place] & sheet.kept & sheet.calm)


def _with_peaks(centers: np.ndarray, codes: np.ndarray, counts: np.ndarray, apart: float, least: float) -> np.ndarray:
    """Add to centres [S, 3] uint8 where colours crowd, from the densest down, moved to the middle of their crowd.

    Args:
        codes, counts: colours and how many pixels have each. apart: ΔE of two centres. least: pixels of a crowd.
    """
    if not len(codes):
        return centers
    lab = lab_of(levels_of(codes))
    grid, place = np.unique(np.floor(lab / 1.5).astype(np.int32), axis=0, return_inverse=True)
    place = place.ravel()
    weight = np.bincount(place, weights=counts, minlength=len(grid))
    sums = np.stack([np.bincount(place, weights=counts * lab[:, i], minlength=len(grid)) for i in range(3)], axis=1)
    mean = sums / weight[:, None]
    known = [lab_of(center) for center in centers]
    free = np.ones(len(grid), dtype=bool)
    for center in known:
        free &= np.linalg.norm(mean - center, axis=1) >= apart
    added = []
    tried = free.copy()
    while tried.any():
        start = int(np.argmax(np.where(tried, weight, -1)))
        crowd = np.linalg.norm(mean - mean[start], axis=1) < apart
        tried &= ~(np.linalg.norm(mean - mean[start], axis=1) < 0.5 * apart)
        if weight[crowd & free].sum() < least:
            continue
        center = mean[start]
        for _ in range(8):
            crowd = (np.linalg.norm(mean - center, axis=1) < apart) & free
            if not crowd.any():
                break
            center = np.average(mean[crowd], axis=0, weights=weight[crowd])
        if weight[crowd].sum() >= least and (
            not known or np.linalg.norm(np.array(known) - center, axis=1).min() >= apart
        ):
            known.append(center)
            added.append(center)
            free &= ~crowd
            tried &= ~crowd
    if not added:
        return centers
    rgb = to_rgb(torch.from_numpy(np.array(added))).mul(255).round().byte().numpy()
    return np.concatenate([centers, rgb])


def _as_palette(seen: Seen, centers: np.ndarray, order: np.ndarray, area: int) -> Extracted:
    """Name the colours in this order, each shadow behind its base.

    Args:
        centers: [S, 3] uint8. order: indices of those that are kept, largest first. area: pixels, paper left out.
    """
    shadows = shadows_of(seen, lab_of(centers), order)
    bases = [index for index in order.tolist() if index not in shadows]
    swatches, shares = [], []

    def add(index: int, name: str, role: str = "base", base: str = "") -> None:
        red, green, blue = (int(level) for level in centers[index])
        swatches.append(Swatch(name, (red, green, blue), role, base))
        shares.append(float(seen.areas[index]) / area)

    for index, name in zip(bases, numbered_names(torch.from_numpy(centers[bases])), strict=True):
        add(index, name)
        for shadow, base in shadows.items():
            if base == index:
                add(shadow, f"{name} shadow", "shadow", name)
    return Extracted(Palette(tuple(swatches)), tuple(shares))
