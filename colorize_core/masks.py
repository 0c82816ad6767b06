"""Character masks: bringing them to one size, merging several into one, growing and softening their edge.

A mask is [B, H, W] in [0, 1], 1 = character.
"""

import torch
import torch.nn.functional as F

from .errors import ColorizeError


def resize_mask(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize a mask the way the split attention was trained with: plain bicubic, so that its threshold means the same.

    Args:
        mask: [B, H, W] in [0, 1], 1 = character.
        height, width: size of the result in pixels or tokens, at least 1.

    Returns:
        [B, height, width]; bicubic interpolation can overshoot [0, 1] a little.

    Source: spec section 5, "a character mask of the sketch at latent size".
    """
    if mask.ndim != 3 or 0 in mask.shape:
        raise ColorizeError(
            f"Got a mask of shape {list(mask.shape)}, expected [batch, height, width] with no empty side: "
            "wire a MASK from a mask loader or a segmenter."
        )
    if height < 1 or width < 1:
        raise ColorizeError(f"Cannot resize a mask to {width}×{height}: expected at least one pixel on each side.")
    resized = F.interpolate(mask.float()[:, None], size=(height, width), mode="bicubic", align_corners=False)
    return resized[:, 0].to(mask.dtype) if mask.is_floating_point() else resized[:, 0]
