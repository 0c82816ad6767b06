"""More than one character in a drawing."""

from comfy_api.latest import io

from ...colorize_core.host.carrier.regions import add_region
from ..checked import checked
from ..inputs import strength
from ..schema import node_schema
from ..sockets import Carrier


class ColorizeAddRegion(io.ComfyNode):
    """Give one more character of the drawing a reference of its own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeAddRegion",
            display_name="Add Character Region",
            category="ColorizeDiffusion/encode",
            description="Adds a character to the carrier: inside the mask the drawing takes its colours from the other "
            "carrier's reference. Where masks overlap, the region added last wins; what no mask covers is background.",
            inputs=[
                Carrier.Input(
                    "carrier",
                    tooltip="The carrier so far. Its own reference colours the sketch mask of Apply Colorization.",
                ),
                Carrier.Input(
                    "region",
                    tooltip="The other character: from Encode Reference on its own character sheet. Only its reference "
                    "and its own regions are taken, not its background or style.",
                ),
                io.Mask.Input("mask", tooltip="1 where this character is in the drawing; of any size."),
                strength(
                    "strength",
                    "How strongly this character follows its reference, times foreground_strength.",
                    optional=True,
                ),
            ],
            outputs=[Carrier.Output("CARRIER", display_name="carrier", tooltip="The carrier with one more region.")],
        )

    @classmethod
    @checked
    def execute(cls, carrier, region, mask, strength=1.0) -> io.NodeOutput:
        """Add the region."""
        return io.NodeOutput(add_region(carrier, region, mask, strength))
