"""The numbers y that ColorizeDiffusion XL's two networks are told about sizes.

Source: spec of XL, sections 5 and 6.
"""

import math

import torch
from torch import Tensor

from .size_embedding import sinusoidal_embedding

#: Stands for how pleasing a picture is; the model is always asked for this one.
AESTHETIC_SCORE = 7.0


def unet_embedding(height: int, width: int) -> Tensor:
    """Embed the output's size for the UNet.

    Args:
        height, width: the output, in pixels.

    Returns:
        [1, 512]: the embeddings of √(H·W) and of the aesthetic score.
    """
    return torch.cat([sinusoidal_embedding(math.sqrt(height * width)), sinusoidal_embedding(AESTHETIC_SCORE)])[None]


def background_embedding(image_height: int, image_width: int, height: int, width: int) -> Tensor:
    """Embed for the background encoder how much of a picture a crop to the output's proportions would keep.

    Args:
        image_height, image_width: the picture before any resizing, in pixels.
        height, width: the output, in pixels.

    Returns:
        [1, 1024]: the embeddings of 0, 0 (where the crop begins) and of the kept parts of height and width, in 0…1.
    """
    kept_height = kept_width = 1.0
    if width * image_height > image_width * height:  # W/H > iw/ih
        kept_height = (height / width) * (image_width / image_height)
    else:
        kept_width = (width / height) * (image_height / image_width)
    return torch.cat([sinusoidal_embedding(value) for value in (0.0, 0.0, kept_height, kept_width)])[None]
