"""Character segmentation on the graph."""

import folder_paths
from comfy_api.latest import io

from ...colorize_core.host.model_folders import SEGMENTERS
from ...colorize_core.host.prepare.segmenter import load_segmenter, segment_character
from ...colorize_core.prepare.segmentation import KINDS, SIZE
from .. import sockets
from ..checked import checked
from ..inputs import model_file, transparency
from ..schema import node_schema


class ColorizeSegmenterLoader(io.ComfyNode):
    """IS-Net from a published file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeSegmenterLoader",
            display_name="Load Character Segmenter",
            category="ColorizeDiffusion/loaders",
            description="Loads a segmentation network (IS-Net) from models/colorize_segmenters: isnetis.safetensors "
            "for colour pictures, sketch-segment.safetensors for drawings and line maps.",
            inputs=[model_file(SEGMENTERS)],
            outputs=[
                sockets.Segmenter.Output(
                    "SEGMENTER", display_name="segmenter", tooltip="The network, for Segment Character."
                )
            ],
        )

    @classmethod
    @checked
    def execute(cls, model_name) -> io.NodeOutput:
        path = folder_paths.get_full_path_or_raise(SEGMENTERS, model_name)
        return io.NodeOutput(load_segmenter(path, model_name))


class ColorizeSegmentCharacter(io.ComfyNode):
    """The character mask of a picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeSegmentCharacter",
            display_name="Segment Character",
            category="ColorizeDiffusion/masks",
            description="Finds the character in a colour picture, a drawing or a line map. A mask from any other "
            "segmenter (BiRefNet, SAM) or one painted by hand does as well.",
            inputs=[
                sockets.Segmenter.Input(
                    "segmenter", tooltip="The file must suit the kind of picture: one for colour, one for drawings."
                ),
                io.Image.Input("image", tooltip="One picture, or the frames of an animation; each is looked at alone."),
                io.Combo.Input(
                    "kind",
                    options=list(KINDS),
                    default="color",
                    tooltip="color: a coloured picture (isnetis). drawing: dark lines on white paper; "
                    "line_map: white lines on black (sketch-segment for both).",
                ),
                io.Int.Input(
                    "grow",
                    default=5,
                    min=0,
                    max=256,
                    tooltip="Pixels by which the mask grows: 5 for references (as published), 0 for drawings, whose "
                    "mask should follow the outline.",
                ),
                io.Int.Input(
                    "resolution",
                    default=SIZE,
                    min=64,
                    max=4096,
                    step=32,
                    optional=True,
                    tooltip="Side of the square that the network sees, in pixels. It was trained at 1024; less is "
                    "faster and coarser.",
                ),
                sockets.Box.Input(
                    "box",
                    optional=True,
                    tooltip="Prepare Sketch's box, to segment the raw drawing and get the mask letterboxed like its "
                    "line map. Left open, the mask has the picture's size.",
                ),
                transparency("blank paper"),
            ],
            advanced=("resolution",),
            outputs=[io.Mask.Output("MASK", display_name="mask", tooltip="1 on the character, soft at its edge.")],
        )

    @classmethod
    @checked
    def execute(cls, segmenter, image, kind, grow, resolution=SIZE, box=None, transparency=None) -> io.NodeOutput:
        return io.NodeOutput(segment_character(segmenter, image, kind, grow, resolution, box, transparency))
