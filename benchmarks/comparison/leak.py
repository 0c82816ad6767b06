"""How much of a character has taken a colour from behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from host import core

color = core("finish.color")

#: A colour counts as one of a region's if it fills at least this share of it.
LEAST = 0.02


def main_colors(picture: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the colours [N, 3] uint8 that each fill 2 % of a region [H, W] bool of a flat picture."""
    colors, counts = np.unique(picture[region].reshape(-1, 3), axis=0, return_counts=True)
    kept: np.ndarray = colors[counts >= LEAST * max(1, counts.sum())]
    return kept


def leak(result: np.ndarray, parts: np.ndarray, own: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """Return the share of a character's pixels whose colour is nearer (ΔE2000) to one from behind it than to its own.

    Of the right answer it is 0.

    Args:
        result: [H, W, 3] uint8. parts: the pixels that count, [H, W] bool.
        own: right colours of the character, [N, 3] uint8. others: right colours behind it, and behind the reference's.

    Returns:
        a share in [0, 1]; NaN where there is no such pixel or colour.
    """
    behind = np.concatenate(list(others))
    if not parts.any() or not len(own) or not len(behind):
        return float("nan")
    pixels = lab(result[parts])
    nearest = [color.difference_2000(pixels[:, None], lab(some)[None]).amin(1) for some in (own, behind)]
    return float((nearest[1] < nearest[0]).double().mean())


def lab(colors: np.ndarray) -> torch.Tensor:
    """Return uint8 sRGB as CIELAB."""
    converted: torch.Tensor = color.to_lab(torch.from_numpy(colors / 255.0))
    return converted
