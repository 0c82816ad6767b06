"""A line map on its way to the UNet: checked, as the sketch encoder takes it, its hints as ComfyUI takes them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import ColorizeError


def checked_line_map(line_map: Tensor) -> Tensor:
    """Return a line map unchanged, or say what is wrong with it.

    Args:
        line_map: [B, C, H, W] as ComfyUI's Apply ControlNet hands it over, C in 1…4.
    """
    shape = tuple(line_map.shape)
    if line_map.ndim != 4 or shape[1] not in range(1, 5):
        raise ColorizeError(
            f"The line map has the shape {shape}; expected [batch, channels, height, width] with 1 to 4 channels. "
            "Wire an IMAGE (Prepare Sketch makes one) into Apply ControlNet."
        )
    if 0 in shape:
        raise ColorizeError(
            f"The line map is empty: {shape[0]} pictures of {shape[3]}×{shape[2]} pixels came; expected at least one "
            "of at least 1×1. Look at the node before Apply ControlNet."
        )
    if not torch.isfinite(line_map).all():
        raise ColorizeError(
            "The line map holds NaN or infinite values; expected numbers in [0, 1]. The node before Apply ControlNet "
            "made them."
        )
    return line_map


def to_lines(line_map: Tensor) -> Tensor:
    """Turn a line map picture into the encoder's input.

    Args:
        line_map: [B, C, H, W] in [0, 1], white lines on black; C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).
            Alpha is ignored: a line map has lines on black, not on paper.

    Returns:
        [B, 3, H, W] in [-1, 1].
    """
    if line_map.shape[1] < 3:
        line_map = line_map[:, :1].expand(-1, 3, -1, -1)
    return line_map[:, :3].clamp(0.0, 1.0) * 2.0 - 1.0


def deepest_first(hints: Sequence[Tensor], blocks: Sequence[int]) -> list[Tensor | None]:
    """Lay hints out as ComfyUI's UNet takes them: one slot an input block, popped from the end.

    Args:
        blocks: the input blocks that the hints are for, ascending.
    """
    slots: list[Tensor | None] = [None] * (blocks[-1] + 1)
    for block, hint in zip(blocks, hints, strict=True):
        slots[block] = hint
    return slots[::-1]
