"""Regions with swatches, made by hand: what Flats would give for a small drawing."""

from typing import Any

import numpy as np
import torch

SKIN, HAIR, INK = (246, 211, 184), (125, 79, 158), (20, 30, 60)
HEIGHT, WIDTH = 24, 40


def drawing(frames: int = 1, color: tuple[int, int, int] = (0, 0, 0)) -> torch.Tensor:
    """A box with a line down its middle, soft at its edges: [frames, 24, 40, 3] in [0, 1]."""
    ink = torch.zeros(HEIGHT, WIDTH)
    ink[3:21, 18:22] = torch.tensor([0.4, 1.0, 1.0, 0.4])
    ink[3:5, 4:36] = ink[19:21, 4:36] = 1
    ink[3:21, 4:6] = ink[3:21, 34:36] = 1
    lines = 1 - ink[..., None] * (1 - torch.tensor(color) / 255)
    return lines.expand(frames, HEIGHT, WIDTH, 3).contiguous()


def painted(regions: Any, palette: Any, frames: int = 1, line: bool = False, **more: Any) -> Any:
    """Two regions under that drawing: 肌 on the left, “hair & 髪” on the right, nothing around them.

    Args:
        regions, palette: modules of colorize_core.finish. line: whether the palette has a swatch for lines, `INK`.
    """
    filled = np.zeros((HEIGHT, WIDTH), dtype=np.int32)
    filled[4:20, 5:20], filled[4:20, 20:35] = 1, 2
    swatches = [palette.Swatch("肌", SKIN), palette.Swatch("hair & 髪", HAIR)]
    swatches = [palette.Swatch("線", INK, "line")] * line + swatches
    ink = torch.from_numpy(np.stack([(drawing()[0, ..., 0] < 0.5).numpy()] * frames))
    return regions.Regions(
        filled=torch.from_numpy(np.stack([filled] * frames)),
        ink=ink,
        tables=tuple(regions.table_of(filled) for _ in range(frames)),
        palette=palette.Palette(tuple(swatches)),
        paint=torch.from_numpy(np.stack([filled - 1 + line * (filled > 0)] * frames)).to(torch.int16),
        **more,
    )


def flat_picture(regions: Any) -> torch.Tensor:
    """The flat colours of regions [B, H, W, 3] in [0, 1], white where there are none."""
    colors = torch.cat([regions.palette.colors, torch.full((1, 3), 255, dtype=torch.uint8)])
    return colors[regions.paint.long()].float() / 255
