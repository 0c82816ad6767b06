"""Goals for flats, on drawings that nothing was tuned on; `make evaluate-flats` measures more of them."""

import numpy as np
import pytest

#: Right pixels in per cent, at least: on the average of three drawings, and of each.
GOALS = {"none": (98.5, 92.0), "24 px": (97.0, 92.0)}
#: Wrong pixels beside a line in per cent, at most, where no gap was cut.
FRINGE = 1.0


@pytest.mark.parametrize("gaps", GOALS)
def test_flats_are_right_and_better_than_pixels_alone(gaps):
    from evaluate_flats import simulated
    from scenes import HELD_OUT

    rows = list(simulated(3, HELD_OUT + 60_000, 1024, gaps, shading=0.0))
    alone = np.array([row["the same, smoothed"].right for row in rows])
    mean, worst = GOALS[gaps]
    for way in ("Line Regions and Flats", "the same, unsure regions by pixels"):
        right = np.array([row[way].right for row in rows])
        assert right.mean() >= mean and right.min() >= worst and right.mean() > alone.mean(), way
    if gaps == "none":
        assert np.mean([row["Line Regions and Flats"].fringe for row in rows]) <= FRINGE
