"""From a drawing to a line map: white lines on black, which is what the sketch encoder takes."""

import logging

import torch

from ..errors import ColorizeError
from .blur import OnStrip, gaussian_blur
from .letterbox import Box, fit_box, pad_to_canvas, resize_into
from .pictures import as_grey, as_rgb

# The paper that transparent parts are laid on, by the kind of drawing.
PAPER = {"dark_on_light": 1.0, "light_on_dark": 0.0, "pencil": 1.0}

#: Mean of a line map above which it is taken for a negative.
MOSTLY_WHITE = 0.6

# Source: spec section 7, standard line art. The published blur works on floats, where the kernel reaches four
# standard deviations.
PENCIL_SIGMA = 6.0
PENCIL_RADIUS = 24
PENCIL_FAINT = 8
PENCIL_FLOOR = 16
PENCIL_GAIN = 127


def pencil_lines(rgb: torch.Tensor, on_strip: OnStrip = lambda: None) -> torch.Tensor:
    """Lift pencil strokes off uneven paper: how much darker each pixel is than its surroundings, scaled by the median.

    Args:
        rgb: [B, H, W, 3] in [0, 1], dark strokes on light paper.
        on_strip: see `OnStrip`.

    Returns:
        [B, H, W] in [0, 1], strokes light on black; every frame is scaled by itself.

    Source: spec section 7, standard line art.
    """
    levels = (rgb.movedim(-1, 1) * 255).round()
    surroundings = gaussian_blur(levels, PENCIL_SIGMA, PENCIL_RADIUS, on_strip)
    darkness = (surroundings - levels).amin(dim=1).clamp(0, 255)
    scale = torch.stack([_stroke_median(frame).clamp(min=PENCIL_FLOOR) for frame in darkness])
    return (darkness / scale[:, None, None] * PENCIL_GAIN).clamp(0, 255) / 255


def _stroke_median(darkness: torch.Tensor) -> torch.Tensor:
    """Return the median darkness of the pixels that are strokes at all, 0 when there are none."""
    strokes = darkness[darkness > PENCIL_FAINT].sort().values
    if len(strokes) == 0:
        return darkness.new_zeros(())
    return (strokes[(len(strokes) - 1) // 2] + strokes[len(strokes) // 2]) / 2


LINES = {
    "dark_on_light": lambda rgb, _: 1 - as_grey(rgb),
    "light_on_dark": lambda rgb, _: as_grey(rgb),
    "pencil": pencil_lines,
}


def prepare_line_map(
    drawing: torch.Tensor,
    width: int,
    height: int,
    lines: str = "dark_on_light",
    transparency: torch.Tensor | None = None,
    on_strip: OnStrip = lambda: None,
) -> tuple[torch.Tensor, Box]:
    """Turn a drawing of any size into a line map of the output's size, its proportions kept.

    Resizing comes first, so that the pencil mode sees strokes at the scale it is made for, however large the scan.

    Args:
        drawing: [B, H, W, C] in [0, 1], C in 1…4.
        width, height: size of the line map in pixels.
        lines: what the drawing looks like, a name from `LINES`.
        transparency: [B or 1, H', W'] in [0, 1], 1 = transparent, as Load Image gives it; counts as blank paper.
        on_strip: see `OnStrip`.

    Returns:
        line map [B, height, width, 3] in [0, 1] with blank margins, and where the drawing lies on it.
    """
    if lines not in LINES:
        raise ColorizeError(f"`lines` is {lines!r}, expected one of {', '.join(LINES)}.")
    if width < 1 or height < 1:
        raise ColorizeError(f"A line map of {width}×{height} pixels was asked for, expected at least 1×1.")
    rgb = as_rgb(drawing, PAPER[lines], transparency=transparency)
    box = fit_box(rgb.shape[1], rgb.shape[2], height, width)
    line_map = LINES[lines](resize_into(rgb, box), on_strip)
    return pad_to_canvas(line_map[..., None].expand(-1, -1, -1, 3), box, blank=0.0), box


def warn_of_negative(line_map: torch.Tensor, lines: str) -> None:
    """Say in the log when a line map looks like a negative, because another kind of drawing was chosen."""
    if line_map.mean() > MOSTLY_WHITE:
        logging.warning("The line map is mostly white: lines = %s does not seem to fit this drawing.", lines)
