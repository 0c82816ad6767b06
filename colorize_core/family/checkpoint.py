"""What a checkpoint file is, and how its tensors are sorted into parts.

Every size is read off tensor shapes; no configuration file is needed.

Source: spec section 1.
"""

import hashlib
import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from ..errors import ColorizeError
from .v1 import modern_names
from .v2 import V2
from .version import UNET, Parts, Version
from .versions import VERSIONS

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


def find_version(keys: Collection[str]) -> Version | None:
    """Return the version whose marks stand among these names, complete or not; None where there is none."""
    return next((version for version in VERSIONS if version.fits(keys)), None)


def describe(keys: Collection[str]) -> tuple[str, str]:
    """Say what a file with tensors of these names is that is no complete checkpoint, and what to do with it."""
    if not keys:
        return "a file without tensors", "Download the checkpoint again."

    def has(mark: str) -> bool:
        return any(mark in key for key in keys)

    version = find_version(keys)
    if version is not None:
        return f"an incomplete {version.name} checkpoint", "Download the checkpoint again."
    for name, marks, advice in OTHER_FILES:
        if all(has(mark) for mark in marks):
            return name, advice
    return "no checkpoint this pack knows", f"This pack runs {told_versions()}: {V2.advice}."


def told_versions() -> str:
    """Name the versions in a sentence."""
    *others, last = (version.name for version in VERSIONS)
    return f"{', '.join(others)} and {last}"


def split_parts(state_dict: Mapping[str, Tensor], file_name: str) -> Parts:
    """Sort a checkpoint into the parts of its version.

    Args:
        state_dict: the file's tensors, with full names.
        file_name: for messages.

    Raises:
        ColorizeError: the file is something else or lacks parts; says what it is, what is missing and what to do.
    """
    state_dict = modern_names(state_dict)
    version = find_version(state_dict.keys()) or V2
    missing = [part for part in version.required if part.key not in state_dict]
    if missing:
        what, advice = describe(state_dict.keys())
        names = ", ".join(part.name for part in missing)
        first = ", ".join(part.key for part in missing[:3])
        raise ColorizeError(
            f"{file_name} is {what} ({len(state_dict)} tensors). Of the {len(version.required)} parts of a "
            f"{version.name} checkpoint it lacks {len(missing)}: {names} (first missing names: {first}). {advice}"
        )
    parts = Parts(version, {part.id: {} for part in version.parts})
    for key, value in state_dict.items():
        part = version.part_of(key)
        if part is not None:
            parts[part.id][key[len(part.prefix) :]] = value
    return parts


def squeeze_projections(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn the transformers' 1×1 convolutions into Stable Diffusion 2.1's linear layers: [C, C, 1, 1] -> [C, C]."""
    names = (".proj_in.weight", ".proj_out.weight")
    return {
        key: value[:, :, 0, 0] if key.endswith(names) and value.ndim == 4 else value
        for key, value in state_dict.items()
    }


def prediction_type(choice: str, file_name: str, version: Version) -> str:
    """Return "v" or "eps": `auto` means v, but eps where the version's files say so in their names.

    Raises:
        ColorizeError: the name says eps, and no such file of this version is known.
    """
    if choice != "auto":
        return choice
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if version.eps_by_name:
        return "eps" if "eps" in name else "v"
    if re.search(r"(?<![a-z])eps(?![a-z])", name):
        raise ColorizeError(
            f"The name {file_name} says eps, but all known files of {version.name} predict v. Choose v or eps in "
            "`prediction`, or give the file another name."
        )
    return "v"


def fingerprint(parts: Parts) -> str:
    """Identify a checkpoint by the layout and a sample of its weights; fp32 and fp16 copies agree.

    Image encoders do not count, for a file may leave them out, nor do keys that no part needs.
    """
    digest = hashlib.sha256()
    for part in parts.version.required:
        weights = parts[part.id]
        for name in sorted(weights):
            digest.update(f"{part.id}.{name}{tuple(weights[name].shape)}".encode())
        sample = weights[part.key.removeprefix(part.prefix)].flatten()[:4096].to(torch.float16).cpu()
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
