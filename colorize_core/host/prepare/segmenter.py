"""Character segmentation in ComfyUI: the published files, loaded and run."""

import torch

from ...prepare.isnet import ISNet, convert_state_dict
from ...prepare.letterbox import Box
from ...prepare.masks import grow_mask
from ...prepare.pictures import as_rgb
from ...prepare.segmentation import PAPER, SIZE, segment_frame
from ..model_folders import SEGMENTERS
from .image_network import Family, ImageNetwork, load_image_network

FAMILY = Family(
    name="an IS-Net segmenter",
    build=ISNet,
    convert=convert_state_dict,
    anchor="stage1d.rebnconvin.conv_s1.weight",
    folder=SEGMENTERS,
    files="isnetis.safetensors (colour pictures) or sketch-segment.safetensors (drawings)",
    # conv_in and the first stage work on 64 channels at half size; about ten such maps are alive at once.
    floats_per_pixel=160,
)


def load_segmenter(path: str, file_name: str) -> ImageNetwork:
    """Load IS-Net from one of the published files."""
    return load_image_network(path, file_name, FAMILY)


def segment_character(
    segmenter: ImageNetwork,
    image: torch.Tensor,
    kind: str = "color",
    grow: int = 5,
    size: int = SIZE,
    box: Box | None = None,
    transparency: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the character masks of pictures.

    Args:
        image: [B, H, W, C] in [0, 1].
        kind: color, line_map or drawing.
        grow: pixels by which the mask grows, as a square maximum of 2·grow + 1.
        size: side of the network's square input.
        box: where the pictures lie on a canvas, if the masks are wanted on it.
        transparency: [B or 1, H', W'] in [0, 1], 1 = transparent; what it clears is the kind's paper.

    Returns:
        [B, H, W] in [0, 1], or [B, canvas_height, canvas_width].
    """
    rgb = as_rgb(image, PAPER.get(kind, 1.0), transparency=transparency)
    return segmenter.run_frames(
        rgb,
        pixels=size * size,
        one_frame=lambda network, frame: grow_mask(segment_frame(network, frame, kind, size, box), grow, "square"),
    )
