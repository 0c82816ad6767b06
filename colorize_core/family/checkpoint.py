"""What a checkpoint file is, and how its tensors are sorted into parts.

Every size is read off tensor shapes; no configuration file is needed.

Source: spec section 1.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import ColorizeError

UNET = "model.diffusion_model."
TOWER = "cond_stage_model.visual.model."

#: Parts of a version 2 checkpoint: attribute of `Parts`, what it is, one key that shows it is there.
REQUIRED_PARTS = (
    ("unet", "the UNet", UNET + "input_blocks.0.0.weight"),
    (
        "split_lora",
        "the split LoRA",
        UNET + "output_blocks.3.1.transformer_blocks.0.attn2.to_q.lora_down_fg.weight",
    ),
    ("injection", "background injection", UNET + "warp_modules.0.norm1.weight"),
    ("style", "style modulation", UNET + "style_modules.0.1.weight"),
    ("background_encoder", "the background encoder", "bg_encoder.input_blocks.0.0.weight"),
    ("style_encoder", "the style encoder", "style_encoder.input_blocks.0.0.weight"),
    ("sketch_encoder", "the sketch encoder", "control_encoder.model.0.weight"),
    ("vae", "the VAE", "first_stage_model.decoder.conv_in.weight"),
)

#: Prefix -> attribute of `Parts`; the first that fits wins. The split LoRA lies among the UNet's own keys.
PREFIXES = (
    (UNET + "warp_modules.", "injection"),
    (UNET + "style_modules.", "style"),
    (UNET, "unet"),
    ("bg_encoder.", "background_encoder"),
    ("style_encoder.", "style_encoder"),
    ("control_encoder.", "sketch_encoder"),
    ("first_stage_model.", "vae"),
    (TOWER, "image_tower"),
)

#: Keys that some trainers save and that no part needs.
IGNORED_PREFIXES = ("model_ema.", "loss.", "first_stage_model.loss.", "cond_stage_model.visual.model.logit_scale")

_LORA = "Load it with Load LoRA, on the MODEL that this node gives."
_CHECKPOINT = "Load it with Load Checkpoint."
_DIFFUSION = "Load it with Load Diffusion Model."

#: What else a file may be: name, marks of which each must be a part of some key, what to do. The first that fits wins.
OTHER_FILES = (
    ("an SDXL checkpoint", (UNET, "conditioner.embedders.1."), _CHECKPOINT),
    ("an SDXL refiner checkpoint", (UNET, "conditioner.embedders.0.model."), _CHECKPOINT),
    ("a Flux checkpoint", ("double_blocks.0.img_",), _DIFFUSION),
    ("a Stable Diffusion 3 checkpoint", ("joint_blocks.0.",), _CHECKPOINT),
    ("a LoRA", ("lora_unet_",), _LORA),
    ("a LoRA", ("lora_te",), _LORA),
    ("a LoRA", (".lora_A.",), _LORA),
    ("a LoRA", (".lora_up.",), _LORA),
    ("a LoRA", (".lora.up.",), _LORA),
    ("a LoRA", ("_lora.up.",), _LORA),
    ("a ControlNet", ("input_hint_block.",), "Load it with Load ControlNet Model."),
    ("a ControlNet", ("controlnet_cond_embedding.",), "Load it with Load ControlNet Model."),
    ("a T2I adapter", ("body.0.in_conv.",), "Load it with Load ControlNet Model."),
    ("a T2I adapter", ("body.0.block1.",), "Load it with Load ControlNet Model."),
    ("an IP-Adapter", ("ip_adapter.",), "This pack has a reference encoder of its own; an IP-Adapter is not needed."),
    (
        "an IS-Net segmenter",
        ("stage1.rebnconv", "side1."),
        "Put it into models/colorize_segmenters and load it with Load Character Segmenter.",
    ),
    ("a Stable Diffusion 1.x checkpoint", (UNET, "cond_stage_model.transformer."), _CHECKPOINT),
    ("a Stable Diffusion 2.x checkpoint", (UNET, "cond_stage_model.model."), _CHECKPOINT),
    ("a diffusion checkpoint of another model", (UNET,), _CHECKPOINT),
    ("a diffusers UNet", ("down_blocks.0.", "mid_block.", "conv_norm_out.", "time_embedding."), _DIFFUSION),
    ("a CLIP image tower", ("vision_model.embeddings.",), "Load it with Load CLIP Vision."),
    ("a CLIP image tower", ("visual.transformer.resblocks.",), "Load it with Load CLIP Vision."),
    ("a CLIP text encoder", ("text_model.embeddings.",), "Load it with Load CLIP."),
    ("a T5 text encoder", ("encoder.block.0.layer.0.SelfAttention.",), "Load it with Load CLIP."),
    ("a VAE", ("decoder.up.0.block.0.",), "Load it with Load VAE."),
    ("a VAE", ("decoder.up_blocks.0.",), "Load it with Load VAE."),
)

#: Parts that only version 2 has.
V2_MARKS = ("bg_encoder.", "style_encoder.", UNET + "warp_modules.", UNET + "style_modules.")
#: Parts that every version of the family has.
FAMILY_MARKS = ("control_encoder.", "cond_stage_model.visual.")


@dataclass
class Parts:
    """A checkpoint's tensors by part, without prefixes."""

    unet: dict[str, Tensor] = field(default_factory=dict)
    split_lora: dict[str, Tensor] = field(default_factory=dict)
    injection: dict[str, Tensor] = field(default_factory=dict)
    style: dict[str, Tensor] = field(default_factory=dict)
    background_encoder: dict[str, Tensor] = field(default_factory=dict)
    style_encoder: dict[str, Tensor] = field(default_factory=dict)
    sketch_encoder: dict[str, Tensor] = field(default_factory=dict)
    vae: dict[str, Tensor] = field(default_factory=dict)
    image_tower: dict[str, Tensor] = field(default_factory=dict)


