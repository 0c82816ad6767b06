"""Base and shadow inside a region, their edge where the picture has it."""

import numpy as np
from scipy.ndimage import gaussian_filter, label
from torch import Tensor

from .basins import nearest
from .palette import Palette
from .regions import color_sums
from .votes import vote_weights

#: Two tones are there where they lie at least so far apart, in parts of the way from base to shadow …
APART = 0.35
#: … and each takes at least this share of the region.
LEAST_SHARE = 0.04
#: Lightness of the way from a colour to its shadow, where no palette says it.
TONE_STEP = 20.0
#: Rounds in which the two tones of a region are looked for.
ROUNDS = 6
#: The edge is smoothed over this share of the shorter side.
SMOOTH = 1 / 700
#: Specks of fewer pixels, at 1024², belong to what is around them.
SPECK = 48
#: Pixels whose votes count less than this are mixed with the line, and take the tone of the nearest clear one.
CLEAR_WEIGHT = 0.5


def shaded(
    paint: np.ndarray,
    lab: Tensor,
    filled: np.ndarray,
    swatch: np.ndarray,
    lines: np.ndarray,
    palette: Palette,
    seen: Tensor,
) -> np.ndarray:
    """Paint the regions whose swatch has a shadow, or is one, in both.

    Args:
        paint: [H, W] int16, the swatch of each pixel's region. lab: [H, W, 3]. filled: [H, W] int32.
        swatch: [R] int64. lines: [H, W] bool.
        seen: [S + 1, 3], CIELAB, the swatches as the picture has them.

    Returns:
        [H, W] int16.
    """
    base, shadow = pairs(swatch, palette)
    toned = base != shadow
    if not toned.any():
        return paint
    colors = seen.numpy()
    way = colors[shadow] - colors[base]
    length = np.maximum((way**2).sum(axis=1), 1e-6)
    depth = ((lab.numpy() - colors[base][filled]) * way[filled]).sum(axis=-1) / length[filled]
    weights = vote_weights(lines)
    clear = weights >= CLEAR_WEIGHT
    inside = toned[filled] & clear
    if not inside.any():
        return paint
    depth = smoothed(depth, inside, min(filled.shape) * SMOOTH)
    dark = depth > split(depth, filled, inside, weights, len(swatch))[filled]
    found = nearest(inside)
    near = filled[tuple(found)] == filled
    largest = np.bincount(filled[inside], dark[inside], len(swatch)) * 2 > np.bincount(
        filled[inside], minlength=len(swatch)
    )
    dark = np.where(near, dark[tuple(found)], largest[filled])
    dark = without_specks(dark, filled, toned, SPECK * filled.size / 1024**2)
    return np.where(toned[filled], np.where(dark, shadow[filled], base[filled]), paint).astype(np.int16)


def pairs(swatch: np.ndarray, palette: Palette) -> tuple[np.ndarray, np.ndarray]:
    """Return each region's base and shadow [R]; both the same where the palette has no pair."""
    names = {s.name: index for index, s in enumerate(palette.swatches)}
    base, shadow = swatch.copy(), swatch.copy()
    for region, index in enumerate(swatch):
        if index < 0:
            continue
        own = palette.swatches[index]
        first = names.get(own.base, index) if own.role == "shadow" else index
        base[region], shadow[region] = first, palette.shadow_of(int(first))
        if base[region] == shadow[region]:
            base[region] = shadow[region] = index
    return np.maximum(base, 0), np.maximum(shadow, 0)


def smoothed(values: np.ndarray, inside: np.ndarray, sigma: float) -> np.ndarray:
    """Blur values [H, W] among the pixels inside only."""
    weight = gaussian_filter(inside.astype(np.float32), sigma)
    return gaussian_filter(np.where(inside, values, 0).astype(np.float32), sigma) / np.maximum(weight, 1e-6)


def split(depth: np.ndarray, filled: np.ndarray, inside: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Find the depth that parts base and shadow in each region, by two means.

    Args:
        depth: [H, W], 0 = base, 1 = shadow, both as the palette has them; a picture's own may lie a little off.

    Returns:
        [count]; infinite where there is only base, minus infinite where there is only shadow.
    """
    region, value, weight = filled[inside], depth[inside], weights[inside]
    total = np.maximum(np.bincount(region, weight, count), 1e-12)
    mean = np.bincount(region, weight * value, count) / total
    low, high = mean - 0.5, mean + 0.5
    share = np.zeros(count)
    for _ in range(ROUNDS):
        dark = value > ((low + high) / 2)[region]
        shadow = np.bincount(region, weight * dark, count)
        lit = total - shadow
        high = np.where(shadow > 0, np.bincount(region, weight * value * dark, count) / np.maximum(shadow, 1e-12), high)
        low = np.where(lit > 0, np.bincount(region, weight * value * ~dark, count) / np.maximum(lit, 1e-12), low)
        share = shadow / total
    both = (high - low >= APART) & (share >= LEAST_SHARE) & (share <= 1 - LEAST_SHARE)
    return np.where(both, (low + high) / 2, np.where(mean > 0.5, -np.inf, np.inf))


def lit_and_shaded(
    lab: Tensor, filled: np.ndarray, lines: np.ndarray, median: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Part the regions that have two tones without being told which.

    Args:
        lab: [H, W, 3]. filled: [H, W] int32. lines: [H, W] bool. median: [R, 3] of each region, CIELAB.

    Returns:
        the lit tone [R, 3], the median where there is but one; the shadow [R, 3], NaN where there is none.
    """
    weights = vote_weights(lines)
    clear = weights >= CLEAR_WEIGHT
    count = len(median)
    depth = (100 - lab[..., 0].numpy()) / TONE_STEP
    edge = split(depth, filled, clear, weights, count)
    both = np.isfinite(edge)
    lit, shadow = median.copy(), np.full_like(median, np.nan)
    region, dark = filled[clear], (depth > edge[filled])[clear]
    for tone, where in ((lit, ~dark), (shadow, dark)):
        sums, pixels = color_sums(region[where], lab.numpy()[clear][where], count)
        tone[both] = (sums / np.maximum(pixels, 1)[:, None])[both]
    return lit, shadow


def without_specks(dark: np.ndarray, filled: np.ndarray, toned: np.ndarray, least: float) -> np.ndarray:
    """Turn over what is smaller than `least` pixels in either tone."""
    for tone in (True, False):
        parts, count = label((dark == tone) & toned[filled])
        small = np.bincount(parts.ravel(), minlength=count + 1) < least
        small[0] = False
        areas = np.bincount(filled.ravel())
        speck = small[parts] & (areas[filled] > 2 * least)
        dark = np.where(speck, ~dark, dark)
    return dark
