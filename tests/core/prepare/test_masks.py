"""Masks brought to the sizes that the split attention works at."""

import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.prepare.masks import resize_mask


def test_the_latent_mask_is_the_published_one(golden_extras):
    mask = golden_extras["mask/in/mask"][:, 0]
    expected = golden_extras["mask/out/latent_mask"][:, 0]
    result = resize_mask(mask, 12, 10)
    print(f"mask/out/latent_mask: relative error {(result - expected).norm() / expected.norm():.1e}")
    assert torch.allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_mask_keeps_its_float_type(dtype):
    assert resize_mask(torch.ones(2, 9, 7, dtype=dtype), 3, 2).dtype == dtype


def test_no_empty_sizes():
    with pytest.raises(ColorizeError, match="one pixel"):
        resize_mask(torch.ones(1, 4, 4), 0, 4)
    with pytest.raises(ColorizeError, match="shape"):
        resize_mask(torch.ones(4, 4), 2, 2)
