"""Versions 1 ("mult") and 1.5 ("switch"): version 2's UNet and sketch encoder; 1.5 with split LoRA in all attentions.

Source: spec-v1 sections 1 to 3; arXiv 2401.01456, arXiv 2502.19937.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from .v2 import V2
from .version import UNET, Part

#: What every file of the family has, the image tower aside.
FAMILY_MARK = "control_encoder."
_SHARED = tuple(part for part in V2.parts if part.id in ("unet", "sketch_encoder", "vae", "image_tower"))

V1 = replace(
    V2,
    id="v1",
    name="ColorizeDiffusion v1",
    # Known by what is missing: it comes last in the table.
    marks=((FAMILY_MARK,), (UNET, "cond_stage_model.visual.")),
    parts=_SHARED,
    advice="use a v1 file, whose name begins with mult",
    has_style=False,
    pixels=512 * 512,
)

V15 = replace(
    V1,
    id="v1.5",
    name="ColorizeDiffusion v1.5",
    marks=(("thresh_embedder.",), (FAMILY_MARK, ".lora_down_")),
    parts=(
        *_SHARED,
        Part(
            "threshold_embedding", "the threshold embedding", "thresh_embedder.embed_layer.0.weight", "thresh_embedder."
        ),
        Part("cluster", "the cluster transformer", "transformer.embedding", "transformer."),
        # What is missing of it counts as zero.
        Part("split_lora", "the split LoRA", "", UNET, ".lora_"),
    ),
    advice="use a v1.5 file, whose name begins with switch",
)

#: Where an older layout has the sketch encoder, inside the UNet.
OLD_SKETCH_ENCODER = UNET + "semantic_input_blocks."


def modern_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the sketch encoder of the older layout the names that it has today."""
    return {re.sub(f"^{re.escape(OLD_SKETCH_ENCODER)}", FAMILY_MARK, key): value for key, value in state_dict.items()}


def whole_pairs(lora: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what of a split LoRA lacks its other half, for that adds nothing."""
    other = {"_down_": "_up_", "_up_": "_down_"}
    return {
        key: value for key, value in lora.items() if re.sub("_down_|_up_", lambda half: other[half[0]], key) in lora
    }
