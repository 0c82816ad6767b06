"""How right the colours are."""

from comfy_api.latest import io, ui

from ...colorize_core.host.finish.measures import measure_frames
from ..checked import checked
from ..schema import node_schema
from ..sockets import Palette, Regions


class ColorizeMeasure(io.ComfyNode):
    """Measure a picture's colours against what they should be."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeMeasure",
            display_name="Measure Colors",
            category="ColorizeDiffusion/finish",
            description="Measures a coloured picture: its difference to the right picture or to the swatches, by pixel "
            "and by region; colours that leaked into a neighbouring region; fringes beside lines; and the lines "
            "against the drawing's. Wire at least one of the optional inputs.",
            inputs=[
                io.Image.Input("image", tooltip="The coloured picture; brought to the size that is measured at."),
                io.Image.Input(
                    "truth",
                    optional=True,
                    tooltip="The right picture. Without it colours are held against the regions' swatches, else "
                    "against the nearest swatch of the palette.",
                ),
                Regions.Input(
                    "regions",
                    optional=True,
                    tooltip="The drawing's regions; from Flats they have swatches to compare with.",
                ),
                Palette.Input(
                    "palette",
                    optional=True,
                    tooltip="Swatches that colours are counted by, in place of the regions' own.",
                ),
                io.Image.Input(
                    "drawing",
                    optional=True,
                    tooltip="Dark lines on light paper: they are left out of the colours, and compared with the "
                    "picture's own.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "STRING", display_name="measures", tooltip="All measures as JSON, of all frames and of each."
                ),
                io.Image.Output("IMAGE", display_name="heat map", tooltip="ΔE2000 of every pixel, with a legend."),
                io.Float.Output(
                    "FLOAT",
                    display_name="delta E",
                    tooltip="The mean ΔE2000 off the lines, against truth, else against the swatches; 0 where there "
                    "is neither.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(cls, image, truth=None, regions=None, palette=None, drawing=None) -> io.NodeOutput:
        """Measure."""
        text, maps, delta_e = measure_frames(image, truth, regions, palette, drawing)
        shown = ui.PreviewImage(maps, cls=cls).as_dict() | ui.PreviewText(text).as_dict()
        return io.NodeOutput(text, maps, delta_e, ui=shown)
