"""What the line network looks at."""

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.prepare.sketch_keras import high_pass, line_strength


def test_high_pass_is_the_picture_minus_its_blur():
    """Against scipy's Gaussian, which mirrors and cuts off in the same way."""
    scipy_ndimage = pytest.importorskip("scipy.ndimage")
    levels = np.random.default_rng(0).integers(0, 256, (40, 52, 3)).astype(np.float32)
    blurred = scipy_ndimage.gaussian_filter(levels, sigma=(3, 3, 0), mode="mirror", truncate=3.0)
    expected = (levels - np.round(blurred)) / 127.5
    result = high_pass(torch.from_numpy(levels)[None] / 255)[:, 0]
    # A blurred value next to a half may be rounded to either side.
    wrong = np.abs(result.numpy() - (expected / expected.max()).transpose(2, 0, 1)) > 1e-4
    assert wrong.mean() < 1e-3


def test_a_flat_picture_has_no_detail():
    assert high_pass(torch.full((1, 5, 9, 3), 0.4)).abs().max() == 0


def test_the_strongest_channel_counts_and_faint_lines_vanish():
    raw = torch.tensor([0.05, 0.3, 0.2]).reshape(3, 1, 1, 1)
    assert line_strength(raw).item() == pytest.approx(0.3)
    assert line_strength(raw[:1]).item() == 0
