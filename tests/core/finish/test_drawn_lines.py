"""The ink that layers, cels and Ink Over lay down: trace lines and paper left out."""

from dataclasses import replace

import numpy as np
import torch
from colorizediffusion.colorize_core.finish.drawn_lines import line_color, line_ink, without_trace
from painted_regions import drawing


def test_what_is_marked_as_trace_is_no_ink_however_dull_and_what_lies_beside_it_stays(small_regions):
    lines = drawing()
    lines[:, 8:10, 8:18] = torch.tensor([0.7, 0.35, 0.35])  # by its colour alone half of it is ink
    lines[:, 7, 8:18] = torch.tensor([1.0, 0.7, 0.7])
    trace = torch.zeros(1, *small_regions.size, dtype=torch.bool)
    trace[:, 8:10, 8:18] = True
    regions = replace(small_regions, trace=trace)
    assert np.array_equal(line_ink(lines, regions), line_ink(drawing(), None))  # the black line at its end is whole
    left, traced = without_trace(lines, torch.ones(1, *small_regions.size), regions)
    assert torch.equal(traced[0] > 0, (lines != drawing()).any(dim=-1)[0])
    assert torch.equal(left == 0, traced > 0)


def test_grey_and_yellowed_paper_is_none_of_the_ink():
    paper = torch.tensor([0.85, 0.8, 0.62])
    ink = line_ink(drawing() * paper, None)
    assert np.abs(ink - (1 - drawing()[0, ..., 0].numpy())).max() < 0.02
    assert not line_color(drawing() * paper, ink).any()
    brown = torch.tensor([0.5, 0.25, 0.1])
    lines = (1 - (1 - drawing()) * (1 - brown)) * paper
    pure = line_color(lines, line_ink(lines, None))
    assert np.abs(pure[10, 19] / 255 - brown.numpy()).max() < 0.02
