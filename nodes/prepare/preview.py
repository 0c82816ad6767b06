"""What the split will do, shown on the graph."""

from comfy_api.latest import io, ui

from ...colorize_core.host.prepare.frames import preview_batch
from ..checked import checked
from ..inputs import transparency
from ..schema import node_schema


class ColorizePreviewRegions(io.ComfyNode):
    """The drawing tinted by region at every size that the split works at."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return node_schema(
            node_id="ColorizePreviewRegions",
            display_name="Preview Regions",
            category="ColorizeDiffusion/masks",
            description="Shows which parts are coloured as character and which as background, at the output's size and "
            "at the four sizes the attention works at. Red marks what is character in the mask and falls into the "
            "background at a coarser size.",
            inputs=[
                io.Image.Input("image", tooltip="The line map or the drawing; stretched to the output's size."),
                io.Mask.Input("mask", tooltip="The sketch mask that Apply Colorization gets, 1 on the character."),
                io.Int.Input(
                    "width", default=768, min=8, max=16384, step=8, tooltip="Width of the output, as the latent's."
                ),
                io.Int.Input(
                    "height", default=768, min=8, max=16384, step=8, tooltip="Height of the output, as the latent's."
                ),
                io.Float.Input(
                    "threshold",
                    default=0.05,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="The same as in Apply Colorization: where the resized mask is above it is character.",
                ),
                transparency(),
            ],
            advanced=("threshold",),
            outputs=[io.Image.Output("IMAGE", display_name="image", tooltip="The sheet, one for each picture.")],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(cls, image, mask, width, height, threshold, transparency=None) -> io.NodeOutput:
        sheets = preview_batch(image, mask, width, height, threshold, transparency)
        return io.NodeOutput(sheets, ui=ui.PreviewImage(sheets, cls=cls))
