"""Frames of a shot are put together as they come, and share what they have not changed."""

from dataclasses import replace

import pytest
import torch
from colorizediffusion.colorize_core.finish.frame_stack import FrameStack, RegionStack
from colorizediffusion.colorize_core.finish.regions import Regions, table_of


def shot(count=3):
    filled = torch.arange(count * 12, dtype=torch.int32).reshape(count, 3, 4) % 3 + 1
    return Regions(filled, filled == 2, tuple(table_of(frame.numpy()) for frame in filled))


def stacked(regions, frames):
    stack = RegionStack(len(regions), regions)
    for frame in frames:
        stack.add(frame)
    return stack.whole()


def test_maps_that_no_frame_has_changed_are_shared():
    regions = shot()
    paint = torch.zeros(1, 3, 4, dtype=torch.int16)
    whole = stacked(regions, [replace(regions.frame(index), paint=paint + index) for index in range(3)])
    assert whole.filled is regions.filled and whole.ink is regions.ink and whole.trace is None
    assert whole.paint[:, 0, 0].tolist() == [0, 1, 2] and whole.paint.dtype == torch.int16
    assert [table.area.tolist() for table in whole.tables] == [table.area.tolist() for table in regions.tables]


@pytest.mark.parametrize("changed", range(3))
def test_one_frame_that_has_changed_is_seen_and_the_shot_it_came_from_is_not_written_to(changed):
    regions = shot()
    before = regions.filled.clone()
    frames = [regions.frame(index) for index in range(3)]
    frames[changed] = replace(frames[changed], filled=frames[changed].filled + 7)
    whole = stacked(regions, frames)
    expected = before.clone()
    expected[changed] += 7
    assert torch.equal(whole.filled, expected) and torch.equal(regions.filled, before)
    assert whole.ink is regions.ink


def test_one_page_for_several_pictures_is_repeated():
    page = shot(1)
    stack = FrameStack(2, page.filled)
    stack.add(page.filled)
    stack.add(page.filled)
    assert torch.equal(stack.whole(), page.filled.expand(2, -1, -1))
