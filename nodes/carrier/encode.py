"""Encoding the references into a carrier."""

from comfy_api.latest import io

from ...colorize_core.host.family.colorizer import ImageEncoders
from ...colorize_core.host.family.encode import (
    BackgroundChoices,
    encode_background,
    encode_reference,
    encode_style,
)
from ..checked import checked
from ..inputs import fraction, size, strength, transparency
from ..schema import node_schema
from ..sockets import Carrier, Colorizer, Tagger

CATEGORY = "ColorizeDiffusion/encode"
#: How much larger than its own size the image tower is shown the reference.
DETAILS = {"own": 1.0, "1.5x": 1.5, "2x": 2.0, "3x": 3.0}
#: What several reference pictures are.
ONE_PER_IMAGE, ONE_CHARACTER = "one_per_image", "views_of_one_character"

_CLIP_VISION = (
    "The image tower: from Load Colorize Checkpoint if the file has one, else from Load CLIP Vision with "
    "CLIP-ViT-H-14-laion2B-s32B-b79K, for XL with CLIP-ViT-bigG-14-laion2B-39B-b160k."
)
_VAE = "The VAE of Load Colorize Checkpoint."
_COLORIZER = "From the same Load Colorize Checkpoint as the model."
_CARRIER = "The carrier so far; it is not changed, the output is a new one."


def _encoder_inputs() -> list[io.Input]:
    """What every encoder of latents needs beside its picture."""
    return [
        Carrier.Input("carrier", tooltip=_CARRIER),
        Colorizer.Input("colorizer", tooltip=_COLORIZER),
        io.Vae.Input("vae", tooltip=_VAE),
        io.ClipVision.Input("clip_vision", tooltip=_CLIP_VISION),
    ]


def _tagger() -> io.Input:
    return Tagger.Input(
        "tagger",
        optional=True,
        tooltip="Only for ColorizeDiffusion XL: from Load Colorize Tagger, unless the checkpoint holds it.",
    )


