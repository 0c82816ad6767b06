"""From a checkpoint file to MODEL, COLORIZER, CONTROL_NET, VAE and CLIP_VISION."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import comfy.clip_vision
import comfy.model_patcher
import comfy.sd
import comfy.utils
import torch
from comfy.ldm.models.autoencoder import AutoencoderKL
from torch import Tensor

from ...family.checkpoint import fingerprint, prediction_type, split_parts, vae_config
from ...weights import check_complete, check_weights
from ..carrier.image_tower import load_image_tower
from ..loading import load_module, read_file, reading_sizes
from ..sampling.sketch_control import SketchControl
from .colorizer import Colorizer
from .versions import BUILDERS


class LoadedCheckpoint(NamedTuple):
    """What the checkpoint loader gives, in the order of its outputs."""

    model: comfy.model_patcher.ModelPatcher
    colorizer: Colorizer
    control_net: SketchControl
    vae: comfy.sd.VAE
    clip_vision: comfy.clip_vision.ClipVisionModel | None


def load_checkpoint(path: str, prediction: str = "auto") -> LoadedCheckpoint:
    """Load a ColorizeDiffusion checkpoint.

    Args:
        path: .safetensors, or .ckpt, .pth, .pt through the safe loader.
        prediction: "auto" (v unless the file's name says eps), "v" or "eps".

    Raises:
        ColorizeError: the file cannot be read, is something else, or is incomplete.
    """
    return load_tensors(read_file(path), Path(path).name, prediction)


def load_tensors(tensors: Mapping[str, Tensor], file_name: str, prediction: str = "auto") -> LoadedCheckpoint:
    """Build everything from the tensors of a checkpoint, the largest part last, so that a bad file is refused early.

    Args:
        tensors: with the checkpoint's full names.
        file_name: for messages, and for what it says of the prediction.
        prediction: as in `load_checkpoint`.
    """
    parts = split_parts(tensors, file_name)
    for weights in parts.tensors.values():
        check_weights(weights, file_name)
    checkpoint, build = fingerprint(parts), BUILDERS[parts.version.id]
    predicted = prediction_type(prediction, file_name, parts.version)
    progress = comfy.utils.ProgressBar(len(tensors))
    tower = build.image_tower(parts)
    clip_vision = load_image_tower(tower, file_name) if tower else None
    progress.update(len(tower))
    vae = load_vae(parts["vae"], file_name)
    progress.update(len(parts["vae"]))
    encoder = load_module(build.sketch_encoder, parts["sketch_encoder"], "the sketch encoder", file_name)
    progress.update(len(parts["sketch_encoder"]))
    colorizer = build.colorizer(parts, file_name, checkpoint)
    progress.update_absolute(len(tensors) - len(parts["unet"]))
    model = build.model(parts, predicted, file_name, checkpoint)
    progress.update(len(parts["unet"]))
    return LoadedCheckpoint(model, colorizer, SketchControl(encoder), vae, clip_vision)


def load_vae(state_dict: dict[str, Tensor], file_name: str) -> comfy.sd.VAE:
    """Build ComfyUI's VAE at the size that the weights (keys without prefix) tell."""
    with reading_sizes("the VAE", file_name):
        config = vae_config(state_dict)
        with torch.device("meta"):
            expected = AutoencoderKL(**config).state_dict()
    check_complete("the VAE", file_name, expected, state_dict)
    return comfy.sd.VAE(sd=dict(state_dict), config={"params": config})
