"""Flats that a person has put right: a painted dot of a swatch's exact colour wins its region."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .palette import Palette

#: What a picture's values are off by at most when they are meant as a colour of 8 bits.
ROUNDING = 0.4 / 255


def corrected(
    corrections: Tensor, filled: np.ndarray, swatch: np.ndarray, agreement: np.ndarray, palette: Palette
) -> tuple[np.ndarray, np.ndarray]:
    """Let painted dots decide.

    Painted may be on a blank canvas, on the picture, or on the flats: a region's dot is an exact swatch other than the
    one that it has. Where several are painted, the larger wins. What most of the canvas is painted in, and most of the
    region, is canvas.

    Args:
        corrections: [1, h, w, 3] in [0, 1], of any size. filled: [H, W] int32, each pixel's region.
        swatch: [R] int64, as voted. agreement: [R] float32.

    Returns:
        swatch and agreement with the corrected regions', whose agreement is 1.
    """
    painted, height, width = exact_swatches(corrections[0], palette), *filled.shape
    canvas = np.bincount(painted.ravel() + 1, minlength=len(palette) + 1)[1:].argmax() if len(palette) else 0
    if painted.shape != filled.shape:
        resized = F.interpolate(torch.from_numpy(painted)[None, None].float(), (height, width), mode="nearest-exact")
        painted = resized[0, 0].long().numpy()
        painted[beside_another(filled)] = -1  # A resized picture's edges lie a little off.
    found = painted >= 0
    count = len(swatch)
    place = filled[found].astype(np.int64) * len(palette) + painted[found]
    votes = np.bincount(place, minlength=count * len(palette)).reshape(count, len(palette))
    areas = np.bincount(filled.ravel(), minlength=count)
    kept = np.flatnonzero(swatch >= 0)
    votes[kept, swatch[kept]] = 0
    votes[votes[:, canvas] > areas / 2, canvas] = 0
    won = votes.max(axis=1) > 0
    return np.where(won, votes.argmax(axis=1), swatch), np.where(won, np.float32(1), agreement)


def exact_swatches(picture: Tensor, palette: Palette) -> np.ndarray:
    """Return which swatch's exact colour each pixel has: [h, w, 3] to [h, w] int64, -1 for none."""
    bytes_ = (picture * 255).round()
    exact = (picture - bytes_ / 255).abs().amax(dim=-1) <= ROUNDING
    number = (bytes_.long() * torch.tensor([65536, 256, 1])).sum(dim=-1)
    swatches = (palette.colors.long() * torch.tensor([65536, 256, 1])).sum(dim=-1)
    found = torch.full(number.shape, -1)
    for index in reversed(range(len(palette))):  # of two equal ones the first
        found[(number == swatches[index]) & exact] = index
    return found.numpy()


def beside_another(filled: np.ndarray) -> np.ndarray:
    """Return which pixels lie beside another region: [H, W] bool."""
    beside = np.zeros(filled.shape, dtype=bool)
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differs = filled[one] != filled[other]
        beside[one] |= differs
        beside[other] |= differs
    return beside
