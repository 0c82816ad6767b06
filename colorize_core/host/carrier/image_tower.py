"""The image tower as ComfyUI's CLIP_VISION, and the reference tokens it gives.

Source: spec section 2.
"""

import json
import tempfile
from pathlib import Path

import comfy.clip_model
import comfy.clip_vision
import comfy.model_management
import comfy.ops
import torch
from torch import Tensor

from ...carrier.tokens import image_tower_config, normalise_for_clip
from ...errors import ColorizeError
from ...weights import check_complete
from ..loading import cancellable, reading_sizes
from .encoders import CHUNK, finite


def load_image_tower(state_dict: dict[str, Tensor], file_name: str) -> comfy.clip_vision.ClipVisionModel:
    """Build CLIP_VISION from a tower as OpenCLIP names it (keys without prefix), or transformers, at any size."""
    with reading_sizes("the image tower", file_name):
        config = image_tower_config(state_dict)
        weights = dict(state_dict)
        if "conv1.weight" in weights:
            weights = comfy.clip_vision.convert_to_transformers(weights, "")
        weights.pop("vision_model.embeddings.position_ids", None)
        meta, operations = torch.device("meta"), comfy.ops.manual_cast
        tower = comfy.clip_model.CLIPVisionModelProjection(config, torch.float32, meta, operations)
        check_complete("the image tower", file_name, tower.state_dict(), weights)
    # A file is what every supported ComfyUI version takes; later ones take the dictionary as well.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        clip_vision = comfy.clip_vision.ClipVisionModel(str(path))
    with cancellable(clip_vision.model):
        clip_vision.load_sd(weights)
    return clip_vision


def encode_tokens(clip_vision: comfy.clip_vision.ClipVisionModel, image: Tensor) -> Tensor:
    """Encode pictures into tokens.

    Args:
        image: [B, H, W, 3] in [0, 1].

    Returns:
        [B, 1 + N, D], float32: the class token, then one token a patch; all with the final norm and projection.
    """
    model = clip_vision.model
    comfy.model_management.load_model_gpu(clip_vision.patcher)
    pixels = normalise_for_clip(image.to(clip_vision.load_device), clip_vision.image_size)
    hidden = model.vision_model(pixels)[0]
    tokens = model.visual_projection(model.vision_model.post_layernorm(hidden))
    return tokens.float().to(comfy.model_management.intermediate_device())


def check_tower(clip_vision: comfy.clip_vision.ClipVisionModel | None, needs: str) -> None:
    """Refuse what is no CLIP tower; `needs` is the one to load."""
    if clip_vision is None:
        raise ColorizeError(
            f"`clip_vision` is empty: this checkpoint holds no image tower. Load {needs} (models/clip_vision) with "
            "Load CLIP Vision and wire it in."
        )
    if not isinstance(getattr(clip_vision.model, "visual_projection", None), torch.nn.Module):
        raise ColorizeError(
            "`clip_vision` is an image tower without a projection (DINOv2 or SigLIP); expected a CLIP tower. Load "
            f"{needs} (models/clip_vision) with Load CLIP Vision."
        )


def tokens_of(clip_vision: comfy.clip_vision.ClipVisionModel | None, picture: Tensor, needs: str) -> Tensor:
    """Encode pictures [R, H, W, 3] into tokens [R, 1 + N, D], a few at a time.

    Args:
        needs: the tower to load, for messages.
    """
    check_tower(clip_vision, needs)
    chunks = list(picture.split(CHUNK))
    progress = comfy.utils.ProgressBar(len(chunks))
    encoded = []
    for chunk in chunks:
        comfy.model_management.throw_exception_if_processing_interrupted()
        encoded.append(encode_tokens(clip_vision, chunk))
        progress.update(1)
    return finite(torch.cat(encoded), "clip_vision", "--fp32-text-enc")
