"""Editing a reference with words."""

from comfy_api.latest import io, ui

from ...colorize_core.carrier.text_manipulation import THRESHOLDS, manipulate_carrier
from ..checked import checked
from ..inputs import fraction
from ..schema import node_schema
from ..sockets import Carrier

_ENCODER = "from CLIP Text Encode with the OpenCLIP ViT-H text encoder (Load CLIP, type stable_diffusion)."


class ColorizeManipulateTokens(io.ComfyNode):
    """Move the reference tokens by text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeManipulateTokens",
            display_name="Manipulate Reference by Text",
            category="ColorizeDiffusion/encode",
            shows_picture=True,
            description="Changes the reference with words: towards a target (a girl with red hair), optionally away "
            "from an anchor (a girl with blue hair), where a control prompt (hair) selects. The picture shows what the "
            "control prompt selects: orange follows the target, blue is pushed away, dark stays.",
            inputs=[
                Carrier.Input("carrier", tooltip="From Encode Reference."),
                io.Conditioning.Input("target", tooltip=f"What the reference shall become, {_ENCODER}"),
                io.Conditioning.Input("anchor", optional=True, tooltip=f"What it is now, {_ENCODER}"),
                io.Conditioning.Input(
                    "control",
                    optional=True,
                    tooltip=f"Which part of the picture, {_ENCODER} Without it only the class token moves, as in the "
                    "published global mode.",
                ),
                io.Image.Input("image", optional=True, tooltip="The reference, for the picture of the selection."),
                io.Float.Input(
                    "scale",
                    default=4.0,
                    min=-50.0,
                    max=50.0,
                    step=0.1,
                    tooltip="How far towards the target; the tokens' own similarity to a text is about 3-15.",
                ),
                io.Boolean.Input(
                    "enhance",
                    default=False,
                    tooltip="Strengthen what the target says, in place of exchanging the anchor for it.",
                ),
                *(
                    fraction(f"threshold_{i}", value, tooltip, optional=True)
                    for i, (value, tooltip) in enumerate(
                        zip(
                            THRESHOLDS,
                            (
                                "Tokens that fit the control prompt less than this are pushed away strongly.",
                                "Up to this, tokens are pushed away less and less.",
                                "Up to this, tokens follow the target up to half.",
                                "Above this, tokens follow the target fully.",
                            ),
                            strict=True,
                        )
                    )
                ),
            ],
            advanced=("enhance", "threshold_0", "threshold_1", "threshold_2", "threshold_3"),
            outputs=[
                Carrier.Output("CARRIER", display_name="carrier", tooltip="With the changed reference."),
                io.Image.Output("heat_map", display_name="heat_map", tooltip="What the control prompt selects."),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        carrier,
        target,
        anchor=None,
        control=None,
        image=None,
        scale=4.0,
        enhance=False,
        threshold_0=THRESHOLDS[0],
        threshold_1=THRESHOLDS[1],
        threshold_2=THRESHOLDS[2],
        threshold_3=THRESHOLDS[3],
    ) -> io.NodeOutput:
        """Move the tokens and draw the selection."""
        thresholds = (threshold_0, threshold_1, threshold_2, threshold_3)
        prompts = {
            name: conditioning[0][1].get("pooled_output") if conditioning else None
            for name, conditioning in (("target", target), ("anchor", anchor), ("control", control))
            if conditioning is not None
        }
        changed, picture = manipulate_carrier(carrier, prompts, scale, enhance, thresholds, image)
        return io.NodeOutput(changed, picture, ui=ui.PreviewImage(picture, cls=cls))
