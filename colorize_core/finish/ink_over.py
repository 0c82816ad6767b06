"""A drawing's own lines laid over its colours, at the drawing's size and without fringes."""

import math

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter, label
from scipy.ndimage import maximum as largest
from torch import Tensor

from ..prepare.blur import OnStrip
from ..prepare.pictures import resize_picture
from .color import to_lab, to_rgb
from .drawn_lines import without_trace
from .ink import drawn_ink, whitened
from .regions import Regions, color_sums

LINE_COLORS = ("drawing", "black", "color", "tinted")
#: Lightness of a tinted line over that of the colour beside it.
DARKEN = 0.55
#: How far a tinted line's colour is smoothed: two standard deviations over the drawing's shorter side, and in pixels at
#: least.
SMOOTH, LEAST_SMOOTH = 0.006, 3.0
#: How far enlarging blurs a picture's own lines, in the picture's pixels.
BLURRED = 1.5
#: Directions in which a trace line's neighbours are looked for, and how far at most, in pixels.
DIRECTIONS, FARTHEST = 16, 64


def ink_over(
    image: Tensor,
    drawing: Tensor,
    line_color: str = "drawing",
    color: tuple[int, int, int] = (0, 0, 0),
    strength: float = 1.0,
    regions: Regions | None = None,
    on_strip: OnStrip = lambda: None,
) -> tuple[Tensor, Tensor]:
    """Lay the lines of one drawing over its colours: colour · (1 − ink) + line · ink.

    Below ink, at soft edges too, lies the colour of the nearest pixel without any, so that lines which the picture has
    itself do not show beside the drawing's. Where the drawing is paper the picture keeps its bytes.

    Args:
        image: [1, H', W', 3] in [0, 1]; brought to the drawing's size.
        drawing: [1, H, W, 3] in [0, 1], dark lines on light paper.
        line_color: of `LINE_COLORS`. `drawing`: as drawn, with the ink's own colour and paleness. `tinted`: darker than
            what lies beside the line.
        color: of the lines for `color`, each in 0 … 255.
        strength: of the lines, in [0, 1]; 0 leaves the colours without lines.
        regions: one frame of the drawing's size; its trace lines are no ink and become the darker colour beside them.
        on_strip: see `OnStrip`; called between the steps.

    Returns:
        picture [1, H, W, 3], and the ink that was laid on it [1, H, W], both in [0, 1].
    """
    height, width = drawing.shape[1:3]
    fill = resize_picture(image, height, width).cpu()
    white = whitened(drawing).cpu()
    # As little ink as can be, as dark as it must be: on white this gives the drawing again, and no line is lighter than
    # the colour that it lies on. Source: "colour to alpha" of paint programs.
    cover = 1 - white.amin(dim=-1)
    ink = cover if line_color == "drawing" else drawn_ink(drawing).cpu()
    ink, trace = without_trace(drawing.cpu(), ink, regions)
    on_strip()
    base = _clean_below(fill, ink, trace, on_strip=on_strip)
    on_strip()
    laid = ink[..., None] * strength
    if line_color == "drawing":
        share = (ink / cover.clamp(min=1e-6)).clamp(0, 1)  # less than all of it where a trace line was taken out
        line = (white - white.amin(dim=-1, keepdim=True)) * share[..., None] * strength
    elif line_color == "tinted":
        scale = max(height / image.shape[1], width / image.shape[2])
        beside = _clean_below(fill, ink, trace, math.ceil(BLURRED * scale), on_strip) if scale > 1 else base
        line = _tint(beside, ink, regions) * laid
    else:
        line = base.new_tensor(color if line_color == "color" else (0, 0, 0)) / 255 * laid
    over = (base * (1 - laid) + line).clamp(0, 1)
    return torch.where(laid > 0, over, base), laid[..., 0]


def _clean_below(fill: Tensor, ink: Tensor, trace: Tensor, margin: int = 0, on_strip: OnStrip = lambda: None) -> Tensor:
    """Return the colours [1, H, W, 3] with those below lines taken from beside them.

    Args:
        margin: pixels beside a line into which the picture's own lines were blurred; colours come from beyond it where
            that is not across another line.
    """
    lines, traced = (ink[0] > 0).numpy(), (trace[0] > 0).numpy()
    clean = ~(lines | traced)
    if clean.all() or not clean.any():
        return fill
    away, (rows, columns) = distance_transform_edt(~clean, return_indices=True)
    if margin:
        deep = distance_transform_edt(clean) > margin
        if deep.any():
            farther, places = distance_transform_edt(~deep, return_indices=True)
            same = (farther <= away + margin + 1.5) & ~clean
            rows, columns = np.where(same, places, (rows, columns))
    colors = fill[0].numpy()
    below = colors[rows, columns]
    if traced.any():
        below[traced] = _darker_beside(colors, lines & ~traced, traced, below, on_strip)
    return torch.from_numpy(below)[None]


