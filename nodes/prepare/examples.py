"""Pictures that come with the pack."""

from comfy_api.latest import io, ui

from ...colorize_core.host.prepare.examples import example_choices, load_example
from ..checked import checked
from ..schema import node_schema


class ColorizeExamplePicture(io.ComfyNode):
    """A picture to try the pack with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeExamplePicture",
            display_name="Example Picture",
            category="ColorizeDiffusion/loaders",
            shows_picture=True,
            description="A drawing, reference, background or coloured picture that comes with the pack, of 128×128 "
            "pixels for the demonstration model, large ones of 1024×1024. Load Image takes its place for pictures of "
            "your own.",
            inputs=[
                io.Combo.Input(
                    "picture",
                    options=example_choices(),
                    tooltip="drawing: dark lines on white paper. colored: the drawing of that name as the "
                    "demonstration model colours it. reference: a character in colours; inked ones have coloured "
                    "lines. background: a place without a character.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="image", tooltip="The picture."),
                io.Mask.Output("MASK", display_name="mask", tooltip="1 on the character; 0 all over a background."),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @checked
    def execute(cls, picture) -> io.NodeOutput:
        """Load, and show the picture on the node."""
        image, mask = load_example(picture)
        return io.NodeOutput(image, mask, ui=ui.PreviewImage(image, cls=cls))
