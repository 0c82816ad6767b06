"""The image tower as ComfyUI's CLIP_VISION, and the reference tokens it gives.

Source: spec section 2.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import comfy.clip_model
import comfy.clip_vision
import comfy.model_management
import comfy.ops
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


def encode_tokens(clip_vision: comfy.clip_vision.ClipVisionModel, image: Tensor, patches: int | None = None) -> Tensor:
    """Encode pictures into tokens.

    Args:
        image: [B, H, W, 3] in [0, 1].
        patches: how many a side the tower is shown, None for its own number; its positions are interpolated to others.

    Returns:
        [B, 1 + N, D], float32: the class token, then one token a patch; all with the final norm and projection.
    """
    model = clip_vision.model
    comfy.model_management.load_model_gpu(clip_vision.patcher)
    side = clip_vision.image_size
    if patches is not None:
        side = patches * patch_size(clip_vision)
    pixels = normalise_for_clip(image.to(clip_vision.load_device), side)
    own_size = side == clip_vision.image_size
    hidden = model.vision_model(pixels)[0] if own_size else interpolated(model.vision_model, pixels)
    tokens = model.visual_projection(model.vision_model.post_layernorm(hidden))
    return tokens.float().to(comfy.model_management.intermediate_device())


def interpolated(vision_model: nn.Module, pixels: Tensor) -> Tensor:
    """Run a tower on pictures [B, 3, S, S] of another size than its own: [B, 1 + N, width], before its last norm.

    Source: arXiv 2010.11929, section 3.2: positions interpolated in two dimensions.
    """
    tower: Any = vision_model
    embeddings = tower.embeddings
    patches = embeddings.patch_embedding(pixels)  # [B, C, s, s]
    positions = embeddings.position_embedding.weight.to(patches)
    own = round((len(positions) - 1) ** 0.5)
    grid = positions[1:].T.unflatten(1, (own, own))[None]
    grid = F.interpolate(grid.float(), size=patches.shape[-2:], mode="bicubic", align_corners=False).to(patches)
    tokens = (patches + grid).flatten(2).transpose(1, 2)
    first = (embeddings.class_embedding.to(patches) + positions[0]).expand(len(tokens), 1, -1)
    hidden: Tensor = tower.encoder(tower.pre_layrnorm(torch.cat([first, tokens], dim=1)), mask=None)[0]
    return hidden


def patch_size(clip_vision: comfy.clip_vision.ClipVisionModel) -> int:
    """Return the side of a tower's patches in pixels."""
    size: int = clip_vision.model.vision_model.embeddings.patch_embedding.weight.shape[-1]
    return size


def patches_for(clip_vision: comfy.clip_vision.ClipVisionModel, factor: float) -> int | None:
    """Return how many patches a side a tower is shown at a multiple of its own size; None for its own."""
    return None if factor == 1.0 else round(clip_vision.image_size // patch_size(clip_vision) * factor)


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


def tokens_of(
    clip_vision: comfy.clip_vision.ClipVisionModel | None, picture: Tensor, needs: str, patches: int | None = None
) -> Tensor:
    """Encode pictures [R, H, W, 3] into tokens [R, 1 + N, D], a few at a time.

    Args:
        needs: the tower to load, for messages.
        patches: as in `encode_tokens`.
    """
    check_tower(clip_vision, needs)
    chunks = list(picture.split(CHUNK))
    progress = comfy.utils.ProgressBar(len(chunks))
    encoded = []
    for chunk in chunks:
        comfy.model_management.throw_exception_if_processing_interrupted()
        encoded.append(encode_tokens(clip_vision, chunk, patches))
        progress.update(1)
    return finite(torch.cat(encoded), "clip_vision", "--fp32-text-enc")
