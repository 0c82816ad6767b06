"""Line extraction in ComfyUI: the published file, loaded and run."""

import torch

from ...prepare.pictures import as_rgb
from ...prepare.sketch_keras import SketchKeras, convert_state_dict, extract_lines
from ..model_folders import LINE_EXTRACTORS
from .image_network import Family, ImageNetwork, load_image_network

FAMILY = Family(
    name="a sketchKeras line extractor",
    build=SketchKeras,
    convert=convert_state_dict,
    anchor="downblock_1.1.weight",
    folder=LINE_EXTRACTORS,
    files="the sketchKeras weights (sketch_keras.safetensors, or .pth)",
    # Three colour channels, each with about four maps of 64 channels at full size.
    floats_per_pixel=3 * 256,
)


def load_line_extractor(path: str, file_name: str) -> ImageNetwork:
    """Load sketchKeras from the published file."""
    return load_image_network(path, file_name, FAMILY)


def extract_line_maps(
    extractor: ImageNetwork, image: torch.Tensor, longest_side: int = 0, transparency: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the line maps of pictures, in the pictures' own size.

    Args:
        image: [B, H, W, C] in [0, 1].
        longest_side: larger pictures are reduced to it before the network sees them; 0 = never.
        transparency: [B or 1, H', W'] in [0, 1], 1 = transparent; what it clears is white paper.

    Returns:
        [B, H, W, 3] in [0, 1], lines white on black.
    """
    rgb = as_rgb(image, transparency=transparency)
    height, width = rgb.shape[1:3]
    reduced = min(1.0, longest_side / max(height, width)) if longest_side else 1.0
    return extractor.run_frames(
        rgb,
        pixels=int(height * width * reduced**2),
        one_frame=lambda network, frame: extract_lines(network, frame, longest_side),
    )
