"""Where the files that the templates name are published, as the page reads it to offer their download.

Only addresses of the authors' own repositories or of well-known ones. Format: `properties.models` of a node.
"""

from typing import Any

HUB = "https://huggingface.co"
#: File name: (folder below models/, address).
PUBLISHED = {
    "v2-full.safetensors": ("checkpoints", f"{HUB}/tellurion/ColorizeDiffusion/resolve/main/v2-full.safetensors"),
    "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors": (
        "clip_vision",
        f"{HUB}/h94/IP-Adapter/resolve/main/models/image_encoder/model.safetensors",
    ),
    "CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors": (
        "clip_vision",
        f"{HUB}/h94/IP-Adapter/resolve/main/sdxl_models/image_encoder/model.safetensors",
    ),
    "wd-v1-4-swinv2-tagger-v2.safetensors": (
        "colorize_taggers",
        f"{HUB}/SmilingWolf/wd-v1-4-swinv2-tagger-v2/resolve/main/model.safetensors",
    ),
    "isnetis.safetensors": (
        "colorize_segmenters",
        f"{HUB}/tellurion/line_extractor/resolve/main/isnetis.safetensors",
    ),
    "sketch-segment.safetensors": (
        "colorize_segmenters",
        f"{HUB}/tellurion/line_extractor/resolve/main/sketch-segment.safetensors",
    ),
    "control_v11p_sd21_depth.safetensors": (
        "controlnet",
        f"{HUB}/thibaud/controlnet-sd21/resolve/main/control_v11p_sd21_depth.safetensors",
    ),
}


def published(values: list[Any]) -> list[dict[str, str]]:
    """Return the entries for those of a node's widget values that are published files."""
    return [
        {"name": value, "url": PUBLISHED[value][1], "directory": PUBLISHED[value][0]}
        for value in values
        if isinstance(value, str) and value in PUBLISHED
    ]
