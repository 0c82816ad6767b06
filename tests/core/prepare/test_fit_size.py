"""Sizes that follow a drawing's proportions."""

import pytest
from colorizediffusion.colorize_core.prepare.fit_size import FITS, fit_size


@pytest.mark.parametrize(
    ("fit", "drawing", "expected"),
    [
        ("xl", (1000, 1000), (1024, 1024)),
        ("xl", (3508, 2480), (1216, 864)),
        ("xl", (1080, 1920), (768, 1376)),
        ("xl", (100, 1000), (768, 1536)),  # beyond what the model knows
        ("v2", (3508, 2480), (896, 640)),
        ("v2", (10, 10), (768, 768)),
        ("v1", (600, 300), (704, 384)),
    ],
)
def test_the_size_follows_the_drawing_at_the_versions_pixels(fit, drawing, expected):
    assert fit_size(*drawing, FITS[fit]) == expected


@pytest.mark.parametrize("fit", [name for name in FITS if name != "off"])
@pytest.mark.parametrize("aspect", [0.6, 0.9, 1.0, 1.3, 1.7])
def test_proportions_and_pixels_are_kept_within_a_step(fit, aspect):
    chosen = FITS[fit]
    height, width = fit_size(2000, round(2000 * aspect), chosen)
    assert height % chosen.step == width % chosen.step == 0
    assert abs(height * width / chosen.pixels - 1) < 0.12 and abs(width / height / aspect - 1) < 0.13
