"""Line extraction on the graph."""

import folder_paths
from comfy_api.latest import io

from ...colorize_core.host.model_folders import LINE_EXTRACTORS
from ...colorize_core.host.prepare.line_extractor import extract_line_maps, load_line_extractor
from .. import sockets
from ..checked import checked
from ..inputs import model_file, transparency
from ..schema import node_schema


class ColorizeLineExtractorLoader(io.ComfyNode):
    """sketchKeras from the published file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeLineExtractorLoader",
            display_name="Load Line Extractor",
            category="ColorizeDiffusion/loaders",
            description="Loads a line extraction network (sketchKeras) from models/colorize_line_extractors.",
            inputs=[model_file(LINE_EXTRACTORS)],
            outputs=[
                sockets.LineExtractor.Output(
                    "LINE_EXTRACTOR", display_name="line extractor", tooltip="The network, for Extract Lines."
                )
            ],
        )

    @classmethod
    @checked
    def execute(cls, model_name) -> io.NodeOutput:
        path = folder_paths.get_full_path_or_raise(LINE_EXTRACTORS, model_name)
        return io.NodeOutput(load_line_extractor(path, model_name))


class ColorizeExtractLines(io.ComfyNode):
    """The lines of a colour picture or a messy drawing."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeExtractLines",
            display_name="Extract Lines",
            category="ColorizeDiffusion/sketch",
            description="Draws the lines of a colour picture or a messy pencil drawing as a line map (white on black). "
            "Prepare Sketch with lines = light_on_dark brings it to the output's size.",
            inputs=[
                sockets.LineExtractor.Input("line_extractor", tooltip="The network of Load Line Extractor."),
                io.Image.Input("image", tooltip="One picture, or the frames of an animation; each is looked at alone."),
                io.Int.Input(
                    "longest_side",
                    default=768,
                    min=0,
                    max=8192,
                    step=32,
                    tooltip="Larger pictures are reduced to this many pixels before the network looks at them: less "
                    "gives bolder and fewer lines. 0 keeps the picture's own size.",
                ),
                transparency(),
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="line map", tooltip="White lines on black, the picture's size.")
            ],
        )

    @classmethod
    @checked
    def execute(cls, line_extractor, image, longest_side, transparency=None) -> io.NodeOutput:
        return io.NodeOutput(extract_line_maps(line_extractor, image, longest_side, transparency))
