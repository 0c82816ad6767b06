"""Flats that a person has put right: a painted dot of a swatch's exact colour wins its region."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .palette import Palette
from .regions import BESIDE
from .sheet_pixels import codes_of

#: What a picture's values are off by at most when they are meant as a colour of 8 bits.
ROUNDING = 0.4 / 255


def corrected(
    corrections: Tensor,
    labels: np.ndarray,
    swatch: np.ndarray,
    agreement: np.ndarray,
    palette: Palette,
    alike: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let painted dots decide.

    Painted may be on a blank canvas, on the picture, or on the flats, with lines over them or without: a region's dot
    is an exact swatch other than the one that it has, and lies beside the lines. Where several are painted, the larger
    wins. What most of the canvas is painted in, and most of the region, is canvas.

    Args:
        corrections: [1, h, w, 3] in [0, 1], of any size. labels: [H, W] int32, each pixel's region, 0 on lines.
        swatch: [R] int64, as voted. agreement: [R] float32.
        alike: [S], the same number for swatches of which one in place of another is no dot: both tones of two.

    Returns:
        swatch and agreement with the corrected regions', whose agreement is 1; which regions those are [R] bool.
    """
    painted, canvas = painted_swatches(corrections, labels, palette)
    found = painted >= 0
    count = len(swatch)
    place = labels[found].astype(np.int64) * len(palette) + painted[found]
    votes = np.bincount(place, minlength=count * len(palette)).reshape(count, len(palette))
    areas = np.bincount(labels.ravel(), minlength=count)
    kept = np.flatnonzero(swatch >= 0)
    alike = np.arange(len(palette)) if alike is None else alike
    votes[kept] *= alike != alike[swatch[kept], None]
    votes[votes[:, canvas] > areas / 2, canvas] = 0
    won = votes.max(axis=1) > 0
    return np.where(won, votes.argmax(axis=1), swatch), np.where(won, np.float32(1), agreement), won


def painted_swatches(picture: Tensor, labels: np.ndarray, palette: Palette) -> tuple[np.ndarray, int]:
    """Return which swatch's exact colour a picture has at every pixel of a drawing.

    Args:
        picture: [1, h, w, 3] in [0, 1], of any size. labels: [H, W] int32, each pixel's region.

    Returns:
        [H, W] int64, -1 for none; the swatch that most of the picture is painted in.
    """
    painted, height, width = exact_swatches(picture[0], palette), *labels.shape
    most = int(np.bincount(painted.ravel() + 1, minlength=len(palette) + 1)[1:].argmax()) if len(palette) else 0
    if painted.shape != labels.shape:
        resized = F.interpolate(torch.from_numpy(painted)[None, None].float(), (height, width), mode="nearest-exact")
        painted = resized[0, 0].long().numpy()
        painted[beside_another(labels)] = -1  # A resized picture's edges lie a little off.
    return painted, most


def exact_swatches(picture: Tensor, palette: Palette) -> np.ndarray:
    """Return which swatch's exact colour each pixel has: [h, w, 3] to [h, w] int64, -1 for none."""
    levels = (picture * 255).round()
    exact = ((picture - levels / 255).abs().amax(dim=-1) <= ROUNDING).numpy()
    codes, swatches = codes_of(levels.numpy()), codes_of(palette.colors.numpy())
    found = np.full(codes.shape, -1)
    for index in reversed(range(len(palette))):  # of two equal ones the first
        found[(codes == swatches[index]) & exact] = index
    return found


def beside_another(labels: np.ndarray) -> np.ndarray:
    """Return which pixels lie beside another region: [H, W] bool."""
    beside = np.zeros(labels.shape, dtype=bool)
    for one, other in BESIDE:
        differs = labels[one] != labels[other]
        beside[one] |= differs
        beside[other] |= differs
    return beside
