"""The COLORIZER: what a checkpoint holds beside UNet, VAE and image tower."""

from dataclasses import dataclass

import comfy.model_patcher
from torch import Tensor, nn

from ..checkpoint import Parts, squeeze_projections
from ..injection import InjectionBlocks, injection_sizes
from ..split_lora import SplitLora, rename_split_lora
from ..style import StyleModulation, style_sizes
from .latent_encoder import build_latent_encoder
from .loading import load_module


class BackgroundPath(nn.Module):
    """What the UNet gains where a background is injected: the injection blocks and the split LoRA."""

    def __init__(self, state_dict: dict[str, Tensor], operations=nn, device=None, dtype=None):
        super().__init__()
        lora = {k.removeprefix("lora."): tuple(v.shape) for k, v in state_dict.items() if k.startswith("lora.")}
        blocks = {k.removeprefix("injection."): v for k, v in state_dict.items() if k.startswith("injection.")}
        self.injection = InjectionBlocks(injection_sizes(blocks), operations, device, dtype)
        self.lora = SplitLora(lora, operations, device, dtype)


@dataclass(frozen=True)
class Colorizer:
    """The parts that the encode and apply nodes use, each in ComfyUI's memory management.

    Attributes:
        file_name, checkpoint: where it came from; the fingerprint ties MODEL, COLORIZER and CARRIER together.
        model_channels, context_channels: C of the UNet, D of the reference tokens.
        background_encoder, style_encoder: `LatentEncoder`s.
        background_path: `BackgroundPath`.
        style: `StyleModulation`.
    """

    file_name: str
    checkpoint: str
    model_channels: int
    context_channels: int
    background_encoder: comfy.model_patcher.ModelPatcher
    style_encoder: comfy.model_patcher.ModelPatcher
    background_path: comfy.model_patcher.ModelPatcher
    style: comfy.model_patcher.ModelPatcher


def load_colorizer(parts: Parts, file_name: str, checkpoint: str) -> Colorizer:
    """Build the COLORIZER from a checkpoint's parts."""
    path = {f"injection.warp_modules.{key}": value for key, value in parts.injection.items()}
    path |= {f"lora.{key}": value for key, value in rename_split_lora(parts.split_lora).items()}
    style = {f"style_modules.{key}": value for key, value in parts.style.items()}

    def build_style(state_dict, operations, device, dtype):
        return StyleModulation(**style_sizes(state_dict), operations=operations, device=device, dtype=dtype)

    return Colorizer(
        file_name=file_name,
        checkpoint=checkpoint,
        model_channels=parts.unet["input_blocks.0.0.weight"].shape[0],
        context_channels=parts.unet["input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"].shape[1],
        background_encoder=load_module(
            build_latent_encoder, squeeze_projections(parts.background_encoder), "the background encoder", file_name
        ),
        style_encoder=load_module(
            build_latent_encoder, squeeze_projections(parts.style_encoder), "the style encoder", file_name
        ),
        background_path=load_module(BackgroundPath, path, "background injection and split LoRA", file_name),
        style=load_module(build_style, style, "style modulation", file_name),
    )
