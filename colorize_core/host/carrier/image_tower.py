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

from ...carrier.carrier import Carrier
from ...carrier.tokens import image_tower_config, normalise_for_clip
from ...errors import ColorizeError
from ...weights import check_complete
from ..loading import cancellable, reading_sizes
from .encoders import CHUNK, finite


def load_image_tower(state_dict: dict[str, Tensor], file_name: str) -> comfy.clip_vision.ClipVisionModel:
    """Build CLIP_VISION from an OpenCLIP tower (keys without prefix), at any size."""
    with reading_sizes("the image tower", file_name):
        config = image_tower_config(state_dict)
        weights = comfy.clip_vision.convert_to_transformers(dict(state_dict), "")
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


def tokens_of(clip_vision: comfy.clip_vision.ClipVisionModel | None, picture: Tensor) -> Tensor:
    """Encode pictures [R, H, W, 3] into tokens [R, 1 + N, D], a few at a time."""
    if clip_vision is None:
        raise ColorizeError(
            "`clip_vision` is empty: this checkpoint holds no image tower. Load CLIP-ViT-H-14-laion2B-s32B-b79K "
            "(models/clip_vision) with Load CLIP Vision and wire it in."
        )
    if not isinstance(getattr(clip_vision.model, "visual_projection", None), torch.nn.Module):
        raise ColorizeError(
            "`clip_vision` is an image tower without a projection (DINOv2 or SigLIP); expected a CLIP tower. Load "
            "CLIP-ViT-H-14-laion2B-s32B-b79K (models/clip_vision) with Load CLIP Vision."
        )
    chunks = list(picture.split(CHUNK))
    progress = comfy.utils.ProgressBar(len(chunks))
    encoded = []
    for chunk in chunks:
        comfy.model_management.throw_exception_if_processing_interrupted()
        encoded.append(encode_tokens(clip_vision, chunk))
        progress.update(1)
    return finite(torch.cat(encoded), "clip_vision", "--fp32-text-enc")


def matching_tokens(clip_vision: comfy.clip_vision.ClipVisionModel | None, picture: Tensor, carrier: Carrier) -> Tensor:
    """Encode pictures [R, H, W, 3] into patch tokens [R, N, D] like the carrier's own."""
    tokens = tokens_of(clip_vision, picture)[:, 1:]
    if tuple(tokens.shape[1:]) != carrier.picture_shape:
        count, channels = carrier.picture_shape
        raise ColorizeError(
            f"`clip_vision` gives {tokens.shape[1]} tokens of {tokens.shape[2]} channels; the carrier's reference has "
            f"{count} of {channels}. Wire one and the same CLIP_VISION into Encode "
            "Reference, Encode Background and Encode Style."
        )
    return tokens
