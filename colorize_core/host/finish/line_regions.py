"""Regions of the drawings of a batch."""

import torch

from ...finish.frame_stack import FrameStack, RegionStack
from ...finish.line_regions import RegionChoice, draw_regions, find_regions
from ...finish.regions import Regions
from ...prepare.masks import checked_mask, fit_batch
from ..loading import stop_when_cancelled
from ..prepare.frames import each_frame
from .shot_inputs import as_drawing


def find_frames_regions(
    drawing: torch.Tensor,
    choice: RegionChoice,
    within: torch.Tensor | None = None,
    transparency: torch.Tensor | None = None,
) -> tuple[Regions, torch.Tensor, torch.Tensor]:
    """Find the regions of drawings, one at a time; see `find_regions`.

    Args:
        drawing: [B, H, W, C] in [0, 1]. within: [B or 1, H', W'] in [0, 1], 1 = where regions are looked for.
        transparency: [B or 1, H'', W''] in [0, 1], 1 = transparent: of the drawings, which then lie on white paper.

    Returns:
        the regions; the ink [B, H, W], 0 or 1; pictures of the regions [B, H, W, 3] in [0, 1].
    """
    drawing = as_drawing(drawing, transparency)
    if within is not None:
        drawing, within = fit_batch(drawing, checked_mask(within, "within"), ("drawing", "within"))
    found, shown = RegionStack(len(drawing)), FrameStack(len(drawing))
    for index in each_frame(len(drawing)):
        mask = None if within is None else within[index, None].cpu()
        frame = find_regions(drawing[index, None].cpu(), choice, mask, stop_when_cancelled)
        found.add(frame)
        shown.add(draw_regions(frame))
    regions = found.whole()
    return regions, regions.ink.float(), shown.whole()
