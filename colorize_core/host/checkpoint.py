"""From a checkpoint file to MODEL, COLORIZER, CONTROL_NET, VAE and CLIP_VISION."""

from pathlib import Path
from typing import NamedTuple

import comfy.clip_vision
import comfy.model_patcher
import comfy.sd
from torch import Tensor

from ..checkpoint import check_complete, fingerprint, prediction_type, split_parts, unnest, vae_config
from ..errors import ColorizeError
from .colorizer import Colorizer, load_colorizer
from .image_tower import load_image_tower
from .loading import read_file
from .sketch_control import SketchControl, load_sketch_control
from .unet import load_unet


class LoadedCheckpoint(NamedTuple):
    """What the checkpoint loader gives, in the order of its outputs."""

    model: comfy.model_patcher.ModelPatcher
    colorizer: Colorizer
    control_net: SketchControl
    vae: comfy.sd.VAE
    clip_vision: comfy.clip_vision.ClipVisionModel | None


def load_checkpoint(path: str, prediction: str = "auto") -> LoadedCheckpoint:
    """Load a ColorizeDiffusion v2 checkpoint.

    Args:
        path: .safetensors, or .ckpt, .pth, .pt through the safe loader.
        prediction: "auto" (v unless the file's name says eps), "v" or "eps".

    Raises:
        ColorizeError: the file cannot be read, is something else, or is incomplete.
    """
    file_name = Path(path).name
    state_dict = unnest(read_file(path))
    parts = split_parts(state_dict, file_name)
    checkpoint = fingerprint(state_dict)
    del state_dict
    return LoadedCheckpoint(
        model=load_unet(parts.unet, prediction_type(prediction, file_name), file_name, checkpoint),
        colorizer=load_colorizer(parts, file_name, checkpoint),
        control_net=load_sketch_control(parts.sketch_encoder, file_name),
        vae=load_vae(parts.vae, file_name),
        clip_vision=load_image_tower(parts.image_tower, file_name) if parts.image_tower else None,
    )


def load_vae(state_dict: dict[str, Tensor], file_name: str) -> comfy.sd.VAE:
    """Build ComfyUI's VAE at the size that the weights (keys without prefix) tell."""
    try:
        config = vae_config(state_dict)
    except KeyError as error:
        raise ColorizeError(
            f"{file_name}: the VAE lacks {error}. The file is truncated: download the checkpoint again."
        ) from error
    vae = comfy.sd.VAE(sd=dict(state_dict), config={"params": config})
    check_complete("the VAE", file_name, vae.first_stage_model.state_dict(), state_dict)
    return vae
