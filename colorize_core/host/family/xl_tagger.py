"""The tagger that XL looks at references with, in ComfyUI's memory management.

Source: spec-xl section 2.
"""

import comfy.model_management
import comfy.model_patcher
import torch
from torch import Tensor

from ...errors import ColorizeError
from ...family.xl_tagger import Tagger, normalise_for_tagger, tagger_sizes, tagger_weights
from ...weights import check_weights
from ..loading import load_module, read_file
from ..model_folders import TAGGERS

#: A tensor that every such file has.
ANCHOR = "patch_embed.proj.weight"


def load_tagger_file(path: str, file_name: str) -> comfy.model_patcher.ModelPatcher:
    """Load the tagger from a published file.

    Raises:
        ColorizeError: the file is something else, or incomplete.
    """
    state_dict = read_file(path)
    if ANCHOR not in state_dict or "layers.0.blocks.0.attn.cpb_mlp.0.weight" not in state_dict:
        first = ", ".join(list(state_dict)[:3]) or "none"
        raise ColorizeError(
            f"{file_name} is no WD SwinV2 tagger: its {len(state_dict)} tensors ({first} …) are others. Put "
            f"model.safetensors of wd-v1-4-swinv2-tagger-v2 into models/{TAGGERS} and choose it here."
        )
    check_weights(tagger_weights(state_dict), file_name)
    return load_tagger(state_dict, file_name)


def load_tagger(state_dict: dict[str, Tensor], file_name: str) -> comfy.model_patcher.ModelPatcher:
    """Build the tagger from its weights as timm names them."""

    def build(weights: dict[str, Tensor], operations, device, dtype) -> Tagger:
        return Tagger(**tagger_sizes(weights), operations=operations, device=device, dtype=dtype)

    return load_module(build, tagger_weights(state_dict), "the tagger", file_name)


def tagger_features(tagger: comfy.model_patcher.ModelPatcher, picture: Tensor) -> Tensor:
    """Return the features of pictures [B, H, W, 3] in [0, 1]: [B, 196, E], float32."""
    comfy.model_management.load_models_gpu([tagger])
    pixels = normalise_for_tagger(picture.to(tagger.load_device))
    with torch.no_grad():
        features: Tensor = tagger.model(pixels.to(tagger.model.compute_dtype))
    return features.float().to(comfy.model_management.intermediate_device())
