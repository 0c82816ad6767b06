"""Drawings on the graph: prepared as line maps, and cut out of the finished canvas."""

from comfy_api.latest import io

from ...colorize_core.host.prepare.frames import prepare_line_maps
from ...colorize_core.prepare.fit_size import FITS
from ...colorize_core.prepare.letterbox import crop_to_box
from ...colorize_core.prepare.line_map import LINES
from ...colorize_core.prepare.pictures import checked_picture
from .. import sockets
from ..checked import checked
from ..schema import node_schema


class ColorizePrepareSketch(io.ComfyNode):
    """A drawing of any size as a line map of the output's size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizePrepareSketch",
            display_name="Prepare Sketch",
            category="ColorizeDiffusion/sketch",
            description="Turns a drawing into a line map (white lines on black) of the output's size, its proportions "
            "kept and the margins blank. Wire the line map to Apply ControlNet.",
            inputs=[
                io.Image.Input("image", tooltip="The drawing; grey, colour or with transparency, in any size."),
                io.Int.Input(
                    "width",
                    default=768,
                    min=8,
                    max=16384,
                    step=8,
                    tooltip="Width of the result in pixels: the same as the latent's.",
                ),
                io.Int.Input(
                    "height",
                    default=768,
                    min=8,
                    max=16384,
                    step=8,
                    tooltip="Height of the result in pixels: the same as the latent's.",
                ),
                io.Combo.Input(
                    "lines",
                    options=list(LINES),
                    default="dark_on_light",
                    tooltip="dark_on_light: clean lines on white paper. light_on_dark: already a line map. "
                    "pencil: a scan with grey strokes, shading or uneven paper.",
                ),
                io.Mask.Input(
                    "transparency",
                    optional=True,
                    tooltip="Load Image's MASK output, for line art on a transparent background: without it "
                    "such a drawing is often black all over, and the line map white or black without lines.",
                ),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="off",
                    optional=True,
                    tooltip="off: width and height as given. v1, v2, xl: both from the drawing's own proportions, at "
                    "as many pixels as that version was trained on (512×512, 768×768, 1024×1024); Get Image Size tells "
                    "the line map's size to the empty latent and the encode nodes.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="line map", tooltip="White lines on black, width×height."),
                sockets.Box.Output(
                    "BOX", display_name="box", tooltip="Where the drawing lies on the canvas, for Crop to Box."
                ),
            ],
        )

    @classmethod
    @checked
    def execute(cls, image, width, height, lines, transparency=None, fit="off") -> io.NodeOutput:
        return io.NodeOutput(*prepare_line_maps(image, width, height, lines, transparency, fit or "off"))


class ColorizeCropToBox(io.ComfyNode):
    """The letterbox of a prepared sketch taken off again."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizeCropToBox",
            display_name="Crop to Box",
            category="ColorizeDiffusion/sketch",
            description="Cuts the drawing out of the finished picture, so that the result has the drawing's own "
            "proportions again. Works on upscaled results too.",
            inputs=[
                io.Image.Input("image", tooltip="The finished picture, the whole canvas, in any scale."),
                sockets.Box.Input("box", tooltip="The box of Prepare Sketch."),
            ],
            outputs=[io.Image.Output("IMAGE", display_name="image", tooltip="The picture without blank margins.")],
        )

    @classmethod
    @checked
    def execute(cls, image, box) -> io.NodeOutput:
        return io.NodeOutput(crop_to_box(checked_picture(image), box))
