"""Pictures in layers, for programs for painting and for ComfyUI's own."""

from comfy_api.latest import io, ui

from ...colorize_core.finish.picture_layers import COLORS_AS
from ...colorize_core.host.finish.finished_parts import ShotParts
from ...colorize_core.host.finish.layer_files import FORMATS, make_layers, save_layers
from ..checked import checked
from ..schema import node_schema
from ..sockets import Layers, Regions

CATEGORY = "ColorizeDiffusion/finish"


def part_inputs() -> list[io.Input]:
    """What a picture is made of, every part of it optional."""
    return [
        io.Image.Input(
            "image",
            optional=True,
            tooltip="The coloured picture, any size. Where it differs from the regions' swatches, the difference "
            "becomes the layers shading and highlights; wire Flats' image for none, or for its two tones.",
        ),
        Regions.Input(
            "regions",
            optional=True,
            tooltip="From Flats: each swatch becomes a layer that reaches to the middle of the lines. From Line "
            "Regions the colours are the picture's means.",
        ),
        io.Image.Input(
            "drawing",
            optional=True,
            tooltip="The line art, dark on light, of the regions' size: the layer lines on top, transparent where the "
            "paper was, black or in the colours that it was drawn with.",
        ),
        io.Image.Input(
            "background",
            optional=True,
            tooltip="A picture for the lowest layer. Left open, it is what of image is neither painted nor character.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="1 on the character: its colours become the group character, what lies outside the background.",
        ),
    ]


def colors_input() -> io.Combo.Input:
    """How colours become layers."""
    return io.Combo.Input(
        "colors",
        options=list(COLORS_AS),
        default="one_layer_a_swatch",
        tooltip="one_layer_a_swatch: a layer for each colour, with the swatch's name, in a group. one_layer: all "
        "colours in one.",
    )


class ColorizeSaveLayers(io.ComfyNode):
    """Save a coloured picture as a layered file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeSaveLayers",
            display_name="Save Layers",
            category=CATEGORY,
            description="Saves lines, shading, colours and background as layers of one file for Photoshop, Clip Studio "
            "Paint, Krita or GIMP. Of a batch, each picture becomes a file.",
            inputs=[
                *part_inputs(),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="psd",
                    tooltip="psd: for Photoshop, Clip Studio Paint and most others; needs the package psd-tools. ora: "
                    "OpenRaster, for Krita, GIMP and MyPaint; needs nothing.",
                ),
                colors_input(),
                io.String.Input(
                    "filename_prefix",
                    default="layers/picture",
                    tooltip="Where in the output folder, and the beginning of the name; a number that counts up "
                    "follows. The date may stand in it as in Save Image.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="image", tooltip="What is seen of the layers, on white paper.")
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(
        cls, format="psd", colors="one_layer_a_swatch", filename_prefix="layers/picture", **parts
    ) -> io.NodeOutput:
        """Save."""
        files, image = save_layers(ShotParts(**parts), format, colors, filename_prefix)
        return io.NodeOutput(image, ui={**ui.PreviewImage(image, cls=cls).as_dict(), "layers": files})


class ColorizeMakeLayers(io.ComfyNode):
    """Hand a coloured picture on as ComfyUI's own layers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeMakeLayers",
            display_name="Make Layers",
            category=CATEGORY,
            description="Makes lines, shading, colours and background into the layers of ComfyUI's Create Layered "
            "Image. Only newer versions of ComfyUI have those, and this node.",
            inputs=[*part_inputs(), colors_input()],
            outputs=[Layers.Output("LAYERS", display_name="layers", tooltip="For Create Layered Image or Add Layer.")],
        )

    @classmethod
    @checked
    def execute(cls, colors="one_layer_a_swatch", **parts) -> io.NodeOutput:
        """Make."""
        return io.NodeOutput(make_layers(ShotParts(**parts), colors))
