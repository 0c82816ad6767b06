"""Letterboxing: a drawing of any proportions centred on a canvas of the output's size, and cut out of it again."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from .pictures import resize_picture


@dataclass(frozen=True)
class Box:
    """Where a drawing lies on its canvas, all in pixels of the canvas."""

    left: int
    top: int
    width: int
    height: int
    canvas_width: int
    canvas_height: int


def fit_box(height: int, width: int, canvas_height: int, canvas_width: int) -> Box:
    """Return the largest centred box with the proportions height:width; its thinner side has at least one pixel."""
    scale = min(canvas_width / width, canvas_height / height)
    box_width = min(canvas_width, max(1, round(width * scale)))
    box_height = min(canvas_height, max(1, round(height * scale)))
    left, top = (canvas_width - box_width) // 2, (canvas_height - box_height) // 2
    return Box(left, top, box_width, box_height, canvas_width, canvas_height)


def resize_into(image: torch.Tensor, box: Box) -> torch.Tensor:
    """Resize a picture [B, H, W, C] to the box's own size."""
    return resize_picture(image, box.height, box.width)


def pad_to_canvas(image: torch.Tensor, box: Box, blank: float) -> torch.Tensor:
    """Surround a picture of the box's size with blank.

    Args:
        image: [B, box.height, box.width, C].
        blank: the level of the margins.

    Returns:
        [B, canvas_height, canvas_width, C].
    """
    right = box.canvas_width - box.left - box.width
    bottom = box.canvas_height - box.top - box.height
    return F.pad(image, (0, 0, box.left, right, box.top, bottom), value=blank)


def crop_to_box(image: torch.Tensor, box: Box) -> torch.Tensor:
    """Cut the drawing out of a picture of the canvas, which may have been scaled since (an upscaled result).

    Args:
        image: [B, H, W, C]; H×W stands for the whole canvas.

    Returns:
        [B, h, w, C], h and w at least 1.
    """
    top, bottom = _scaled_span(box.top, box.height, image.shape[1] / box.canvas_height)
    left, right = _scaled_span(box.left, box.width, image.shape[2] / box.canvas_width)
    return image[:, top:bottom, left:right]


def _scaled_span(start: int, length: int, scale: float) -> tuple[int, int]:
    """Scale an interval and round it to whole pixels, keeping at least one and staying inside the picture."""
    limit = max(1, round((start + length) * scale))
    return min(round(start * scale), limit - 1), limit
