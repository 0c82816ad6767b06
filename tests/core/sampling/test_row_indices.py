"""Rows of a batch picked by a slice, or by an index that stays on the device."""

import pytest
import torch
from colorizediffusion.colorize_core.host.sampling.row_indices import RowIndices, positions_of, put_positions

CPU = torch.device("cpu")


@pytest.mark.parametrize("rows", [[], [2], [0, 1], [1, 3], [0, 1, 4], [0, 0], [3, 2, 1], [0, 1, 0, 1]])
def test_rows_are_those_that_were_asked_for(rows):
    tokens = torch.arange(5.0)
    assert tokens[RowIndices().index(rows, CPU)].tolist() == [float(row) for row in rows]


def test_an_index_that_is_no_slice_is_made_once():
    rows = RowIndices()
    first = rows.index([0, 1, 4], CPU)
    assert isinstance(first, torch.Tensor)
    assert rows.index((0, 1, 4), CPU) is first
    rows.clear()
    assert rows.index([0, 1, 4], CPU) is not first


@pytest.mark.parametrize("rows", [[0, 1], [1, 3], [0, 1, 3]])
@pytest.mark.parametrize("positions", [None, [1, 4, 5]])
def test_positions_of_rows_are_read_and_written_in_place(rows, positions):
    tokens = torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(0))
    before = tokens.clone()
    index, places = RowIndices().index(rows, CPU), None if positions is None else torch.tensor(positions)
    part = positions_of(tokens, index, places)
    all_positions = list(range(6)) if positions is None else positions
    assert torch.equal(part, before[rows][:, all_positions])
    put_positions(tokens, index, places, part + 1)
    expected = before.clone()
    for row in rows:
        expected[row, all_positions] += 1
    assert torch.equal(tokens, expected)
