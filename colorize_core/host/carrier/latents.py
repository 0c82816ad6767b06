"""Pictures as latents: brought to the output's size, the mean of what the VAE gives.

Source: spec section 4.
"""

import comfy.latent_formats
import comfy.sd
import torch.nn.functional as F
from torch import Tensor

from ...errors import ColorizeError, check_finite


def resize_to_output(picture: Tensor, width: int, height: int) -> Tensor:
    """Bring a picture [R, h, w, 3] to the output's size, without keeping its proportions.

    The result lies in memory channel by channel, whatever lay so before: convolutions round otherwise on the CPU where
    the channels of a pixel lie together, and the VAE hands the layout on.
    """
    check_output_size(width, height)
    channels_first = picture.movedim(-1, 1).contiguous()
    return F.interpolate(channels_first, size=(height, width), mode="bicubic").movedim(1, -1)


def encode_with_vae(vae: comfy.sd.VAE, picture: Tensor, latent_format: comfy.latent_formats.LatentFormat) -> Tensor:
    """Return the posterior mean of a picture [R, H, W, 3] in the model's scale, [R, 4, H/8, W/8].

    Args:
        latent_format: the model's.

    Raises:
        ColorizeError: the VAE is of another kind, or its precision does not suffice.
    """
    latent = vae.encode(picture)
    expected = (len(picture), latent_format.latent_channels, picture.shape[1] // 8, picture.shape[2] // 8)
    if tuple(latent.shape) != expected:
        raise ColorizeError(
            f"`vae` makes latents of shape {tuple(latent.shape)}; expected {expected}. Wire the VAE of Load Colorize "
            "Checkpoint, or another Stable Diffusion 1.x or 2.x VAE."
        )
    check_finite(latent, "`vae` makes", "Its precision does not suffice: start ComfyUI with --fp32-vae.")
    return latent_format.process_in(latent)


def check_output_size(width: int, height: int) -> None:
    """Refuse sizes that the latent grid does not divide."""
    if width < 8 or height < 8 or width % 8 or height % 8:
        raise ColorizeError(f"`width`×`height` is {width}×{height}; expected multiples of 8, at least 8.")
