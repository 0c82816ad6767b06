"""Picking rows of a batch without waiting for the device."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor


class RowIndices:
    """Indices of rows, kept for a run: an index that is a list would be copied to the device wherever it is used.

    Example:
        >>> rows = RowIndices()
        >>> tokens[rows.index([0, 2], tokens.device)]  # a slice
        >>> tokens[rows.index([0, 1, 4], tokens.device)]  # a tensor on the device, the same at every call
    """

    def __init__(self) -> None:
        self._kept: dict[tuple, Tensor] = {}

    def index(self, rows: Sequence[int], device: torch.device) -> slice | Tensor:
        """Index some rows of a batch; as a slice where they are evenly spaced."""
        if not rows:
            return slice(0, 0)
        step = rows[1] - rows[0] if len(rows) > 1 else 1
        if step > 0 and all(b - a == step for a, b in itertools.pairwise(rows)):
            return slice(rows[0], rows[-1] + 1, step)
        key = (tuple(rows), device)
        if key not in self._kept:
            self._kept[key] = torch.tensor(rows, device=device)
        return self._kept[key]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


def positions_of(tokens: Tensor, rows: slice | Tensor, positions: Tensor | None) -> Tensor:
    """Return some positions, or all, of some rows of tokens [B, T, C]."""
    if positions is None:
        return tokens[rows]
    if isinstance(rows, slice):
        return tokens[rows].index_select(1, positions)
    return tokens[rows[:, None], positions]


def put_positions(tokens: Tensor, rows: slice | Tensor, positions: Tensor | None, values: Tensor) -> None:
    """Write what `positions_of` returned, in place."""
    if positions is None:
        tokens[rows] = values
    elif isinstance(rows, slice):
        tokens[rows].index_copy_(1, positions, values)
    else:
        tokens[rows[:, None], positions] = values
