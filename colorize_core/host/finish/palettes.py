"""Palettes with ComfyUI's progress and cancel."""

from torch import Tensor

from ...finish.extract_palette import extract_palette
from ...finish.palette import Palette
from ...finish.palette_sheet import draw_palette
from ...prepare.pictures import checked_picture
from ..loading import stop_when_cancelled
from ..prepare.frames import each_frame

NOTHING_FOUND = "No colours found: there is paper alone, or the mask is empty."


def palette_of(
    image: Tensor, mask: Tensor | None, most: int, merge: float, smallest_share: float
) -> tuple[Palette, Tensor]:
    """Extract a palette and draw its sheet; see `extract_palette`."""
    steps = each_frame(len(checked_picture(image)))
    found = extract_palette(image, mask, most, merge, smallest_share, lambda: next(steps, None), stop_when_cancelled)
    for _ in steps:  # what is left, and the bar's last step
        pass
    return found.palette, draw_palette(found.palette, found.shares, NOTHING_FOUND)