def _darker_beside(
    colors: np.ndarray, lines: np.ndarray, traced: np.ndarray, nearest: np.ndarray, on_strip: OnStrip
) -> np.ndarray:
    """Return for every pixel of trace lines the darkest of the colours that bound them there: [n, 3].

    From each pixel rays go out until they leave the trace line, as far as across it; those that meet ink count as not
    having left it. Source: opentoonz, "autopaint for lines": a border's pixels go to the darker side.

    Args:
        colors: [H, W, 3]. lines, traced: [H, W] bool. nearest: [H, W, 3], the colour of the nearest pixel without line.
    """
    height, width = traced.shape
    parts, count = label(traced, structure=np.ones((3, 3)))
    depth = distance_transform_edt(traced)
    across = 2 * np.asarray(largest(depth, parts, np.arange(count + 1))) + 1
    y, x = np.nonzero(traced)
    reach = np.minimum(across[parts[y, x]], FARTHEST)
    found = nearest[y, x].copy()
    lightness = _lightness(found)
    for turn in np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS):
        on_strip()
        going = np.arange(len(y))
        for step in range(1, int(reach.max()) + 1):
            to_y = np.round(y[going] + step * np.sin(turn)).astype(np.int64)
            to_x = np.round(x[going] + step * np.cos(turn)).astype(np.int64)
            inside = (to_y >= 0) & (to_y < height) & (to_x >= 0) & (to_x < width) & (step <= reach[going])
            going, to_y, to_x = going[inside], to_y[inside], to_x[inside]
            on_trace, on_line = traced[to_y, to_x], lines[to_y, to_x]
            out = ~(on_trace | on_line)
            there, pixels = colors[to_y[out], to_x[out]], going[out]
            light = _lightness(there)
            darker = light < lightness[pixels]
            found[pixels[darker]], lightness[pixels[darker]] = there[darker], light[darker]
            going = going[on_trace]
            if not len(going):
                break
    return found


def _lightness(colors: np.ndarray) -> np.ndarray:
    """Return the L of CIELAB of colours [n, 3] in [0, 1]."""
    return to_lab(torch.from_numpy(np.ascontiguousarray(colors)))[:, 0].numpy()


def _tint(beside: Tensor, ink: Tensor, regions: Regions | None) -> Tensor:
    """Return the colours [1, H, W, 3] of tinted lines: what lies beside them, smoothed along the line and darkened.

    Args:
        beside: [1, H, W, 3], below ink the colour beside it. regions: give every pixel its region's mean colour.
    """
    colors, lines = beside[0].numpy(), (ink[0] > 0).numpy()
    if not lines.any():
        return beside
    if regions is not None:
        colors = _region_colors(colors, lines, regions.filled[0].cpu().numpy())
    weight = lines.astype(np.float32)
    sigma = max(SMOOTH * min(lines.shape), LEAST_SMOOTH) / 2
    smooth = np.stack([gaussian_filter(colors[..., c] * weight, sigma) for c in range(3)], axis=-1)[lines]
    smooth /= np.maximum(gaussian_filter(weight, sigma)[lines], 1e-6)[:, None]
    lab = to_lab(torch.from_numpy(smooth).clamp(0, 1))
    lab[:, 0] *= DARKEN
    tinted = beside.clone()
    tinted[0][torch.from_numpy(lines)] = to_rgb(lab)
    return tinted


def _region_colors(colors: np.ndarray, lines: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Return colours [H, W, 3] in which each region has its mean off the lines; those that have none stay."""
    labels = np.where(lines, 0, filled).ravel()
    count = int(filled.max(initial=0)) + 1
    sums, area = color_sums(labels, colors.reshape(-1, 3), count)
    means = (sums / np.maximum(area, 1)[:, None]).astype(np.float32)
    known = (filled > 0) & (area[filled] > 0)
    return np.where(known[..., None], means[filled], colors)
