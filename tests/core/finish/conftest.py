"""What the tests of layers and cels share: a small picture, taken apart."""

from typing import Any

import numpy as np
import pytest
import torch
from painted_regions import drawing, flat_picture, painted


@pytest.fixture(scope="session")
def small_regions() -> Any:
    """One frame of two painted regions."""
    from colorizediffusion.colorize_core.finish import palette, regions

    return painted(regions, palette)


@pytest.fixture(scope="session")
def shaded_picture(small_regions: Any) -> torch.Tensor:
    """Flat colours that get darker downwards and lighter to the right, with chance noise; around them a sky."""
    height, width = small_regions.size
    down, across = torch.linspace(0, 1, height)[:, None, None], torch.linspace(0, 1, width)[:, None]
    noise = torch.rand(height, width, 3, generator=torch.Generator().manual_seed(1))
    picture = flat_picture(small_regions)[0] * (1.1 - 0.8 * down) + 0.25 * across * noise
    sky = torch.tensor([0.6, 0.8, 0.95]).expand(height, width, 3)
    return torch.where(small_regions.paint[0, ..., None] >= 0, picture, sky).clamp(0, 1)[None]


@pytest.fixture(scope="session")
def shaded_document(small_regions: Any, shaded_picture: torch.Tensor) -> Any:
    """That picture with its lines, in layers."""
    from colorizediffusion.colorize_core.finish import picture_layers

    parts = picture_layers.Parts(image=shaded_picture, regions=small_regions, drawing=drawing())
    return picture_layers.document_of(parts)


@pytest.fixture(scope="session")
def full_size_layer() -> Any:
    """Return a function that puts a layer's pixels [h, w, 4] back onto its canvas."""

    def put(pixels: np.ndarray, left: int, top: int, size: tuple[int, int]) -> np.ndarray:
        canvas = np.zeros((*size, 4), dtype=np.uint8)
        canvas[top : top + len(pixels), left : left + pixels.shape[1]] = pixels
        return canvas

    return put
