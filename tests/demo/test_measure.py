"""Colour errors: known values."""

import numpy as np
import pytest


def test_lab_of_white_black_and_red():
    from measure import to_lab

    lab = to_lab(np.array([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]))
    assert lab == pytest.approx(np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]]), abs=0.05)


def test_a_region_s_error_is_that_of_its_mean_colour():
    from measure import pixel_error, region_error

    lab = np.array([[[40.0, 0, 0], [60, 0, 0]]])
    right = np.full((1, 2, 3), [50.0, 0, 0])
    region = np.ones((1, 2), dtype=bool)
    assert region_error(lab, right, region) == 0
    assert pixel_error(lab, right, region) == 10
    assert np.isnan(region_error(lab, right, ~region))


def test_bootstrap_encloses_the_mean_and_repeats():
    from measure import bootstrap

    values = np.append(np.random.default_rng(1).normal(5, 1, 64), np.nan)
    low, high = bootstrap(values)
    assert 4.5 < low < np.nanmean(values) < high < 5.5
    assert bootstrap(values) == (low, high)
