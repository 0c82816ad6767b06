"""Region previews of whole batches in ComfyUI."""

import torch

from ..masks import checked_mask, fit_batch
from ..pictures import checked_picture
from ..region_preview import preview_regions
from .frames import each_frame


def preview_batch(image: torch.Tensor, mask: torch.Tensor, width: int, height: int, threshold: float) -> torch.Tensor:
    """Draw one sheet for each picture of a batch.

    Args:
        image: [B or 1, H, W, C] in [0, 1].
        mask: [B or 1, H', W'] in [0, 1], 1 = character.
        width, height: the output's size in pixels.
        threshold: the split's own.

    Returns:
        [B, sheet height, sheet width, 3] in [0, 1].
    """
    image, mask = fit_batch(checked_picture(image), checked_mask(mask), ("image", "mask"))
    sheets = [
        preview_regions(image[index, None], [mask[index, None]], height, width, threshold)
        for index in each_frame(len(image))
    ]
    return torch.cat(sheets)
