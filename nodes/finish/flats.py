"""From a picture to flat colours: the drawing's regions, and a swatch for each."""

from comfy_api.latest import io, ui

from ...colorize_core.finish.flats import SHADING, UNSURE, FlatChoice
from ...colorize_core.finish.line_regions import TRACE_LINES, RegionChoice
from ...colorize_core.host.finish.flats import make_frames_flats
from ...colorize_core.host.finish.line_regions import find_frames_regions
from ..checked import checked
from ..inputs import drawing_transparency, fraction
from ..schema import node_schema
from ..sockets import Palette, Regions


class ColorizeLineRegions(io.ComfyNode):
    """Find what a paint bucket would fill, gaps closed."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeLineRegions",
            display_name="Line Regions",
            category="ColorizeDiffusion/finish",
            shows_picture=True,
            description="Finds the closed regions of a line drawing at its full size, as a paint bucket that minds "
            "gaps. Regions go on under the lines to their middle, so that nothing fringes.",
            inputs=[
                io.Image.Input(
                    "drawing", tooltip="Dark lines on light paper, one drawing or the frames of a shot; scans as well."
                ),
                io.Mask.Input(
                    "within",
                    optional=True,
                    tooltip="Regions are looked for on the white of this mask only, the character's for example. A "
                    "region that lies mostly on one side is not cut.",
                ),
                io.Int.Input(
                    "close_gap",
                    default=0,
                    min=0,
                    max=512,
                    tooltip="Gaps in lines up to so many pixels are closed; 0: 1.2 % of the shorter side. The preview "
                    "shows closed gaps in magenta.",
                ),
                fraction(
                    "ink_threshold",
                    0.5,
                    "How dark a pixel must be to be a line, between the paper and the darkest ink. Lower it for pale "
                    "pencil lines.",
                ),
                io.Int.Input(
                    "smallest",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Regions of fewer pixels join what is beside them; 0: 16 in a drawing of 1024×1024, more "
                    "in a larger one.",
                ),
                io.Combo.Input(
                    "trace_lines",
                    options=list(TRACE_LINES),
                    default="none",
                    tooltip="red_green_blue: lines in these colours bound a region, as the edges of shadows and "
                    "highlights do in animation, but are no ink. none: a coloured line is ink.",
                ),
                drawing_transparency(),
            ],
            advanced=("ink_threshold", "smallest", "trace_lines"),
            outputs=[
                Regions.Output("REGIONS", display_name="regions", tooltip="For Flats."),
                io.Mask.Output("MASK", display_name="ink", tooltip="The lines, 1 = ink; trace lines are none."),
                io.Image.Output(
                    "IMAGE",
                    display_name="preview",
                    tooltip="Each region in a colour of its own, closed gaps in magenta.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @checked
    def execute(
        cls, drawing, close_gap, ink_threshold, smallest, trace_lines, within=None, transparency=None
    ) -> io.NodeOutput:
        """Find them."""
        choice = RegionChoice(close_gap, ink_threshold, smallest, trace_lines)
        regions, ink, shown = find_frames_regions(drawing, choice, within, transparency)
        return io.NodeOutput(regions, ink, shown, ui=ui.PreviewImage(shown, cls=cls))


class ColorizeFlats(io.ComfyNode):
    """Give each region its swatch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeFlats",
            display_name="Flats",
            category="ColorizeDiffusion/finish",
            shows_picture=True,
            description="Gives every region of a drawing the swatch that its pixels in a coloured picture vote for: "
            "exact colours, no leak over a line, at the drawing's size. The picture may be smaller.",
            inputs=[
                io.Image.Input("image", tooltip="The coloured picture, of any size and from any colourizer."),
                Regions.Input("regions", tooltip="Of Line Regions, for the same drawing."),
                Palette.Input(
                    "palette",
                    optional=True,
                    tooltip="The colours that may come; without it the regions' own, nearly equal ones put together.",
                ),
                io.Image.Input(
                    "corrections",
                    optional=True,
                    tooltip="A picture with dots painted in exact colours of the palette, on a blank canvas or over "
                    "the flats: a dot wins its region. Any size.",
                ),
                io.Combo.Input(
                    "shading",
                    options=list(SHADING),
                    default="flat",
                    tooltip="flat: one colour a region. two_tones: a colour and its shadow, their edge as in the "
                    "picture. keep: the picture's shading, each region moved onto its swatch.",
                ),
                fraction(
                    "unsure_below",
                    0.8,
                    "Regions of which a smaller share of pixels agrees are marked as unsure.",
                ),
                io.Combo.Input(
                    "unsure",
                    options=list(UNSURE),
                    default="vote",
                    tooltip="What unsure regions get. vote: what most of their pixels vote for. pixels: each pixel its "
                    "own colour, for a region that two colours share because a gap was too wide.",
                ),
            ],
            advanced=("unsure_below", "unsure"),
            outputs=[
                io.Image.Output("IMAGE", display_name="flats", tooltip="The flat colours, at the drawing's size."),
                Regions.Output(
                    "REGIONS",
                    display_name="regions",
                    tooltip="With their swatches, for Ink Over, Save Cels and Save Layers.",
                ),
                io.Mask.Output("MASK", display_name="unsure", tooltip="1 where a region is unsure: look there first."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @checked
    def execute(cls, image, regions, shading, unsure_below, unsure, palette=None, corrections=None) -> io.NodeOutput:
        """Let them vote."""
        choice = FlatChoice(shading, unsure_below, unsure)
        flats, done, mask = make_frames_flats(image, regions, choice, palette, corrections)
        return io.NodeOutput(flats, done, mask, ui=ui.PreviewImage(flats, cls=cls))
