"""Bleaching: a picture's character, or all around it, painted blank."""

import torch

from ..errors import ColorizeError
from .masks import checked_mask, fit_batch, fit_mask
from .pictures import as_rgb

WHITEN = ("character", "background")


def bleach(
    image: torch.Tensor, mask: torch.Tensor, whiten: str = "character", threshold: float = 0.5, paper: float = 1.0
) -> torch.Tensor:
    """Paint one region of a picture blank; every pixel of the other one stays exactly as it was.

    Three uses: the reference's character → white, so that the background carrier holds no character; a sketch outside
    its character → blank, so that the background comes from the reference; the reference's background → white, for a
    character on plain paper.

    Args:
        image: [B or 1, H, W, C] in [0, 1], C in 1…4; transparent parts are laid on `paper` first.
        mask: [B or 1, H', W'] in [0, 1], 1 = character; resized to the picture.
        whiten: the region to paint, a name from `WHITEN`.
        threshold: where the mask reaches it is character.
        paper: grey level to paint with, in [0, 1]: 1 = white, 0 = the blank of a line map.

    Returns:
        [B, H, W, 3] in [0, 1].

    Source: spec section 6, the bleached reference and background bleaching.
    """
    if whiten not in WHITEN:
        raise ColorizeError(f"`whiten` is {whiten!r}, expected one of {', '.join(WHITEN)}.")
    picture = as_rgb(image, paper)
    character = fit_mask(checked_mask(mask), *picture.shape[1:3]).to(picture.device) >= threshold
    picture, character = fit_batch(picture, character, ("image", "mask"))
    painted = character if whiten == "character" else ~character
    return torch.where(painted[..., None], paper, picture)
