"""Windows over a square of tokens, and what attention inside them needs to know of places.

All tables are made where the tokens are and from sizes alone, so a network that uses them keeps no buffers.

Source: arXiv 2103.14030, section 3.2 (shifted windows); arXiv 2111.09883, section 3.3 (logarithmic distances).
"""

import math

import torch
from torch import Tensor

#: Distances are spread to -8…8 before the logarithm, which brings them to about -1…1 again.
LARGEST_DISTANCE = 8
#: Added to the scores of tokens that a shift has brought into one window from different places.
APART = -100.0


def cut_windows(x: Tensor, window: int) -> Tensor:
    """Cut a square into windows: [B, S, S, C] -> [B, W, N, C], W = (S / window)², N = window², both row by row."""
    x = x.unflatten(2, (-1, window)).unflatten(1, (-1, window))  # [B, S/window, row, S/window, column, C]
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def join_windows(x: Tensor, side: int) -> Tensor:
    """Put the windows together again: [B, W, N, C] -> [B, side, side, C]."""
    windows, window = math.isqrt(x.shape[1]), math.isqrt(x.shape[2])
    x = x.unflatten(2, (window, window)).unflatten(1, (windows, windows))  # [B, S/window, S/window, row, column, C]
    return x.transpose(2, 3).reshape(len(x), side, side, -1)


def pairs(values: Tensor) -> Tensor:
    """Return every (row, column) of a square: [n] -> [n², 2]."""
    return torch.cartesian_prod(values, values)


def log_distances(window: int, device: torch.device) -> Tensor:
    """Return all distances that tokens of a window can have, on a logarithmic scale.

    Returns:
        [(2·window - 1)², 2], float32: down and right, the first from -(window - 1) on.
    """
    steps = torch.arange(1 - window, window, device=device, dtype=torch.float32)
    spread = steps / max(window - 1, 1) * LARGEST_DISTANCE
    return pairs(spread.sign() * (spread.abs() + 1).log2() / math.log2(LARGEST_DISTANCE))


def distance_index(window: int, device: torch.device) -> Tensor:
    """Return for each query and key of a window which row of `log_distances` is theirs, [N, N]."""
    places = pairs(torch.arange(window, device=device))
    down, right = (places[:, None] - places[None] + window - 1).unbind(-1)
    return down * (2 * window - 1) + right


def shifted_apart(side: int, window: int, shift: int, device: torch.device) -> Tensor:
    """Return what to add to scores after a picture was rolled up and left: `APART` for tokens of different places.

    Returns:
        [W, N, N], float32.
    """
    along = torch.arange(side, device=device)
    # The last window holds what was at the one edge of the picture, 1, and what was at the other, 2.
    bands = (along >= side - window).long() + (along >= side - shift).long()
    regions = (3 * bands[:, None] + bands).view(1, side, side, 1)
    regions = cut_windows(regions, window)[0, :, :, 0]  # [W, N]
    return (regions[:, :, None] != regions[:, None]).float() * APART
