"""From a picture to what the image tower takes.

Source: spec section 2.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
#: Heads of towers by their width, where they are not of 64 channels: ViT-H and ViT-bigG.
HEADS = {1280: 16, 1664: 16}


def normalise_for_clip(image: Tensor, size: int) -> Tensor:
    """Resize a picture to a square, without keeping its proportions and without cropping, and normalise it.

    Args:
        image: [B, H, W, 3] in [0, 1].
        size: the image tower's input size in pixels.

    Returns:
        [B, 3, size, size], float32, with CLIP's mean and standard deviation.
    """
    pixels = image.movedim(-1, 1).float()
    pixels = F.interpolate(pixels, size=(size, size), mode="bicubic", align_corners=True, antialias=True)
    mean = torch.tensor(CLIP_MEAN, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(CLIP_STD, device=pixels.device).view(1, 3, 1, 1)
    return (pixels - mean) / std


def image_tower_config(state_dict: Mapping[str, Tensor]) -> dict:
    """Derive the sizes of an image tower as a CLIP vision configuration.

    Args:
        state_dict: as OpenCLIP names them, without prefix, or as transformers does (`vision_model.…`).
    """
    openclip = "conv1.weight" in state_dict
    inside = "" if openclip else "vision_model.embeddings."
    width, _, patch, _ = state_dict["conv1.weight" if openclip else inside + "patch_embedding.weight"].shape
    positions = state_dict["positional_embedding" if openclip else inside + "position_embedding.weight"].shape[0]
    layer, norm = ("transformer.resblocks", "ln_1") if openclip else ("vision_model.encoder.layers", "layer_norm1")
    hidden = state_dict[f"{layer}.0.mlp.{'c_fc' if openclip else 'fc1'}.weight"].shape[0]
    layers = sum(key.startswith(f"{layer}.") and key.endswith(f".{norm}.weight") for key in state_dict)
    return {
        "model_type": "clip_vision_model",
        "hidden_act": "gelu",
        "hidden_size": width,
        "image_size": round((positions - 1) ** 0.5) * patch,
        "intermediate_size": hidden,
        "layer_norm_eps": 1e-05,
        "num_attention_heads": HEADS.get(width, max(1, width // 64)),
        "num_channels": 3,
        "num_hidden_layers": layers,
        "patch_size": patch,
        "projection_dim": state_dict["proj"].shape[1] if openclip else state_dict["visual_projection.weight"].shape[0],
    }
