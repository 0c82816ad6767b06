"""Pictures as the graph hands them over: checked, in RGB, on paper.

A picture is [B, H, W, C] in [0, 1], the IMAGE of ComfyUI; C is 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA).
"""

import torch
import torch.nn.functional as F

from ..errors import ColorizeError
from .masks import checked_mask, fit_mask

CHANNELS = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGBA"}


def checked_picture(image: torch.Tensor, name: str = "image") -> torch.Tensor:
    """Return the picture unchanged, or say what is wrong with it.

    Args:
        image: [B, H, W, C]; C in 1…4.
        name: the input's name on the node, for the message.
    """
    shape = list(image.shape)
    if image.ndim != 4 or shape[-1] not in CHANNELS:
        kinds = ", ".join(f"{count} ({kind})" for count, kind in CHANNELS.items())
        raise ColorizeError(
            f"`{name}` has the shape {shape}, expected [batch, height, width, channels] with channels {kinds}: "
            "wire an IMAGE, for example from Load Image."
        )
    if 0 in shape:
        raise ColorizeError(
            f"`{name}` is empty: {shape[0]} pictures of {shape[2]}×{shape[1]} pixels came, expected at least one of at "
            "least 1×1. Look at the node before this one."
        )
    if not torch.isfinite(image).all():
        raise ColorizeError(
            f"`{name}` holds NaN or infinite values, expected numbers in [0, 1]. The node before this one made them; "
            "a VAE in half precision is the usual cause (--fp32-vae)."
        )
    return image


def as_rgb(
    image: torch.Tensor, paper: float = 1.0, name: str = "image", transparency: torch.Tensor | None = None
) -> torch.Tensor:
    """Bring a picture to RGB, its transparent parts laid on paper.

    Colours are straight, as PNG files and Load Image have them: not yet multiplied by alpha.

    Args:
        image: [B, H, W, C] in [0, 1], C in 1…4, any float type and memory layout.
        paper: grey level in [0, 1] that shows through where alpha is 0.
        transparency: [B or 1, H', W'] in [0, 1], 1 = transparent, as Load Image gives it beside the picture.

    Returns:
        [B, H, W, 3] in [0, 1], float32; what is nowhere transparent comes back bit for bit.
    """
    image = checked_picture(image, name).float().clamp(0, 1)
    if image.shape[-1] in (2, 4):
        color, alpha = image[..., :-1], image[..., -1:]
        image = color * alpha + paper * (1 - alpha)
    rgb = image if image.shape[-1] == 3 else image.expand(*image.shape[:-1], 3)
    if transparency is None:
        return rgb
    clear = checked_mask(transparency, "transparency")
    if len(clear) not in (1, len(rgb)):
        raise ColorizeError(
            f"`{name}` holds {len(rgb)} and `transparency` {len(clear)}, expected one mask, or one for each picture: "
            "wire both from the same node."
        )
    clear = fit_mask(clear, *rgb.shape[1:3]).to(rgb.device)
    return torch.lerp(rgb, torch.full_like(rgb, paper), clear[..., None])


def as_grey(rgb: torch.Tensor) -> torch.Tensor:
    """Return the brightness of a picture; a grey picture comes back exactly as it was.

    Args:
        rgb: [B, H, W, 3] in [0, 1].

    Returns:
        [B, H, W] in [0, 1].

    Source: luma of ITU-R BT.601, written as green plus differences so that grey stays grey.
    """
    red, green, blue = rgb.unbind(-1)
    return (green + 0.299 * (red - green) + 0.114 * (blue - green)).clamp(0, 1)


def resize_picture(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize a picture with an antialiased bicubic filter; the same size comes back untouched.

    Args:
        image: [B, H, W, C] in [0, 1].
        height, width: size of the result in pixels, at least 1.

    Returns:
        [B, height, width, C] in [0, 1].
    """
    if image.shape[1:3] == (height, width):
        return image
    channels_first = image.movedim(-1, 1)
    resized = F.interpolate(channels_first, size=(height, width), mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp(0, 1).movedim(1, -1)
