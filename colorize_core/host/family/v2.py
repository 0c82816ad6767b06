"""Version 2 in ComfyUI: its networks, what it makes of pictures, what goes into the UNet.

Source: spec sections 1, 4 and 5.
"""

from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import comfy.sd
from torch import Tensor, nn

from ...carrier.carrier import Carrier, fit_rows
from ...family.checkpoint import squeeze_projections
from ...family.size_embedding import size_embedding
from ...family.sketch_encoder import SketchEncoder, sketch_encoder_sizes
from ...family.v2 import check_parts_fit
from ...family.version import Parts
from ...sampling.background_injection import InjectionBlocks, injection_sizes
from ...sampling.settings import Settings, block_strengths
from ...sampling.split_lora import SIDES, SplitLora, rename_split_lora
from ...sampling.style_modulation import StyleModulation, style_sizes
from ..carrier.encoders import encode_rows
from ..carrier.latents import encode_with_vae, resize_to_output
from ..loading import load_module, reading_sizes
from ..sampling.pieces import Piece, Recipe
from ..sampling.skip_injection import SkipInjection
from ..sampling.style import Style
from ..sampling.unet_layout import AttentionPlace
from .colorizer import BackgroundPicture, Colorizer
from .latent_encoder import build_latent_encoder
from .unet import ColorizeSD2, load_unet, unet_channels, unet_config


class BackgroundPath(nn.Module):
    """What the UNet gains where a background is injected: the injection blocks and the split LoRA."""

    def __init__(self, state_dict: dict[str, Tensor], operations=nn, device=None, dtype=None):
        super().__init__()
        lora = {k.removeprefix("lora."): tuple(v.shape) for k, v in state_dict.items() if k.startswith("lora.")}
        blocks = {k.removeprefix("injection."): v for k, v in state_dict.items() if k.startswith("injection.")}
        self.injection = InjectionBlocks(injection_sizes(blocks), operations, device, dtype)
        self.lora = SplitLora(lora, operations, device, dtype)


@dataclass(frozen=True)
class ColorizerV2(Colorizer):
    """The COLORIZER of version 2.

    Attributes:
        background_encoder, style_encoder: `LatentEncoder`s.
        background_path: `BackgroundPath`.
        style: `StyleModulation`.
    """

    background_encoder: comfy.model_patcher.ModelPatcher
    style_encoder: comfy.model_patcher.ModelPatcher
    background_path: comfy.model_patcher.ModelPatcher
    style: comfy.model_patcher.ModelPatcher

    def background_features(self, carrier: Carrier, given: BackgroundPicture) -> tuple[Tensor, ...]:
        """Encode the features that are injected into the skips: one [R, h_i·w_i, c_i] an output block."""
        of_reference = given.bleached or carrier.style_has_background
        features = self._encode(
            self.background_encoder,
            given.vae,
            given.picture,
            carrier.tokens if of_reference else given.tokens,
            size_embedding(*given.own_size, given.height, given.width),
            (given.width, given.height),
        )
        return tuple(given.strength * feature for feature in features)

    def style_vectors(
        self, tokens: Tensor, vae: comfy.sd.VAE, picture: Tensor, width: int, height: int
    ) -> tuple[Tensor, ...]:
        """Encode the style: one [R, 2c_i] an output block."""
        y = size_embedding(picture.shape[1], picture.shape[2], height, width)
        return tuple(self._encode(self.style_encoder, vae, picture, tokens, y, (width, height)))

    def recipe(
        self, carrier: Carrier, has_mask: bool, settings: Settings, places: tuple[AttentionPlace, ...]
    ) -> Recipe:
        """Say what goes into the UNet: the split LoRA and a background where there is a mask, and a style."""
        pieces: list[Piece] = []
        injects = has_mask and carrier.has_background
        if injects:
            pieces.append(SkipInjection(carrier.background_features, self.background_path))
        if carrier.style:
            pieces.append(Style(carrier.style, self.style))
        strengths = block_strengths(settings, self.version.levels)
        return Recipe(strengths, lora=self._split_lora if injects else None, pieces=pieces)

    def _split_lora(self, block: tuple[str, int], projection: str, background: bool, x: Tensor) -> Tensor | None:
        addition: Tensor | None = self.background_path.model.lora.addition(block, projection, SIDES[background], x)
        return addition

    def _encode(
        self,
        encoder: comfy.model_patcher.ModelPatcher,
        vae: comfy.sd.VAE,
        picture: Tensor,
        context: Tensor,
        y: Tensor,
        size: tuple[int, int],
    ) -> list[Tensor]:
        """Run one of the two latent encoders.

        Args:
            picture: [R, H, W, 3]. context: [R, N, D], reference tokens. y: [1, 512]. size: (width, height).

        Returns:
            What the encoder gives, one tensor an output block, with R rows (or as many as the context has).
        """
        latent = encode_with_vae(vae, resize_to_output(picture, *size), self.latent_format)
        rows = max(len(latent), len(context))
        latent, context = fit_rows(latent, rows), fit_rows(context, rows)
        return encode_rows(encoder, [latent, context], y, len(encoder.model.input_blocks))


def load_colorizer(parts: Parts, file_name: str, checkpoint: str) -> ColorizerV2:
    """Build the COLORIZER from a checkpoint's parts."""
    path = {f"injection.warp_modules.{key}": value for key, value in parts["injection"].items()}
    path |= {f"lora.{key}": value for key, value in rename_split_lora(parts["split_lora"]).items()}
    style = {f"style_modules.{key}": value for key, value in parts["style"].items()}

    def build_style(state_dict, operations, device, dtype):
        return StyleModulation(**style_sizes(state_dict), operations=operations, device=device, dtype=dtype)

    background_encoder, style_encoder = (
        load_module(build_latent_encoder, squeeze_projections(weights), part, file_name)
        for weights, part in (
            (parts["background_encoder"], "the background encoder"),
            (parts["style_encoder"], "the style encoder"),
        )
    )
    background_path = load_module(BackgroundPath, path, "background injection and split LoRA", file_name)
    style_heads = load_module(build_style, style, "style modulation", file_name)
    with reading_sizes("the UNet", file_name):
        check_parts_fit(parts, file_name)
    model_channels, context_channels = unet_channels(parts["unet"], 1, file_name)
    return ColorizerV2(
        version=parts.version,
        file_name=file_name,
        checkpoint=checkpoint,
        model_channels=model_channels,
        context_channels=context_channels,
        background_encoder=background_encoder,
        style_encoder=style_encoder,
        background_path=background_path,
        style=style_heads,
    )


def build_sketch_encoder(state_dict: dict[str, Tensor], operations, device, dtype) -> SketchEncoder:
    """Build the sketch encoder of versions 1 to 2 at the sizes that its weights tell."""
    return SketchEncoder(**sketch_encoder_sizes(state_dict), operations=operations, device=device, dtype=dtype)


def load_model(parts: Parts, prediction: str, file_name: str, checkpoint: str) -> comfy.model_patcher.ModelPatcher:
    """Build the MODEL, Stable Diffusion 2.1's UNet with linear projections."""
    weights = squeeze_projections(parts["unet"])
    config = ColorizeSD2(unet_config(weights, file_name), prediction)
    return load_unet(weights, config, file_name, checkpoint)


def image_tower(parts: Parts) -> dict[str, Tensor]:
    """Return the image tower's weights as OpenCLIP names them; empty where the file has none."""
    return parts["image_tower"]