def describe(keys: Mapping[str, Tensor]) -> tuple[str, str]:
    """Say what a file that is no version 2 checkpoint is, and what to do with it."""
    if not keys:
        return "a file without tensors", "Download the checkpoint again."

    def has(mark: str) -> bool:
        return any(mark in key for key in keys)

    if any(has(mark) for mark in V2_MARKS):
        return "an incomplete ColorizeDiffusion v2 checkpoint", "Download the checkpoint again."
    if any(has(mark) for mark in FAMILY_MARKS) or has(".lora_down_fg."):
        version = '1.5 ("switch")' if has(".lora_down_fg.") else '1 ("mult") or 1.5 ("switch")'
        return (
            f"an earlier ColorizeDiffusion checkpoint, version {version}",
            "This pack runs version 2: use a v2 file such as v2-full.safetensors.",
        )
    for name, marks, advice in OTHER_FILES:
        if all(has(mark) for mark in marks):
            return name, advice
    return "no checkpoint this pack knows", "Use a ColorizeDiffusion v2 file such as v2-full.safetensors."


def split_parts(state_dict: Mapping[str, Tensor], file_name: str) -> Parts:
    """Sort a version 2 checkpoint into its parts.

    Args:
        state_dict: the file's tensors, with full names.
        file_name: for messages.

    Raises:
        ColorizeError: the file is something else or lacks parts; says what it is, what is missing and what to do.
    """
    missing = [(name, key) for _, name, key in REQUIRED_PARTS if key not in state_dict]
    if missing:
        what, advice = describe(state_dict)
        names = ", ".join(name for name, _ in missing)
        first = ", ".join(key for _, key in missing[:3])
        raise ColorizeError(
            f"{file_name} is {what} ({len(state_dict)} tensors). Of the {len(REQUIRED_PARTS)} parts of a "
            f"ColorizeDiffusion v2 checkpoint it lacks {len(missing)}: {names} (first missing names: {first}). {advice}"
        )
    parts = Parts()
    for key, value in state_dict.items():
        for prefix, part in PREFIXES:
            if key.startswith(prefix) and not key.startswith(IGNORED_PREFIXES):
                target = parts.split_lora if part == "unet" and ".lora_" in key else getattr(parts, part)
                target[key[len(prefix) :]] = value
                break
    return parts


def squeeze_projections(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn the transformers' 1×1 convolutions into Stable Diffusion 2.1's linear layers: [C, C, 1, 1] -> [C, C]."""
    names = (".proj_in.weight", ".proj_out.weight")
    return {
        key: value[:, :, 0, 0] if key.endswith(names) and value.ndim == 4 else value
        for key, value in state_dict.items()
    }


def prediction_type(choice: str, file_name: str) -> str:
    """Return "v" or "eps": `auto` means eps where the file's own name says so, else v."""
    if choice != "auto":
        return choice
    return "eps" if "eps" in file_name.replace("\\", "/").rsplit("/", 1)[-1].lower() else "v"


def fingerprint(parts: Parts) -> str:
    """Identify a checkpoint by the layout and a sample of its weights; fp32 and fp16 copies agree.

    The image tower does not count, for a file may leave it out, nor do keys that no part needs.
    """
    digest = hashlib.sha256()
    for part, _, key in REQUIRED_PARTS:
        weights: dict[str, Tensor] = getattr(parts, part)
        for name in sorted(weights):
            digest.update(f"{part}.{name}{tuple(weights[name].shape)}".encode())
        prefix = next(prefix for prefix, _ in PREFIXES if key.startswith(prefix))
        sample = weights[key.removeprefix(prefix)].flatten()[:4096].to(torch.float16).cpu()
        digest.update(sample.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def vae_config(state_dict: Mapping[str, Tensor]) -> dict:
    """Derive the sizes of an SD-layout VAE (keys without prefix) as an autoencoder configuration."""
    channels = state_dict["encoder.conv_in.weight"].shape[0]
    levels = sum(key.startswith("encoder.down.") and key.endswith(".block.0.conv1.weight") for key in state_dict)
    blocks = sum(key.startswith("encoder.down.0.block.") and key.endswith(".conv1.weight") for key in state_dict)
    outputs = [state_dict[f"encoder.down.{i}.block.0.conv1.weight"].shape[0] for i in range(levels)]
    latent, embed = state_dict["post_quant_conv.weight"].shape[:2]
    return {
        "embed_dim": embed,
        "ddconfig": {
            "double_z": state_dict["encoder.conv_out.weight"].shape[0] == 2 * latent,
            "z_channels": latent,
            "resolution": 256,
            "in_channels": state_dict["encoder.conv_in.weight"].shape[1],
            "out_ch": state_dict["decoder.conv_out.weight"].shape[0],
            "ch": channels,
            "ch_mult": [width // channels for width in outputs],
            "num_res_blocks": blocks,
            "attn_resolutions": [],
            "dropout": 0.0,
        },
    }
