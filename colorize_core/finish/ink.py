"""How much ink lies on every pixel of a drawing: paper is 0, a full line is 1.

Ink is darkness between two levels that are found for each picture. A clean digital drawing has white paper and black
lines, and its ink is exactly one minus its brightness; a scan has grey paper with noise, a pencil drawing pale lines.
"""

import numpy as np
import torch
from torch import Tensor

#: Paper is lighter than this, whatever was drawn with.
LEAST_PAPER = 0.35
#: Share of the light pixels that the paper takes at least; lighter spots are highlights or correction fluid.
PAPER_SHARE = 0.02
#: Half width, in levels of 255, of the paper's peak in the histogram, and of what is one peak with it.
PEAK, NEIGHBOURHOOD = 4, 8
#: The paper's level lies so many standard deviations of its noise below its peak, and at most so deep.
NOISE_DEVIATIONS, DEEPEST_NOISE = 4.5, 0.2
#: By so many of them the darkest hundredth of it lies below black that has noise.
NOISE_OF_DARKEST = 2.0
#: A normal distribution's standard deviation over the median of its absolute deviations.
DEVIATION_OF_MEDIAN = 1.4826
#: What is darker than paper by this share of it is ink for certain; this share of it is as dark as the ink's level.
CERTAIN, DARKEST_SHARE = 0.1, 0.01
#: Ink up to here is black.
BLACK = 4 / 255
#: Cells along each side in which the paper of a scan is looked up, and unevenness that is left alone.
CELLS, EVEN = 16, 0.02
#: Share of the cells that have the very same paper where none of it is in shadow.
FLAT = 0.3
#: Chroma of the pure line, in [0, 1], below which it is ink and above which it is a trace line.
TRACE_CHROMA = (0.45, 0.65)
#: Hues of trace lines in degrees, each with the distance up to which it counts and where it ends. Red is narrow, for
#: skin and brown lie beside it.
TRACE_HUES = ((0.0, 12.0, 18.0), (120.0, 25.0, 40.0), (240.0, 25.0, 40.0))


def paper_and_ink_levels(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Find the brightness at which each picture's paper ends and at which its ink is full.

    Paper is the lightest peak of the histogram, however little of it there is beside black areas, less its noise. Ink
    is the darkest of what is not paper, however little of that there is. Without any ink its level is 0, without any
    paper the paper's is 1.

    Args:
        grey: [B, H, W] in [0, 1], dark lines on light paper.

    Returns:
        paper [B], ink [B], float32, 0 ≤ ink < paper ≤ 1.
    """
    levels = [_levels(_even(frame)) for frame in _frames(grey)]
    paper, ink = zip(*levels, strict=True)
    return grey.new_tensor(paper, dtype=torch.float32), grey.new_tensor(ink, dtype=torch.float32)


def ink_amount(grey: Tensor) -> Tensor:
    """Return how much ink lies on every pixel, linear between paper and ink.

    Args:
        grey: [B, H, W] in [0, 1], dark lines on light paper; uneven paper of a scan is evened out.

    Returns:
        [B, H, W] in [0, 1], 1 = ink, float32; exactly 1 − grey where white paper and black ink are pure.
    """
    amounts = []
    for frame in _frames(grey):
        even = _even(frame)
        paper, ink = _levels(even)
        amounts.append(np.clip((paper - even) / (paper - ink), 0, 1))
    return torch.from_numpy(np.stack(amounts)).to(grey.device)


def whitened(rgb: Tensor) -> Tensor:
    """Bring the paper of drawings to pure white, and leave the ink as dark and as coloured as it was drawn.

    Args:
        rgb: [B, H, W, 3] in [0, 1].

    Returns:
        [B, H, W, 3] in [0, 1], float32; a drawing on white paper comes back bit for bit.
    """
    pictures = []
    for frame in _frames(rgb):
        grey = (frame[..., 1:] == frame[..., :1]).all()
        channels = []
        for channel in np.moveaxis(frame, -1, 0)[: 1 if grey else 3]:
            even = _even(channel)
            channels.append(np.clip(even / _levels(even)[0], 0, 1))
        pictures.append(np.stack(channels * 3 if grey else channels, axis=-1))
    return torch.from_numpy(np.stack(pictures)).to(rgb.device)


def drawn_ink(rgb: Tensor) -> Tensor:
    """Return the ink of drawings whose lines may be coloured: a red line is as full as a black one.

    Args:
        rgb: [B, H, W, 3] in [0, 1].

    Returns:
        [B, H, W] in [0, 1], float32; for grey drawings the same as `ink_amount`.
    """
    return ink_amount(whitened(rgb).amin(dim=-1))


def trace_lines(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Tell lines in red, green or blue, which bound an area and are not drawn, from ink.

    A pixel's pure line colour is what must have been laid on white paper, as thinly as can be, to give the pixel. It is
    a trace line's where its chroma is high and its hue near pure red, green or blue; grey, brown and skin are ink.

    Args:
        rgb: [B, H, W, 3] in [0, 1].

    Returns:
        ink [B, H, W] without trace lines, and how much of a trace line each pixel is [B, H, W], both in [0, 1]. Their
        sum is `drawn_ink`.
    """
    white = whitened(rgb)
    amount = ink_amount(white.amin(dim=-1))
    least, most = white.amin(dim=-1), white.amax(dim=-1)
    cover = 1 - least
    chroma = (most - least) / cover.clamp(min=1e-6)
    hue = _hue(white, most, least)
    near = torch.zeros_like(hue)
    for center, full, none in TRACE_HUES:
        away = ((hue - center + 180) % 360 - 180).abs()
        near = torch.maximum(near, ((none - away) / (none - full)).clamp(0, 1))
    low, high = TRACE_CHROMA
    trace = amount * near * ((chroma - low) / (high - low)).clamp(0, 1)
    return amount - trace, trace


def _hue(rgb: Tensor, most: Tensor, least: Tensor) -> Tensor:
    """Return hues in degrees, 0 for greys. Source: the HSV hexcone, Smith, "Color Gamut Transform Pairs", 1978."""
    red, green, blue = rgb.unbind(-1)
    span = (most - least).clamp(min=1e-6)
    hue = torch.where(most == red, (green - blue) / span % 6, (red - green) / span + 4)
    return 60 * torch.where((most == green) & (most != red), (blue - red) / span + 2, hue)


def _frames(batch: Tensor) -> list[np.ndarray]:
    return list(batch.detach().float().clamp(0, 1).cpu().numpy())


def _levels(grey: np.ndarray) -> tuple[float, float]:
    """Return the levels of paper and ink of one picture [H, W]; see `paper_and_ink_levels`."""
    paper, noise = _paper(grey)
    ink = grey[grey < paper * (1 - CERTAIN)]
    if not len(ink):
        return paper, 0.0
    at = int(DARKEST_SHARE * len(ink))
    darkest = float(np.partition(ink, at)[at])
    if noise:  # The darkest of a noisy black lie below it.
        darkest = min(darkest + NOISE_OF_DARKEST * noise, (darkest + paper) / 2)
    return paper, darkest if darkest > BLACK else 0.0


def _paper(grey: np.ndarray) -> tuple[float, float]:
    """Return the level of paper of one picture [H, W], where its noise ends below, and the noise's deviation."""
    light = grey[grey > LEAST_PAPER]
    if not len(light):
        return 1.0, 0.0
    counts = np.bincount(np.round(light * 255).astype(np.int64), minlength=256)
    peaks = np.convolve(counts, np.ones(2 * PEAK + 1), mode="same")
    padded = np.pad(peaks, NEIGHBOURHOOD)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURHOOD + 1).max(axis=1)
    (found,) = np.nonzero((peaks == highest) & (peaks >= PAPER_SHARE * len(light)))
    level = int(found[-1])
    # A window around a single level is as full anywhere on it: there the level itself is the paper's.
    start = max(level - PEAK, 0)
    window = counts[start : level + PEAK + 1]
    level = start + int(window.argmax()) if 2 * window.max() > window.sum() else level
    near = light[np.abs(np.round(light * 255) - level) <= PEAK]
    peak = float(np.median(near))
    # Above its peak paper has nothing but noise; where white cuts that off, what lies just below is looked at.
    above = light[light >= peak] - peak if level < 253 else np.abs(light[light >= 1 - 10 / 255] - peak)
    middle = float(np.median(above)) if len(above) else 0.0
    noise = DEVIATION_OF_MEDIAN * (middle + 0.5 / 255) if middle > 0 else 0.0  # half a level that rounding may hide
    return max(peak - min(NOISE_DEVIATIONS * noise, DEEPEST_NOISE), LEAST_PAPER / 2), noise


