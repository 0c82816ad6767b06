"""From a MODEL and a carrier to a patched MODEL and the conditioning for it.

Source: spec sections 5 and 6.
"""

import comfy.model_patcher
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor

from ...carrier.carrier import Carrier
from ...errors import ColorizeError
from ...prepare.masks import checked_mask
from ...prepare.one_sided import one_sided
from ...sampling.settings import Settings
from ..notice import notice_mask
from ..sampling.model_patch import ColorizePatch, sigma_windows
from ..sampling.unet_layout import attention_places, context_channels
from .colorizer import Colorizer
from .encode import check_carrier
from .unet import checkpoint_of


def apply_carrier(
    model: comfy.model_patcher.ModelPatcher,
    colorizer: Colorizer,
    carrier: Carrier,
    mask: Tensor | None,
    settings: Settings,
) -> tuple[comfy.model_patcher.ModelPatcher, list, list]:
    """Patch a clone of the MODEL so that it colours with a carrier.

    Args:
        mask: [B or 1, H, W] in [0, 1], 1 = character of the sketch, of any size; None for plain reference attention.

    Returns:
        The patched clone, the conditioning, and the reference-free conditioning.

    Raises:
        ColorizeError: model, colorizer and carrier do not belong together, or the mask is no mask.
    """
    check_model(model, colorizer)
    if mask is not None:
        mask = checked_mask(mask, "sketch_mask").cpu()
        notice_mask("Apply Colorization", one_sided(mask, "sketch_mask", settings.threshold))
    check_carrier(carrier, colorizer)
    regions = carrier.characters(mask)
    windows = sigma_windows(model.get_model_object("model_sampling"), settings)
    recipe = colorizer.recipe(carrier, bool(regions), settings, attention_places(model))
    context, counts = colorizer.context(carrier, regions, settings)
    patched = model.clone()
    ColorizePatch(counts, regions, recipe, settings, windows).install(patched)
    options = colorizer.conditioning_options()
    return patched, [[context, dict(options)]], [[torch.zeros_like(context), dict(options)]]


def check_model(model: comfy.model_patcher.ModelPatcher, colorizer: Colorizer) -> None:
    """Refuse a MODEL that the colorizer does not fit."""
    unet = getattr(model.model, "diffusion_model", None)
    if not isinstance(unet, UNetModel):
        raise ColorizeError(
            f"`model` is a {type(model.model).__name__}; expected the UNet of "
            f"{colorizer.file_name}. Wire the MODEL of Load Colorize Checkpoint."
        )
    checkpoint = checkpoint_of(model)
    if checkpoint not in (None, colorizer.checkpoint):
        raise ColorizeError(
            f"`model` comes from another checkpoint than `colorizer` ({colorizer.file_name}). Wire both from one and "
            "the same Load Colorize Checkpoint."
        )
    sizes = (unet.model_channels, context_channels(model))
    expected = (colorizer.model_channels, colorizer.context_channels)
    if sizes != expected:
        raise ColorizeError(
            f"`model` is {sizes[0]} channels wide and attends to tokens of {sizes[1]}; {colorizer.file_name} needs "
            f"{expected[0]} and {expected[1]}. Wire the MODEL of Load Colorize Checkpoint."
        )
