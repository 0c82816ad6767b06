"""The drawing's own lines over its colours."""

from comfy_api.latest import io

from ...colorize_core.finish.ink_over import LINE_COLORS
from ...colorize_core.host.finish.ink_over import ink_over_frames
from ..checked import checked
from ..inputs import drawing_transparency, fraction
from ..schema import node_schema
from ..sockets import Regions


class ColorizeInkOver(io.ComfyNode):
    """Put the drawing's own lines on the picture, at the drawing's size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeInkOver",
            display_name="Ink Over",
            category="ColorizeDiffusion/finish",
            description="Lays the lines of a drawing over a coloured picture, at the drawing's size: as drawn, in one "
            "colour, or tinted by what lies beside them. Lines of the picture's own below them are taken away, and "
            "what is paper in the drawing stays as it is to the byte.",
            inputs=[
                io.Image.Input(
                    "image", tooltip="The coloured picture, of any size: from Flats, VAE Decode or another node."
                ),
                io.Image.Input("drawing", tooltip="Dark lines on light paper; a scan's grey paper counts as white."),
                Regions.Input(
                    "regions",
                    optional=True,
                    tooltip="The drawing's regions: trace lines become the darker colour beside them, and tinted lines "
                    "take the mean of each region.",
                ),
                io.Combo.Input(
                    "line_color",
                    options=list(LINE_COLORS),
                    default="drawing",
                    tooltip="drawing: as drawn, coloured ink in its colour. black, color: all lines in one colour. "
                    "tinted: darker than the colours beside the line.",
                ),
                io.String.Input(
                    "color",
                    default="#000000",
                    tooltip="The lines' colour for line_color = color, as #rrggbb or #rgb.",
                ),
                fraction(
                    "strength",
                    1.0,
                    "How strong the lines are; 0 leaves the colours without lines.",
                ),
                drawing_transparency(),
            ],
            advanced=("color", "strength"),
            outputs=[
                io.Image.Output("IMAGE", display_name="image", tooltip="The picture with lines, one a frame."),
                io.Mask.Output(
                    "MASK", display_name="ink", tooltip="How much of a line lies on each pixel, 1 = all of it."
                ),
            ],
        )

    @classmethod
    @checked
    def execute(cls, image, drawing, line_color, color, strength, regions=None, transparency=None) -> io.NodeOutput:
        """Lay the lines over."""
        return io.NodeOutput(*ink_over_frames(image, drawing, regions, line_color, color, strength, transparency))
