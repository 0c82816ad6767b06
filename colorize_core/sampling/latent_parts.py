"""Finding where parts of a latent were cut out of the whole: noise is like a fingerprint.

Packs that sample in tiles or windows call the model with parts of the latent, and most do not say which. A part is a
copy, so it lies where all of its numbers lie.
"""

from typing import NamedTuple

import torch
from torch import Tensor

#: Numbers compared at once, so that long batches do not need the memory of all comparisons.
COMPARED = 1 << 26
#: Places that a part is looked for at most: a latent in which more look alike has no fingerprints.
MOST_PLACES = 64


class Place(NamedTuple):
    """Where a part lies: the picture of the batch, and its first row and column there, in latent positions."""

    picture: int
    top: int
    left: int


def cut(whole: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Cut a part out of [..., H, W], that may go on at the other side as tiles of a rolled latent do."""
    if top + height <= whole.shape[-2] and left + width <= whole.shape[-1]:
        return whole[..., top : top + height, left : left + width]
    return whole.roll((-top, -left), (-2, -1))[..., :height, :width]


def find_parts(whole: Tensor, parts: Tensor) -> list[list[Place]]:
    """List the places in which each part lies, number by number.

    Args:
        whole: [P, C, H, W]. parts: [R, C, h, w], of at most the whole's size.

    Returns:
        The places of each of the R parts; none where it is no part of the whole, several where that repeats itself.
    """
    height, width = parts.shape[-2:]
    if whole.shape[1] != parts.shape[1] or height > whole.shape[-2] or width > whole.shape[-1]:
        return [[] for _ in parts]
    whole = whole.to(parts.device)
    found: list[list[Place]] = [[] for _ in parts]
    rows = max(1, COMPARED // whole.numel())
    for start in range(0, len(parts), rows):
        corners = parts[start : start + rows, None, :, :1, :1]
        same = (whole == corners).all(dim=2)  # [rows, P, H, W]
        for row, *place in same.nonzero().tolist():
            found[start + row].append(Place(*place))
    for part, places in zip(parts, found, strict=True):
        if len(places) > MOST_PLACES:
            places.clear()
        places[:] = [p for p in places if torch.equal(cut(whole[p.picture], p.top, p.left, height, width), part)]
    return found
