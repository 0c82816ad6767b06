"""How a character has moved and grown between two drawings of a shot."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

#: Lines are blurred by so many map pixels before they are laid over each other.
BLUR = 2.0
#: A character moves at most by this share of the picture between two drawings …
MOST_SHIFT = 0.25
#: … and grows or shrinks at most by this factor.
MOST_GROWTH = 1.25
#: Rounds in which what moves otherwise, a limb or the scenery, is left out, and how far off it then counts half.
ROUNDS, OFF = 4, 4.0


@dataclass(frozen=True)
class Motion:
    """Where a place (x, y) of the earlier drawing goes: to `scale` · place + `shift`, in map pixels."""

    scale: float
    shift: tuple[float, float]

    def moved(self, places: np.ndarray) -> np.ndarray:
        """Move places [n, 2]."""
        return places * self.scale + np.array(self.shift)

    def warped(self, labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Move a map [h, w] of labels; what comes from outside of it is 0."""
        rows, columns = (
            np.rint((np.arange(side) - shift) / self.scale).astype(np.int64)
            for side, shift in zip(shape, self.shift[::-1], strict=True)
        )
        inside = ((rows >= 0) & (rows < labels.shape[0]))[:, None] & ((columns >= 0) & (columns < labels.shape[1]))
        found = labels[np.ix_(rows.clip(0, labels.shape[0] - 1), columns.clip(0, labels.shape[1] - 1))]
        return np.where(inside, found, 0)


def best_shift(earlier: np.ndarray, later: np.ndarray) -> Motion:
    """Find the shift with which the lines of one drawing lie best over those of another.

    Args:
        earlier, later: [h, w] float32, how much of each pixel is line.

    Source: cross-correlation by the Fourier transform, of blurred lines with their mean taken away.
    """
    height, width = earlier.shape
    across, down = (max(1, int(side * MOST_SHIFT)) for side in (width, height))
    shape = (height + down, width + across)
    one, other = (gaussian_filter(lines, BLUR, mode="constant") for lines in (earlier, later))
    product = np.conj(rfft2(one - one.mean(), shape)) * rfft2(other - other.mean(), shape)
    likeness = irfft2(product, shape)
    rows, columns = np.arange(-down, down + 1), np.arange(-across, across + 1)
    near = likeness[np.ix_(rows % shape[0], columns % shape[1])]
    row, column = np.unravel_index(near.argmax(), near.shape)
    return Motion(1.0, (float(columns[column]), float(rows[row])))


def fitted(earlier: np.ndarray, later: np.ndarray, weight: np.ndarray, guess: Motion) -> Motion:
    """Find growth and shift from places that are known to be the same, those that most agree on.

    Args:
        earlier, later: [n, 2], x and y. weight: [n]. guess: taken where there are too few.

    Source: least squares, weighted anew in each round (Holland, Welsch, 1977).
    """
    motion = guess
    if len(earlier) < 3 or weight.sum() <= 0:
        return guess
    for _ in range(ROUNDS):
        off = np.linalg.norm(later - motion.moved(earlier), axis=1)
        trust = weight / (1 + (off / OFF) ** 2)
        trust = trust / trust.sum()
        middle, goal = trust @ earlier, trust @ later
        around, wanted = earlier - middle, later - goal
        size = float(trust @ (around**2).sum(axis=1))
        scale = float(trust @ (around * wanted).sum(axis=1)) / size if size > 1 else 1.0
        scale = float(np.clip(scale, 1 / MOST_GROWTH, MOST_GROWTH))
        x, y = (goal - scale * middle).tolist()
        motion = Motion(scale, (x, y))
    return motion