class ColorizeEncodeReference(io.ComfyNode):
    """Encode the colour reference of the character."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeEncodeReference",
            display_name="Encode Reference",
            category=CATEGORY,
            description="Turns a colour reference into reference tokens, the start of a carrier.",
            inputs=[
                io.ClipVision.Input("clip_vision", tooltip=_CLIP_VISION),
                io.Image.Input(
                    "image",
                    tooltip="The colour reference, of any size and pose; it is squeezed to a square, not cropped. "
                    "`several` says what a batch of them is.",
                ),
                io.Combo.Input(
                    "several",
                    options=[ONE_PER_IMAGE, ONE_CHARACTER],
                    default=ONE_PER_IMAGE,
                    optional=True,
                    tooltip="What several pictures are. one_per_image: one reference for each image of the latent "
                    "batch. views_of_one_character: all show one character (front and back, whole and face); every "
                    "image looks at all of them.",
                ),
                transparency(),
                Colorizer.Input(
                    "colorizer",
                    optional=True,
                    tooltip="Needed for ColorizeDiffusion XL, whose checkpoint makes the tokens; v2 does without.",
                ),
                _tagger(),
                io.Combo.Input(
                    "detail",
                    options=list(DETAILS),
                    default="own",
                    optional=True,
                    tooltip="The size at which the image tower sees the reference. own: its own 224 pixels, as "
                    "trained. 2x: twice that each way, four times the tokens, for small patterns; slower. Not for XL.",
                ),
            ],
            advanced=("detail",),
            outputs=[Carrier.Output("CARRIER", display_name="carrier", tooltip="Holds the reference tokens.")],
        )

    @classmethod
    @checked
    def execute(
        cls, clip_vision, image, several=ONE_PER_IMAGE, transparency=None, colorizer=None, tagger=None, detail="own"
    ) -> io.NodeOutput:
        """Encode."""
        encoders = ImageEncoders(clip_vision, tagger)
        one, factor = several == ONE_CHARACTER, DETAILS[detail or "own"]
        return io.NodeOutput(encode_reference(encoders, image, one, transparency, colorizer, factor))


class ColorizeEncodeBackground(io.ComfyNode):
    """Encode the picture that the background takes its colours from."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeEncodeBackground",
            display_name="Encode Background",
            category=CATEGORY,
            description="Adds a background to the carrier: its tokens and the features that are injected into the "
            "UNet. It acts where Apply Colorization has a sketch mask.",
            inputs=[
                *_encoder_inputs(),
                io.Image.Input(
                    "image",
                    tooltip="A background picture, or the reference with its character painted white (Bleach).",
                ),
                size("width"),
                size("height"),
                strength(
                    "strength",
                    "Factor on the injected features. Lower it when the background looks pasted in. XL has none: there "
                    "set background_strength of Apply Colorization.",
                ),
                io.Combo.Input(
                    "source",
                    options=["background_image", "bleached_reference"],
                    default="background_image",
                    tooltip="What the image is. background_image: a picture of its own. bleached_reference: the "
                    "reference itself, with its character painted white.",
                ),
                io.Image.Input(
                    "reference",
                    optional=True,
                    tooltip="Only for a bleached reference whose size differs from the reference's: the reference.",
                ),
                transparency(),
                _tagger(),
                io.Mask.Input(
                    "sketch_mask",
                    optional=True,
                    tooltip="Needed for XL's v2-style model: the mask that goes into Apply Colorization. Other "
                    "versions do not look at it.",
                ),
                io.Mask.Input(
                    "image_mask",
                    optional=True,
                    tooltip="For XL's v2-style model: what is painted white in `image` (Bleach); if missing, nothing.",
                ),
                fraction(
                    "reference_threshold",
                    0.5,
                    "Only for v1.5: the threshold with which the reference was bleached.",
                    optional=True,
                ),
            ],
            outputs=[Carrier.Output("CARRIER", display_name="carrier", tooltip="The carrier with a background.")],
        )

    @classmethod
    @checked
    def execute(
        cls,
        carrier,
        colorizer,
        vae,
        clip_vision,
        image,
        width,
        height,
        strength=1.0,
        source="background_image",
        reference=None,
        transparency=None,
        tagger=None,
        sketch_mask=None,
        image_mask=None,
        reference_threshold=0.5,
    ) -> io.NodeOutput:
        """Encode."""
        choices = BackgroundChoices(
            strength=strength,
            bleached=source == "bleached_reference",
            reference=reference,
            transparency=transparency,
            sketch_mask=sketch_mask,
            image_mask=image_mask,
            reference_threshold=reference_threshold,
        )
        encoders = ImageEncoders(clip_vision, tagger)
        return io.NodeOutput(encode_background(carrier, colorizer, vae, encoders, image, width, height, choices))


class ColorizeEncodeStyle(io.ComfyNode):
    """Encode the style: shading, line colour, grain."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeEncodeStyle",
            display_name="Encode Style",
            category=CATEGORY,
            description="Adds the style of a picture to the carrier: shading, line colour, grain. It acts on the "
            "whole picture, with or without a sketch mask.",
            inputs=[
                *_encoder_inputs(),
                io.Image.Input("image", tooltip="The picture whose style is taken, as a rule the reference."),
                size("width"),
                size("height"),
                io.Image.Input("background", optional=True, tooltip="A picture whose style is mixed in by `merge`."),
                fraction(
                    "merge", 0.0, "How much of the background's style: 0 none, 1 nothing else. Needs `background`."
                ),
                transparency(),
            ],
            advanced=("merge",),
            outputs=[Carrier.Output("CARRIER", display_name="carrier", tooltip="The carrier with a style.")],
        )

    @classmethod
    @checked
    def execute(
        cls,
        carrier,
        colorizer,
        vae,
        clip_vision,
        image,
        width,
        height,
        background=None,
        merge=0.0,
        transparency=None,
    ) -> io.NodeOutput:
        """Encode."""
        return io.NodeOutput(
            encode_style(
                carrier,
                colorizer,
                vae,
                ImageEncoders(clip_vision),
                image,
                width,
                height,
                background,
                merge,
                transparency,
            )
        )
