"""How far a picture's colours are from the right ones, and how sure that is."""

from __future__ import annotations

import numpy as np
import torch

from comfy_path import import_core

#: Values that a bootstrap draws at a time, for memory.
PICKS = 1 << 22

color = import_core("finish.color")


def to_lab(picture: np.ndarray) -> np.ndarray:
    """Convert sRGB in [0, 1], […, 3], to CIELAB (D65)."""
    lab: np.ndarray = color.to_lab(torch.from_numpy(np.asarray(picture, dtype=np.float64))).numpy()
    return lab


def difference(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return ΔE (CIE76) along the last axis."""
    different: np.ndarray = color.difference_76(torch.from_numpy(lab), torch.from_numpy(other)).numpy()
    return different


def region_error(lab: np.ndarray, right: np.ndarray, region: np.ndarray) -> float:
    """ΔE between the mean colours of a region [H, W] bool; NaN where the region is empty."""
    if not region.any():
        return float("nan")
    return float(difference(lab[region].mean(axis=0), right[region].mean(axis=0)))


def pixel_error(lab: np.ndarray, right: np.ndarray, region: np.ndarray) -> float:
    """Mean ΔE of a region's pixels; NaN where the region is empty."""
    return float(difference(lab[region], right[region]).mean()) if region.any() else float("nan")


def bootstrap(values: np.ndarray, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values` [N], drawn with replacement; NaNs are left out."""
    kept = values[~np.isnan(values)]
    rng, at_once = np.random.default_rng(seed), max(1, PICKS // len(kept))
    means = [
        kept[rng.integers(len(kept), size=(min(at_once, draws - done), len(kept)))].mean(axis=1)
        for done in range(0, draws, at_once)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)
