"""Palettes: from a reference, from text, from files."""

from comfy_api.latest import io, ui

from ...colorize_core.finish.palette_sheet import draw_palette
from ...colorize_core.finish.palette_text import palette_of_text
from ...colorize_core.host.finish.palette_folder import PALETTES, load_palette, save_palette
from ...colorize_core.host.finish.palettes import palette_of
from ..checked import checked
from ..inputs import color_list, fraction
from ..schema import node_schema
from ..sockets import Palette

CATEGORY = "ColorizeDiffusion/finish"


def outputs(palette: str) -> list[io.Output]:
    """The outputs of a node that gives a palette, whose tooltip says where it is from."""
    return [
        Palette.Output("PALETTE", display_name="palette", tooltip=palette),
        io.Image.Output("IMAGE", display_name="sheet", tooltip="The swatches with their names and codes, to look at."),
    ]


class ColorizeExtractPalette(io.ComfyNode):
    """The colours of a reference."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeExtractPalette",
            display_name="Extract Palette",
            category=CATEGORY,
            description="Reads a character's colours off a reference: exact values of flat parts, averages of painted "
            "ones. Leaves out white paper at the border, thin dark lines and the mixtures along edges, and pairs "
            "shadows with their colours.",
            inputs=[
                io.Image.Input(
                    "image", tooltip="A coloured picture; a batch is several sheets of one character, for one palette."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Colours are looked for where it is 1: the character's mask leaves the background out.",
                ),
                io.Int.Input("most", default=24, min=1, max=256, tooltip="Swatches at most; the largest stay."),
                io.Float.Input(
                    "merge",
                    default=4.0,
                    min=0.0,
                    max=50.0,
                    step=0.5,
                    tooltip="Colours nearer to one another than this ΔE are one. 2 is hard to see, 10 is plain.",
                ),
                fraction(
                    "smallest_share",
                    0.0015,
                    "What covers less of the picture, paper left out, is none: 0.0015 is 1500 pixels in a million.",
                    step=0.0005,
                ),
            ],
            outputs=outputs("The colours by area, each shadow behind its base."),
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(cls, image, mask=None, most=24, merge=4.0, smallest_share=0.0015) -> io.NodeOutput:
        """Extract."""
        palette, sheet = palette_of(image, mask, most, merge, smallest_share)
        return io.NodeOutput(palette, sheet, ui=ui.PreviewImage(sheet, cls=cls))


class ColorizePalette(io.ComfyNode):
    """A palette as text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizePalette",
            display_name="Edit Palette",
            category=CATEGORY,
            description="A palette written by hand, a line a swatch, or changes to another palette: its swatches of "
            "the same names are replaced, others are added.",
            inputs=[
                io.String.Input(
                    "text",
                    default="skin #f6d3b8 shadow #d9a88c\nhair #7d4f9e shadow #5a3578\n",
                    multiline=True,
                    tooltip="A line a swatch: name #rrggbb, and behind it shadow #rrggbb, highlight #rrggbb or "
                    "line #rrggbb where wanted. Names may be of any language and hold spaces; // begins a comment.",
                ),
                Palette.Input(
                    "palette",
                    optional=True,
                    tooltip="Its swatches come first; those that text names again take the colours of text.",
                ),
                color_list(
                    "colors",
                    "More colours, named after what they look like, behind all others. Newer versions of ComfyUI have "
                    "a list of colours to pick them here; leave text empty to use them alone.",
                ),
            ],
            outputs=outputs("The swatches in the order of the text."),
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(cls, text, palette=None, colors=None) -> io.NodeOutput:
        """Read."""
        palette = palette_of_text(text, palette, colors)
        sheet = draw_palette(palette)
        return io.NodeOutput(palette, sheet, ui=ui.PreviewImage(sheet, cls=cls))


class ColorizeLoadPalette(io.ComfyNode):
    """Load a palette file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeLoadPalette",
            display_name="Load Palette",
            category=CATEGORY,
            description="Loads a palette of GIMP, Krita, Inkscape or Save Palette, a .gpl file, from the input or the "
            "output folder.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=PALETTES.choices(),
                    tooltip="Palette files in the input folder, and in the output folder marked [output]; both with "
                    "their subfolder palettes.",
                ),
            ],
            outputs=outputs("The file's colours in their order; “… shadow” is the shadow of what stands above it."),
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, file=None) -> bool | str:
        """Check the name before anything runs; a wired one, which is None here, when it is known."""
        return PALETTES.fault(file) or True

    @classmethod
    def fingerprint_inputs(cls, file=None) -> str | float:
        """Run anew when the file's contents have changed; always where that cannot be known."""
        return PALETTES.fingerprint(file)

    @classmethod
    @checked
    def execute(cls, file) -> io.NodeOutput:
        """Load."""
        palette = load_palette(file)
        sheet = draw_palette(palette)
        return io.NodeOutput(palette, sheet, ui=ui.PreviewImage(sheet, cls=cls))


class ColorizeSavePalette(io.ComfyNode):
    """Save a palette as a file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeSavePalette",
            display_name="Save Palette",
            category=CATEGORY,
            description="Saves a palette as a .gpl file in the output folder, for Load Palette, GIMP, Krita and "
            "Inkscape.",
            inputs=[
                Palette.Input("palette", tooltip="From any palette node."),
                io.String.Input(
                    "filename_prefix",
                    default="palettes/palette",
                    tooltip="Where in the output folder, and the beginning of the name. The date may stand in it as in "
                    "Save Image. Load Palette offers what lies in palettes and its subfolders.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(cls, palette, filename_prefix="palettes/palette") -> io.NodeOutput:
        """Save."""
        return io.NodeOutput(ui={"palettes": [save_palette(palette, filename_prefix)]})
