"""From a picture to its character mask, with the network's work left to a function that is handed in.

Source: spec section 7, segmentation.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..errors import ColorizeError
from .letterbox import Box, fit_box

#: [1, 3, S, S] -> [1, 1, S, S] in [0, 1].
Network = Callable[[torch.Tensor], torch.Tensor]

#: The published size of the network's input.
SIZE = 1024

# What transparent parts of a picture of each kind are laid on.
PAPER = {"color": 1.0, "line_map": 0.0, "drawing": 1.0}


def bicubic(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize [B, C, H, W] as the published program does, without antialiasing; the same size comes back untouched."""
    if x.shape[-2:] == (height, width):
        return x
    return F.interpolate(x, size=(height, width), mode="bicubic", align_corners=False)


def segment_color(network: Network, rgb: torch.Tensor, size: int, height: int, width: int) -> torch.Tensor:
    """Segment a colour picture: proportions kept on a black canvas, fed inverted."""
    box = fit_box(rgb.shape[1], rgb.shape[2], size, size)
    canvas = rgb.new_zeros(1, 3, size, size)
    inside = (..., slice(box.top, box.top + box.height), slice(box.left, box.left + box.width))
    canvas[inside] = bicubic(rgb.movedim(-1, 1), box.height, box.width)
    return bicubic(network(1 - canvas)[inside], height, width)


def segment_drawing(network: Network, rgb: torch.Tensor, size: int, height: int, width: int) -> torch.Tensor:
    """Segment a drawing on white paper: squeezed to a square, fed in [-1, 1]."""
    return bicubic(network(bicubic(rgb.movedim(-1, 1) * 2 - 1, size, size)), height, width)


def segment_line_map(network: Network, rgb: torch.Tensor, size: int, height: int, width: int) -> torch.Tensor:
    """Segment a line map, which is a drawing inverted."""
    return segment_drawing(network, 1 - rgb, size, height, width)


KINDS = {"color": segment_color, "line_map": segment_line_map, "drawing": segment_drawing}


def check_box_fits(box: Box, height: int, width: int) -> None:
    """Refuse a box that was made for a picture of other proportions than height×width."""
    own = fit_box(height, width, box.canvas_height, box.canvas_width)
    if max(abs(own.width - box.width), abs(own.height - box.height)) > 1:
        raise ColorizeError(
            f"`box` is {box.width}×{box.height}, made for other proportions than those of `image` ({width}×{height}): "
            "wire the drawing that Prepare Sketch was given, or leave `box` open."
        )


def segment_frame(
    network: Network, rgb: torch.Tensor, kind: str = "color", size: int = SIZE, box: Box | None = None
) -> torch.Tensor:
    """Return the character mask of one picture, in the picture's size or letterboxed as a prepared sketch is.

    Args:
        network: maps [1, 3, size, size] to [1, 1, size, size].
        rgb: [1, H, W, 3] in [0, 1].
        kind: what the picture is, a name from `KINDS`.
        size: side of the network's square input in pixels.
        box: where the picture lies on a canvas.

    Returns:
        [1, H, W] in [0, 1], or [1, box.canvas_height, box.canvas_width] with 0 around the box.
    """
    if kind not in KINDS:
        raise ColorizeError(f"`kind` is {kind!r}, expected one of {', '.join(KINDS)}.")
    if box is not None:
        check_box_fits(box, rgb.shape[1], rgb.shape[2])
    height, width = (box.height, box.width) if box else rgb.shape[1:3]
    mask = KINDS[kind](network, rgb, size, height, width)[:, 0].clamp(0, 1)
    if box is None:
        return mask
    canvas = mask.new_zeros(1, box.canvas_height, box.canvas_width)
    canvas[:, box.top : box.top + height, box.left : box.left + width] = mask
    return canvas
