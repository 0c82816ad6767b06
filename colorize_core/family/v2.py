"""Version 2: background injection, split LoRA and style modulation.

Source: spec section 1; arXiv 2504.06895.
"""

from torch import Tensor

from ..errors import ColorizeError
from ..sampling.background_injection import injection_sizes
from ..sampling.split_lora import SIDES
from ..sampling.style_modulation import style_sizes
from ..weights import check_complete
from .lora_layout import lora_layout
from .version import UNET, Part, Parts, Version

#: Parts that only version 2 has.
MARKS = ("style_encoder.", UNET + "warp_modules.", UNET + "style_modules.", "bg_encoder.")
TOWER = "cond_stage_model.visual.model."

V2 = Version(
    id="v2",
    name="ColorizeDiffusion v2",
    marks=tuple((mark,) for mark in MARKS),
    parts=(
        Part("unet", "the UNet", UNET + "input_blocks.0.0.weight", UNET),
        Part(
            "split_lora",
            "the split LoRA",
            UNET + "output_blocks.3.1.transformer_blocks.0.attn2.to_q.lora_down_fg.weight",
            UNET,
            ".lora_",
        ),
        Part("injection", "background injection", UNET + "warp_modules.0.norm1.weight", UNET + "warp_modules."),
        Part("style", "style modulation", UNET + "style_modules.0.1.weight", UNET + "style_modules."),
        Part("background_encoder", "the background encoder", "bg_encoder.input_blocks.0.0.weight", "bg_encoder."),
        Part("style_encoder", "the style encoder", "style_encoder.input_blocks.0.0.weight", "style_encoder."),
        Part("sketch_encoder", "the sketch encoder", "control_encoder.model.0.weight", "control_encoder."),
        Part("vae", "the VAE", "first_stage_model.decoder.conv_in.weight", "first_stage_model."),
        Part("image_tower", "the image tower", "", TOWER),
    ),
    ignored=(TOWER + "logit_scale",),
    advice="use a v2 file such as v2-full.safetensors",
    needs="CLIP-ViT-H-14-laion2B-s32B-b79K",
    levels={
        "encoder": (("input", 1), ("input", 2)),
        "color": (("input", 4), ("input", 5), ("output", 6), ("output", 7), ("output", 8)),
        "semantic": (("input", 7), ("input", 8), ("output", 3), ("output", 4), ("output", 5)),
    },
    has_style=True,
)


def check_parts_fit(parts: Parts, file_name: str) -> None:
    """Refuse parts that are complete in themselves but too short, or too narrow, for the UNet of the same file."""
    lora = parts["split_lora"]
    layout = lora_layout(lora, parts["unet"], SIDES, inside="output_blocks.")
    check_complete("the split LoRA", file_name, layout, lora)
    skips, outputs = unet_widths(parts["unet"])
    style = style_sizes({f"style_modules.{key}": value for key, value in parts["style"].items()})
    injection = injection_sizes({f"warp_modules.{key}": value for key, value in parts["injection"].items()})
    for part, given, expected in (
        ("background injection", injection, skips),
        ("style modulation", style["widths"], tuple(2 * width for width in outputs)),
        ("the background encoder", head_widths(parts["background_encoder"])[::-1], skips),
        ("the style encoder", head_widths(parts["style_encoder"])[::-1], tuple(2 * width for width in outputs)),
    ):
        if given != expected:
            raise ColorizeError(
                f"{file_name}: {part} has blocks of {given} channels, but the UNet needs {expected}. "
                "The file is truncated, edited or put together from two: download the checkpoint again."
            )


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
