"""The COLORIZER: what a checkpoint holds beside UNet, VAE and image tower."""

from dataclasses import dataclass

import comfy.model_patcher
import torch
from torch import Tensor, nn

from ...errors import ColorizeError
from ...family.checkpoint import Parts, squeeze_projections
from ...sampling.background_injection import InjectionBlocks, injection_sizes
from ...sampling.split_lora import PROJECTIONS, SIDES, SplitLora, rename_split_lora
from ...sampling.style_modulation import StyleModulation, style_sizes
from ...weights import check_complete
from ..loading import load_module, reading_sizes
from .latent_encoder import build_latent_encoder


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

    background_encoder, style_encoder = (
        load_module(build_latent_encoder, squeeze_projections(weights), part, file_name)
        for weights, part in (
            (parts.background_encoder, "the background encoder"),
            (parts.style_encoder, "the style encoder"),
        )
    )
    background_path = load_module(BackgroundPath, path, "background injection and split LoRA", file_name)
    style_heads = load_module(build_style, style, "style modulation", file_name)
    with reading_sizes("the UNet", file_name):
        check_parts_fit(parts, file_name)
        context_channels = parts.unet["input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"].shape[1]
    return Colorizer(
        file_name=file_name,
        checkpoint=checkpoint,
        model_channels=parts.unet["input_blocks.0.0.weight"].shape[0],
        context_channels=context_channels,
        background_encoder=background_encoder,
        style_encoder=style_encoder,
        background_path=background_path,
        style=style_heads,
    )


def check_parts_fit(parts: Parts, file_name: str) -> None:
    """Refuse parts that are complete in themselves but too short, or too narrow, for the UNet of the same file."""
    check_complete("the split LoRA", file_name, split_lora_layout(parts), parts.split_lora)
    skips, outputs = unet_widths(parts.unet)
    style = style_sizes({f"style_modules.{key}": value for key, value in parts.style.items()})
    injection = injection_sizes({f"warp_modules.{key}": value for key, value in parts.injection.items()})
    for part, given, expected in (
        ("background injection", injection, skips),
        ("style modulation", style["widths"], tuple(2 * width for width in outputs)),
        ("the background encoder", head_widths(parts.background_encoder)[::-1], skips),
        ("the style encoder", head_widths(parts.style_encoder)[::-1], tuple(2 * width for width in outputs)),
    ):
        if given != expected:
            raise ColorizeError(
                f"{file_name}: {part} has blocks of {given} channels, but the UNet needs {expected}. "
                "The file is truncated, edited or put together from two: download the checkpoint again."
            )


def split_lora_layout(parts: Parts) -> dict[str, Tensor]:
    """Return what the split LoRA of a UNet looks like, as tensors without memory: down [r, c_in], up [c_out, r]."""
    rank = min((v.shape[0] for k, v in parts.split_lora.items() if ".lora_down_" in k), default=0)
    layout = {}
    for key, weight in parts.unet.items():
        block, _, rest = key.partition(".1.transformer_blocks.0.attn2.")
        if block.startswith("output_blocks.") and rest in [f"{name}.weight" for name in PROJECTIONS]:
            c_out, c_in = weight.shape
            for side in SIDES:
                start = key.removesuffix("weight")
                layout[f"{start}lora_down_{side}.weight"] = torch.empty(rank, c_in, device="meta")
                layout[f"{start}lora_up_{side}.weight"] = torch.empty(c_out, rank, device="meta")
    return layout


def unet_widths(unet: dict[str, Tensor]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Read off a UNet's weights the channels of the skip and of the result of each output block."""
    last = (".0.weight", ".0.op.weight", ".0.out_layers.3.weight")
    channels: dict[tuple[str, int], int] = {}
    for key, value in unet.items():
        half, _, rest = key.partition(".")
        number, _, name = rest.partition(".")
        if half in ("input_blocks", "output_blocks") and f".{name}" in last:
            channels[half, int(number)] = value.shape[0]
    inputs, outputs = (
        tuple(channels[half, number] for number in range(sum(key[0] == half for key in channels)))
        for half in ("input_blocks", "output_blocks")
    )
    return inputs[::-1], outputs


def head_widths(encoder: dict[str, Tensor]) -> tuple[int, ...]:
    """Read off a latent encoder's weights what each head gives, in the order of the input blocks."""
    count = sum(key.startswith("zero_layers.") and key.endswith(".weight") for key in encoder)
    return tuple(encoder[f"zero_layers.{i}.weight"].shape[0] for i in range(count))
