"""How far a picture's colours are from the right ones, and how sure that is."""

from __future__ import annotations

import numpy as np

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def to_lab(picture: np.ndarray) -> np.ndarray:
    """Convert sRGB in [0, 1], […, 3], to CIELAB (D65). Source: IEC 61966-2-1; CIE 15."""
    linear = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def difference(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return ΔE (CIE76) along the last axis."""
    return np.linalg.norm(lab - other, axis=-1)


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
    picks = np.random.default_rng(seed).integers(len(kept), size=(draws, len(kept)))
    low, high = np.percentile(kept[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
