"""The sizes that XL's networks are told."""

import pytest
import torch
from colorizediffusion.colorize_core.family.size_embedding import sinusoidal_embedding
from colorizediffusion.colorize_core.family.xl_sizes import background_embedding, unet_embedding


@pytest.mark.parametrize("case", ["base/plain", "v2/background"])
def test_the_unets_numbers_are_the_golden_datas(golden_xl, case):
    torch.testing.assert_close(unet_embedding(192, 128), golden_xl[f"case/{case}/out/y"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "image"), [("background", "images/in/reference"), ("background_image", "images/in/background")]
)
def test_the_background_encoders_numbers_are_the_golden_datas(golden_xl, case, image):
    y = background_embedding(*golden_xl[image].shape[-2:], 192, 128)
    torch.testing.assert_close(y, golden_xl[f"background_encoder/{case}/in/y"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "kept_height", "kept_width"),
    [((100, 100), 1.0, 0.5), ((100, 25), 0.5, 1.0), ((100, 50), 1.0, 1.0), ((30, 90), 1.0, 1 / 6)],
)
def test_what_a_crop_keeps_is_told_by_height_and_width(image, kept_height, kept_width):
    """Of pictures (height, width) for an output twice as high as wide."""
    y = background_embedding(*image, 1024, 512)
    expected = [sinusoidal_embedding(value) for value in (0.0, 0.0, kept_height, kept_width)]
    torch.testing.assert_close(y, torch.cat(expected)[None], rtol=0, atol=1e-6)
