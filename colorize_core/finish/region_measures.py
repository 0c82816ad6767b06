"""Measures of regions and of swatches: whose colour is whose."""

from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .color import difference_2000
from .regions import NO_SWATCH, Regions

#: Ink from here on is a line, whose colour says nothing of the fill's.
LINE = 0.05
#: How far from ink a wrong pixel is fringe, in pixels.
FRINGE = 3

#: Numbers by name, and what they were taken against; None where something is missing.
Measures = dict[str, Any]


def beside_lines(ink: np.ndarray) -> np.ndarray:
    """Tell which pixels [H, W] are off the lines and within `FRINGE` of one."""
    off = ink < LINE
    if off.all():
        return np.zeros_like(off)
    return off & (distance_transform_edt(off) <= FRINGE)


def medians(values: Tensor, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the median [count, 3] of each label's pixels, channel by channel; NaN for label 0 and for empty ones."""
    order = np.argsort(labels, axis=None, kind="stable")
    sizes = np.bincount(labels.ravel(), minlength=count)
    ends = np.cumsum(sizes)
    flat = values.reshape(-1, 3).numpy()
    found = np.full((count, 3), np.nan, dtype=np.float32)
    for region in range(1, count):
        if sizes[region]:
            found[region] = np.median(flat[order[ends[region] - sizes[region] : ends[region]]], axis=0)
    return found


def by_region(
    lab: Tensor,
    target: Tensor | None,
    regions: Regions | None,
    own: np.ndarray | None,
    wanted: np.ndarray | None,
    off: np.ndarray,
) -> Measures:
    """Compare the median colours of regions with the median of what they should be."""
    names = ("region_delta_e_mean", "region_delta_e_worst", "region_worst", "regions_right")
    values: Measures = {"regions": None} | dict.fromkeys(names)
    if regions is None or target is None:
        return values
    filled = regions.filled[0].cpu().numpy()
    count = int(filled.max(initial=0)) + 1
    labels = np.where(off, filled, 0)
    own_medians, rights = (medians(each, labels, count) for each in (lab, target))
    known = np.nonzero(np.isfinite(own_medians[:, 0]) & np.isfinite(rights[:, 0]))[0]
    values["regions"] = len(known)
    if not len(known):
        return values
    away = difference_2000(torch.from_numpy(own_medians[known]), torch.from_numpy(rights[known])).numpy()
    worst = int(away.argmax())
    values["region_delta_e_mean"], values["region_delta_e_worst"] = float(away.mean()), float(away[worst])
    values["region_worst"] = int(known[worst])
    if own is not None and wanted is not None:
        has, should = (_most_common(each, labels, count)[known] for each in (own, wanted))
        values["regions_right"] = float((has == should)[should != NO_SWATCH].mean()) if (should >= 0).any() else None
    return values


def _most_common(swatches: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the swatch that most pixels of each label have [count], `NO_SWATCH` where most have none."""
    kinds = int(swatches.max(initial=0)) + 2
    votes = np.bincount((labels.astype(np.int64) * kinds + swatches + 1).ravel(), minlength=count * kinds)
    return votes.reshape(count, kinds).argmax(axis=1) - 1


def swatch_shares(
    own: np.ndarray | None, wanted: np.ndarray | None, regions: Regions | None, ink: np.ndarray
) -> Measures:
    """Count pixels with a wrong swatch: all, those that have a neighbour's, and those beside a line."""
    values: Measures = {"right_swatch": None, "leak": None, "fringe": None}
    if own is None or wanted is None:
        return values
    off = (ink < LINE) & (wanted != NO_SWATCH)
    if not off.any():
        return values
    wrong = own != wanted
    values["right_swatch"] = float(1 - wrong[off].mean())
    beside = beside_lines(ink) & off
    values["fringe"] = float(wrong[beside].mean()) if beside.any() else None
    if regions is not None:
        filled = regions.filled[0].cpu().numpy()
        at = wrong & off & (filled > 0)
        values["leak"] = float(_has_neighbours(filled, own, wanted)[at].sum() / off.sum())
    return values


def _has_neighbours(filled: np.ndarray, own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Tell where a pixel's swatch [H, W] is that of a region beside its own."""
    count, kinds = int(filled.max(initial=0)) + 1, int(own.max(initial=0)) + 1
    kinds = max(kinds, int(wanted.max(initial=0)) + 1)
    swatch = _most_common(wanted, filled, count)
    pairs: set[tuple[int, int]] = set()
    for a, b in ((filled[:, :-1], filled[:, 1:]), (filled[:-1], filled[1:])):
        differ = a != b
        pairs |= set(map(tuple, np.unique(np.stack([a[differ], b[differ]], axis=1), axis=0).tolist()))
    offered = np.zeros((count, kinds), dtype=bool)
    for first, second in pairs:
        for one, other in ((first, second), (second, first)):
            if one and other and swatch[other] != NO_SWATCH:
                offered[one, swatch[other]] = True
    return offered[filled, own]
