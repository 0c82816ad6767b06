"""Patching the model with a carrier."""

from comfy_api.latest import io

from ...colorize_core.host.family.apply import apply_carrier
from ...colorize_core.sampling.settings import (
    COLOR_LEVEL,
    CROSS_ATTENTIONS,
    ENCODER_LEVEL,
    SEMANTIC_LEVEL,
    Settings,
    level_strengths,
)
from ..checked import checked
from ..inputs import fraction, percent, strength
from ..schema import node_schema
from ..sockets import BlockStrengths, Carrier, Colorizer


class ColorizeApply(io.ComfyNode):
    """Patch the model so that it colours with the carrier."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeApply",
            display_name="Apply Colorization",
            category="ColorizeDiffusion",
            description="Patches a clone of the model: with a sketch mask, the character's pixels look at the "
            "reference and the background's pixels at the background; without one, all pixels look at the reference. "
            "Send both conditionings through Apply ControlNet with the line map.",
            inputs=[
                io.Model.Input("model", tooltip="From Load Colorize Checkpoint, with or without LoRA."),
                Colorizer.Input("colorizer", tooltip="From the same Load Colorize Checkpoint as the model."),
                Carrier.Input("carrier", tooltip="From Encode Reference, Encode Background or Encode Style."),
                io.Mask.Input(
                    "sketch_mask",
                    optional=True,
                    tooltip="1 where the drawing's character is; of any size, one or one for each image of the batch. "
                    "Without it there is no split and no background is injected.",
                ),
                strength("foreground_strength", "How strongly the character follows the reference."),
                strength("background_strength", "How strongly the background follows its picture."),
                fraction("merge", 0.0, "How much of the background's colours goes into the character as well."),
                fraction("threshold", 0.05, "Mask values above this belong to the character."),
                strength("encoder_strength", "Strength in the first two attentions: fine texture."),
                strength("color_strength", "Strength in the attentions that carry colour."),
                strength(
                    "semantic_strength",
                    "Strength in the attentions that carry meaning; lower it when parts "
                    "of the reference turn up in the wrong places.",
                ),
                percent("start_percent", 0.0, "Fraction of the sampling from which the references count."),
                percent("end_percent", 1.0, "Fraction of the sampling up to which the references count."),
                BlockStrengths.Input(
                    "block_strengths",
                    optional=True,
                    tooltip="All 16 attention strengths one by one, in place of encoder, color and semantic strength.",
                ),
                percent(
                    "ignore_start_percent",
                    0.0,
                    "Start of a stretch of the sampling in which the references are ignored; see ignore_end_percent.",
                    optional=True,
                ),
                percent(
                    "ignore_end_percent",
                    0.0,
                    "End of the stretch in which the references are ignored; none while it is not after its start.",
                    optional=True,
                ),
            ],
            advanced=(
                "merge",
                "threshold",
                "encoder_strength",
                "color_strength",
                "start_percent",
                "end_percent",
                "ignore_start_percent",
                "ignore_end_percent",
            ),
            outputs=[
                io.Model.Output("MODEL", display_name="model", tooltip="The patched model, for any sampler."),
                io.Conditioning.Output("positive", display_name="positive", tooltip="The references."),
                io.Conditioning.Output(
                    "negative", display_name="negative", tooltip="No reference, for classifier-free guidance."
                ),
            ],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        colorizer,
        carrier,
        sketch_mask=None,
        foreground_strength=1.0,
        background_strength=1.0,
        merge=0.0,
        threshold=0.05,
        encoder_strength=1.0,
        color_strength=1.0,
        semantic_strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
        block_strengths=None,
        ignore_start_percent=0.0,
        ignore_end_percent=0.0,
    ) -> io.NodeOutput:
        """Patch."""
        settings = Settings(
            foreground=foreground_strength,
            background=background_strength,
            merge=merge,
            threshold=threshold,
            levels=block_strengths or level_strengths(encoder_strength, color_strength, semantic_strength),
            start=start_percent,
            end=end_percent,
            ignore_start=ignore_start_percent,
            ignore_end=ignore_end_percent,
        )
        return io.NodeOutput(*apply_carrier(model, colorizer, carrier, sketch_mask, settings))


def _level(place: int) -> str:
    levels = {"encoder level": ENCODER_LEVEL, "color level": COLOR_LEVEL, "semantic level": SEMANTIC_LEVEL}
    return next((name for name, places in levels.items() if place in places), "outside the levels")


class ColorizeBlockStrengths(io.ComfyNode):
    """Set the strength of each of the sixteen cross-attentions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeBlockStrengths",
            display_name="Block Strengths",
            category="ColorizeDiffusion",
            description="The strengths of all 16 cross-attentions of the UNet, in the order in which they run.",
            inputs=[
                strength(
                    f"{block}_{number}", f"Cross-attention {place + 1} of 16: {block} block {number}, {_level(place)}."
                )
                for place, (block, number) in enumerate(CROSS_ATTENTIONS)
            ],
            outputs=[
                BlockStrengths.Output(
                    "BLOCK_STRENGTHS", display_name="block_strengths", tooltip="For Apply Colorization."
                )
            ],
        )

    @classmethod
    @checked
    def execute(cls, **strengths) -> io.NodeOutput:
        """Put the strengths in the order of execution."""
        return io.NodeOutput(tuple(strengths[f"{name}_{number}"] for name, number in CROSS_ATTENTIONS))
