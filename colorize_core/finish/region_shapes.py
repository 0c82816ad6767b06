"""What the regions of one frame are like, so briefly that a shot's frames can be compared: place, size, shape,
neighbours, colour."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from .basins import in_reading_order
from .regions import BESIDE

#: Regions of two frames are laid over each other on maps with at most so many pixels on the longer side.
MAP = 384
#: Places and sizes are measured on every pixel of drawings up to this side.
MEASURED = 1024


@dataclass(frozen=True)
class FrameShapes:
    """The regions of one drawing; row r belongs to region r, row 0 to what is in none. Lengths are in map pixels.

    Attributes:
        map: [h, w] int32, the region at every pixel.
        lines: [h, w] float32, how much of each pixel is line.
        area: [R] float64, of the map's pixels and parts of them.
        middle: [R, 2] float64, x and y.
        spread: [R, 2] float64, standard deviations along and across the region, the longer first.
        beside: [R, R] which regions it has for neighbours, by length of the border; rows add up to 1.
        colors: [R, F] float64, how its pixels' votes are shared out among families of swatches; rows add up to 1.
    """

    map: np.ndarray
    lines: np.ndarray
    area: np.ndarray
    middle: np.ndarray
    spread: np.ndarray
    beside: csr_matrix
    colors: np.ndarray

    def __len__(self) -> int:
        return len(self.area)


def frame_shapes(filled: np.ndarray, lines: np.ndarray, colors: np.ndarray) -> FrameShapes:
    """Describe the regions of one frame.

    Args:
        filled: [H, W] int32, numbered in reading order. lines: [H, W] bool. colors: [R, F], votes, of any scale.
    """
    count, (height, width) = len(colors), filled.shape
    step = max(1, -(-max(height, width) // MAP))
    small = filled[step // 2 :: step, step // 2 :: step]
    if not small.size:
        small = filled[:1, :1]
    area, middle, spread = _moments(filled, count, step)
    return FrameShapes(
        map=np.ascontiguousarray(small),
        lines=_shrunk(lines, step, small.shape),
        area=area,
        middle=middle,
        spread=spread,
        beside=_borders(small, count),
        colors=colors / np.maximum(colors.sum(axis=1, keepdims=True), 1e-12),
    )


def reading_numbers(filled: np.ndarray, count: int) -> np.ndarray:
    """Number the labels of a frame in the order in which they first come, so that nothing depends on how they were.

    Args:
        filled: [H, W] int32. count: R, of the frame's table.

    Returns:
        [R] int64, each label's number; those that nowhere are come last, 0 stays.
    """
    ordered = in_reading_order(filled)
    numbers = np.full(count, -1)
    numbers[filled.ravel()] = ordered.ravel()
    numbers[0] = 0
    missing = numbers < 0
    numbers[missing] = np.arange(count - missing.sum(), count)
    return numbers


def _moments(filled: np.ndarray, count: int, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure areas, middles and spreads, in map pixels."""
    every = max(1, -(-max(filled.shape) // MEASURED))
    labels, scale = filled[::every, ::every], every / step
    y, x = np.divmod(np.arange(labels.size), labels.shape[1])
    flat = labels.ravel()
    pixels = np.bincount(flat, minlength=count).astype(np.float64)
    total = np.maximum(pixels, 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(flat, values, minlength=count) / total

    x_mean, y_mean = mean(x), mean(y)
    dx, dy = x - x_mean[flat], y - y_mean[flat]
    xx, yy, xy = mean(dx * dx), mean(dy * dy), mean(dx * dy)
    half, apart = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    spread = np.sqrt(np.stack([half + apart, np.maximum(half - apart, 0)], axis=1) + 1 / 12)
    return pixels * scale**2, np.stack([x_mean, y_mean], axis=1) * scale, spread * scale


def _shrunk(lines: np.ndarray, step: int, shape: tuple[int, int]) -> np.ndarray:
    """Average blocks of step × step pixels; what is cut off at the end does not matter."""
    height, width = lines.shape
    padded = np.pad(lines, ((0, -height % step), (0, -width % step)))
    blocks = padded.reshape(len(padded) // step, step, -1, step).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(blocks[: shape[0], : shape[1]])


def _borders(small: np.ndarray, count: int) -> csr_matrix:
    """Measure how long each region's borders with others are: [count, count], rows add up to 1 or 0."""
    pairs = []
    for one, other in BESIDE:
        differs = small[one] != small[other]
        pairs.append(np.stack([small[one][differs], small[other][differs]]))
    here, there = np.concatenate(pairs, axis=1)
    lengths = np.ones(len(here))
    borders = csr_matrix((lengths, (here, there)), shape=(count, count), dtype=np.float64)
    borders = borders + borders.T
    total = np.asarray(borders.sum(axis=1)).ravel()
    return csr_matrix(borders.multiply(1 / np.maximum(total, 1)[:, None]))
