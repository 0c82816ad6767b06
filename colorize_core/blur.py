"""Gaussian blur of pictures of any size, down to a single pixel."""

import torch
from torchvision.transforms.functional import gaussian_blur as torchvision_blur


def gaussian_blur(image: torch.Tensor, sigma: float, radius: int) -> torch.Tensor:
    """Blur with a Gaussian cut off at a radius; borders are mirrored without repeating the edge pixel.

    torchvision builds the full two-dimensional kernel, so one call for each axis saves a factor of the kernel's width.

    Args:
        image: [B, C, H, W], floating point.
        sigma: standard deviation in pixels, above 0.
        radius: half width of the kernel in pixels; narrowed where the picture is too small to be mirrored that far.

    Returns:
        [B, C, H, W].
    """
    height, width = image.shape[-2:]
    along_x = 2 * min(radius, width - 1) + 1
    along_y = 2 * min(radius, height - 1) + 1
    image = torchvision_blur(image, [along_x, 1], [sigma, sigma])
    return torchvision_blur(image, [1, along_y], [sigma, sigma])
