"""Painted frames for animation's paint programs."""

from comfy_api.latest import io, ui

from ...colorize_core.finish.cels import FORMATS
from ...colorize_core.host.finish.cel_folder import save_cels
from ..checked import checked
from ..schema import node_schema
from ..sockets import Regions


class ColorizeSaveCels(io.ComfyNode):
    """Save flats as cels: palette colours without soft edges."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeSaveCels",
            display_name="Save Cels",
            category="ColorizeDiffusion/finish",
            description="Saves flats frame by frame as paint programs for animation take them: exact palette colours, "
            "no soft edges, transparent where nothing is painted, and the palette beside them. Load Frames reads the "
            "files again.",
            inputs=[
                Regions.Input("regions", tooltip="With swatches, from Flats."),
                io.Image.Input(
                    "drawing",
                    optional=True,
                    tooltip="The drawing that the regions were found in: its lines come on top without soft edges, in "
                    "the palette's line colour or in black. Left open, the colours alone are saved; they reach to the "
                    "middle of the lines.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="png_indexed",
                    tooltip="png_indexed: the palette in its order, at most 255 colours. png: 32 bits, transparent "
                    "where nothing is painted. tga: the same as TGA.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="cels/shot",
                    tooltip="Where in the output folder, and the beginning of the names: cels/shot makes the folder "
                    "cels/shot_00001 with shot_0001.png, and the next time cels/shot_00002. The date may stand in it "
                    "as in Save Image.",
                ),
                io.Int.Input(
                    "first_frame",
                    default=1,
                    min=-10_000_000,
                    max=10_000_000,
                    tooltip="Number of the first file; wire Load Frames' first frame.",
                ),
            ],
            outputs=[],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(
        cls, regions, drawing=None, format="png_indexed", filename_prefix="cels/shot", first_frame=1
    ) -> io.NodeOutput:
        """Save."""
        files, preview = save_cels(regions, drawing, format, filename_prefix, first_frame)
        if preview is None:
            return io.NodeOutput(ui={"images": files})
        return io.NodeOutput(ui={**ui.PreviewImage(preview, cls=cls).as_dict(), "cels": files})
