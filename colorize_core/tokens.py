"""From a picture to what the image tower takes.

Source: spec section 2.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def normalise_for_clip(image: Tensor, size: int) -> Tensor:
    """Resize a picture to a square, without keeping its proportions and without cropping, and normalise it.

    Args:
        image: [B, H, W, 3] in [0, 1].
        size: the image tower's input size in pixels.

    Returns:
        [B, 3, size, size], float32, with CLIP's mean and standard deviation.
    """
    pixels = image.movedim(-1, 1).float()
    pixels = F.interpolate(pixels, size=(size, size), mode="bicubic", align_corners=True, antialias=True)
    mean = torch.tensor(CLIP_MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(CLIP_STD, device=pixels.device).view(1, 3, 1, 1)
    return (pixels - mean) / std
