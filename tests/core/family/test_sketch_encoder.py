"""The sketch encoder's plumbing; its numbers are tested against the golden data in tests/graph."""

import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.family.sketch_encoder import (
    HINT_BLOCKS,
    SketchEncoder,
    sketch_encoder_sizes,
)
from colorizediffusion.colorize_core.sampling.hints import checked_line_map, deepest_first, to_lines

STEM, STAGES = (4, 4, 8, 8, 8, 8, 8, 16), (16, 32, 64, 64)


@pytest.mark.parametrize("size", [(64, 64), (200, 136), (8, 8), (72, 24)])
def test_hints_have_the_sizes_of_the_unets_blocks(size):
    hints = SketchEncoder(STEM, STAGES)(torch.zeros(2, 3, *size))
    height, width = size[0] // 8, size[1] // 8
    sizes = [(height, width)]
    for _ in range(3):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    sizes.append((height, width))
    assert [tuple(hint.shape) for hint in hints] == [
        (2, channels, *size) for channels, size in zip((STEM[-1], *STAGES), sizes, strict=True)
    ]


def test_its_sizes_are_read_off_its_weights():
    encoder = SketchEncoder(STEM, STAGES)
    sizes = sketch_encoder_sizes(encoder.state_dict())
    assert sizes == {"stem_channels": STEM, "stage_channels": STAGES}
    SketchEncoder(**sizes).load_state_dict(encoder.state_dict())


def test_hints_are_popped_from_the_end_block_by_block():
    hints = [torch.full((1,), float(i)) for i in range(5)]
    slots = deepest_first(hints, HINT_BLOCKS)
    popped = [slots.pop() for _ in range(12)]
    assert [block for block, hint in enumerate(popped) if hint is not None] == list(HINT_BLOCKS)
    assert [hint.item() for hint in popped if hint is not None] == [0, 1, 2, 3, 4]


def test_lines_are_plus_one_on_minus_one():
    assert to_lines(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3))[0, 0, 0].tolist() == [-1, 0, 1]
    assert to_lines(torch.tensor([-3.0, 7.0]).view(1, 1, 1, 2))[0, 0, 0].tolist() == [-1, 1]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grey_becomes_rgb_and_alpha_is_ignored(channels):
    line_map = torch.rand(2, channels, 4, 5)
    lines = to_lines(line_map)
    assert lines.shape == (2, 3, 4, 5)
    assert torch.equal(lines[:, 0], line_map[:, 0] * 2 - 1)
    if channels < 3:
        assert torch.equal(lines[:, 0], lines[:, 2])


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 5, 8, 8), (1, 0, 8, 8), (8,), (1, 3, 8, 8, 1)])
def test_what_is_no_line_map_is_told(shape):
    with pytest.raises(ColorizeError, match="The line map has the shape"):
        checked_line_map(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 0, 8), (1, 3, 8, 0)])
def test_an_empty_line_map_is_told(shape):
    with pytest.raises(ColorizeError, match="The line map is empty"):
        checked_line_map(torch.zeros(shape))
