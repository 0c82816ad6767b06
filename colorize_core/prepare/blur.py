"""Gaussian blur of pictures of any size, down to a single pixel."""

from collections.abc import Callable

import torch
from torchvision.transforms.functional import gaussian_blur as torchvision_blur

#: Called after each strip of a picture that takes seconds as a whole, so that the host may stop there.
OnStrip = Callable[[], None]
#: Pixels of a strip: few enough for a processor's cache.
STRIP = 1 << 18


def strip_size(length: int) -> int:
    """Return how many rows or columns of this length make a strip."""
    return max(1, STRIP // length)


def gaussian_blur(image: torch.Tensor, sigma: float, radius: int, on_strip: OnStrip = lambda: None) -> torch.Tensor:
    """Blur with a Gaussian cut off at a radius; borders are mirrored without repeating the edge pixel.

    torchvision builds the full two-dimensional kernel, so one call for each axis saves a factor of the kernel's width.

    Args:
        image: [B, C, H, W], floating point.
        sigma: standard deviation in pixels, above 0.
        radius: half width of the kernel in pixels; narrowed where the picture is too small to be mirrored that far.
        on_strip: see `OnStrip`.

    Returns:
        [B, C, H, W].
    """
    height, width = image.shape[-2:]
    along_x = 2 * min(radius, width - 1) + 1
    along_y = 2 * min(radius, height - 1) + 1

    def blur(strip: torch.Tensor, kernel: list[int]) -> torch.Tensor:
        blurred = torchvision_blur(strip, kernel, [sigma, sigma])
        on_strip()
        return blurred

    rows, columns = strip_size(width), strip_size(height)
    image = torch.cat([blur(strip, [along_x, 1]) for strip in image.split(rows, dim=-2)], dim=-2)
    return torch.cat([blur(strip, [1, along_y]) for strip in image.split(columns, dim=-1)], dim=-1)
