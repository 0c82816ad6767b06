"""From pictures to a carrier: reference tokens, background features, style vectors.

Source: spec sections 2, 4 and 6.
"""

import comfy.clip_vision
import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.utils
import torch
from torch import Tensor

from ...carrier.carrier import Carrier, check_batches, fit_rows, join_views
from ...family.size_embedding import size_embedding
from ...prepare.pictures import as_rgb, checked_picture
from ..carrier.encoders import CHUNK, finite, memory_for, progress_and_cancel
from ..carrier.image_tower import matching_tokens, tokens_of
from ..carrier.latents import check_output_size, encode_with_vae, resize_to_output
from .colorizer import Colorizer


def encode_reference(
    clip_vision: comfy.clip_vision.ClipVisionModel,
    image: Tensor,
    one_character: bool = False,
    transparency: Tensor | None = None,
) -> Carrier:
    """Encode the colour reference.

    Args:
        image: [R, H, W, C] in [0, 1].
        one_character: the pictures are views of one character, so that each image attends to the tokens of all.
        transparency: [R or 1, H', W'] in [0, 1], 1 = transparent; what it clears is white paper.
    """
    tokens = tokens_of(clip_vision, as_rgb(image, transparency=transparency))
    if one_character:
        class_token = tokens[:, :1].mean(dim=0, keepdim=True)
        return Carrier(tokens=join_views(tokens[:, 1:]), class_token=class_token, views=len(tokens))
    return Carrier(tokens=tokens[:, 1:], class_token=tokens[:, :1])


def encode_background(
    carrier: Carrier,
    colorizer: Colorizer,
    vae: comfy.sd.VAE,
    clip_vision: comfy.clip_vision.ClipVisionModel,
    image: Tensor,
    width: int,
    height: int,
    strength: float = 1.0,
    bleached: bool = False,
    reference: Tensor | None = None,
    transparency: Tensor | None = None,
) -> Carrier:
    """Encode the background.

    Args:
        image: [R, H, W, C] in [0, 1], a background picture, or the reference with its character painted white.
        width, height: the output, in pixels.
        strength: factor on the features.
        bleached: the image is a bleached reference, so the encoder's context is the reference's tokens.
        reference: the picture that a bleached reference stands for, if its size differs from the image's.
        transparency: [R or 1, H', W'] in [0, 1], 1 = transparent; what it clears is white paper.

    Returns:
        The carrier with background tokens and features.
    """
    check_carrier(carrier, colorizer)
    check_output_size(width, height)
    picture = as_rgb(image, transparency=transparency)
    check_batches(len(carrier.tokens), len(picture), ("reference", "image"))
    tokens = matching_tokens(clip_vision, picture, carrier)
    sized = checked_picture(reference, "reference") if bleached and reference is not None else image
    of_reference = bleached or carrier.style_has_background
    features = encode_latents(
        colorizer.background_encoder,
        vae,
        picture,
        carrier.tokens if of_reference else tokens,
        size_embedding(sized.shape[1], sized.shape[2], height, width),
        width,
        height,
    )
    return carrier.with_background(tokens, tuple(strength * f for f in features), colorizer.checkpoint)


def encode_style(
    carrier: Carrier,
    colorizer: Colorizer,
    vae: comfy.sd.VAE,
    clip_vision: comfy.clip_vision.ClipVisionModel,
    image: Tensor,
    width: int,
    height: int,
    background: Tensor | None = None,
    merge: float = 0.0,
    transparency: Tensor | None = None,
) -> Carrier:
    """Encode the style.

    Args:
        image: [R, H, W, C] in [0, 1], the picture whose style is taken, as a rule the reference.
        width, height: the output, in pixels.
        background: [R, H, W, C], whose style is mixed in.
        merge: μ in [0, 1]; the style is (1 - μ)·image + μ·background.
        transparency: [R or 1, H', W'] in [0, 1], 1 = where the image is transparent; what it clears is white paper.

    Returns:
        The carrier with style vectors.
    """
    check_carrier(carrier, colorizer)
    check_output_size(width, height)

    def vectors(rgb: Tensor, name: str) -> list[Tensor]:
        check_batches(len(carrier.tokens), len(rgb), ("reference", name))
        y = size_embedding(rgb.shape[1], rgb.shape[2], height, width)
        tokens = matching_tokens(clip_vision, rgb, carrier)
        return encode_latents(colorizer.style_encoder, vae, rgb, tokens, y, width, height)

    picture = as_rgb(image, transparency=transparency)
    if background is not None:
        check_batches(len(picture), len(checked_picture(background, "background")), ("image", "background"))
    style = vectors(picture, "image")
    if background is not None and merge:
        mixed_in = vectors(as_rgb(background, name="background"), "background")
        style = [(1 - merge) * s + merge * b for s, b in zip(style, mixed_in, strict=True)]
    return carrier.with_style(tuple(style), background is not None, colorizer.checkpoint)


def check_carrier(carrier: Carrier, colorizer: Colorizer) -> None:
    """Refuse a carrier whose tokens or encodings belong to another checkpoint."""
    carrier.check_checkpoint(colorizer.checkpoint, colorizer.context_channels, colorizer.file_name)


def encode_latents(
    encoder: comfy.model_patcher.ModelPatcher,
    vae: comfy.sd.VAE,
    picture: Tensor,
    context: Tensor,
    y: Tensor,
    width: int,
    height: int,
) -> list[Tensor]:
    """Run a background or style encoder on pictures.

    Args:
        picture: [R, h, w, 3] in [0, 1]; resized to the output without keeping its proportions.
        context: [R or 1, N, D], tokens. y: [1, 512].
        width, height: the output in pixels, multiples of 8.

    Returns:
        What the encoder gives, one tensor an output block, with R rows (or as many as the context has).
    """
    latent = encode_with_vae(vae, resize_to_output(picture, width, height))
    rows = max(len(latent), len(context))
    latent, context = fit_rows(latent, rows), fit_rows(context, rows)
    comfy.model_management.load_models_gpu([encoder], memory_required=memory_for(encoder, latent[:CHUNK]))
    device, dtype = encoder.load_device, encoder.model.compute_dtype
    blocks = len(encoder.model.input_blocks)
    starts = range(0, rows, CHUNK)
    advance = progress_and_cancel(blocks * len(starts))
    outputs: list[list[Tensor]] = []
    for start in starts:
        batch = [t[start : start + CHUNK].to(device=device, dtype=dtype) for t in (latent, context)]
        sizes = y.to(device=device, dtype=dtype).expand(len(batch[0]), -1)
        encoded = encoder.model(*batch, sizes, on_block=lambda: next(advance))
        outputs.append([o.to(comfy.model_management.intermediate_device()) for o in encoded])
    return [finite(torch.cat(parts), "colorizer", "--fp32-unet") for parts in zip(*outputs, strict=True)]
