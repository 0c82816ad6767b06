"""The size embedding y of the background and style encoders.

Source: spec section 4, the last paragraph.
"""

import math

import torch
from torch import Tensor

#: Width of the embedding of each of the two numbers.
EMBEDDING_WIDTH = 256
MAX_PERIOD = 10000.0


def sinusoidal_embedding(value: float, width: int = EMBEDDING_WIDTH) -> Tensor:
    """Embed a number as [width]: the cosine half, then the sine half, periods 1 … `MAX_PERIOD`."""
    half = width // 2
    frequencies = torch.exp(-math.log(MAX_PERIOD) * torch.arange(half, dtype=torch.float32) / half)
    angles = value * frequencies
    return torch.cat([angles.cos(), angles.sin()])


def size_embedding(image_height: int, image_width: int, height: int, width: int) -> Tensor:
    """Embed an image's own size relative to the output size.

    An image smaller than the output counts as if its height were larger by the output's longer side,
    with its proportions kept.

    Args:
        image_height, image_width: the image before any resizing, in pixels.
        height, width: the output, in pixels.

    Returns:
        [1, 512]: the embeddings of ih/H and iw/W.
    """
    ih, iw = float(image_height), float(image_width)
    if image_height < height or image_width < width:
        ih = image_height + max(height, width)
        iw = image_width / image_height * ih
    return torch.cat([sinusoidal_embedding(ih / height), sinusoidal_embedding(iw / width)])[None]