def _even(grey: np.ndarray) -> np.ndarray:
    """Even out paper that gets darker towards a side or the corners, as in photographs and scans of books.

    A surface of second degree is laid through the paper of the picture's cells; cells that are darker than it are drawn
    on, and left out.

    Args:
        grey: [H, W] in [0, 1].

    Returns:
        [H, W] in [0, 1]; even paper comes back untouched.
    """
    height, width = grey.shape
    if min(height, width) < 4 * CELLS:
        return grey
    rows, columns = height // CELLS, width // CELLS
    cells = grey[: rows * CELLS, : columns * CELLS].reshape(CELLS, rows, CELLS, columns)
    paper = np.percentile(cells, 80, axis=(1, 3)).ravel()
    y, x = (side.ravel() for side in np.mgrid[-1 : 1 : CELLS * 1j, -1 : 1 : CELLS * 1j])
    kept = paper > LEAST_PAPER
    flat = np.unique(paper, return_counts=True)[1].max() > FLAT * len(paper)
    if flat or kept.sum() < 4 * CELLS or np.ptp(paper[kept]) <= EVEN:
        return grey
    terms = _second_degree(x, y)
    for _ in range(6):
        fit = np.linalg.lstsq(terms[kept], paper[kept], rcond=None)[0]
        away = paper - terms @ fit
        closer = np.abs(away) <= max(EVEN, 2 * DEVIATION_OF_MEDIAN * float(np.median(np.abs(away[kept]))))
        if closer.sum() < 4 * CELLS or (closer == kept).all():
            break
        kept = closer
    # Paper all over, and one smooth surface through it: else the cells are areas of tone, not shadows on paper.
    surface = terms @ fit
    if kept.mean() < 0.5 or np.ptp(surface) <= EVEN or surface.min() < LEAST_PAPER:
        return grey
    across, down = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    a, b, c, d, e, f = fit.astype(np.float32)
    light = a + b * across + d * across**2 + (c * down + f * down**2)[:, None] + e * down[:, None] * across
    return np.clip(grey * (np.float32(surface.max()) / np.maximum(light, LEAST_PAPER)), 0, 1)


def _second_degree(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the terms [n, 6] of a surface of second degree at n places."""
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
