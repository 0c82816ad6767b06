"""Patching the model with a carrier."""

from comfy_api.latest import io

from ..colorize_core.host.apply import apply_carrier
from ..colorize_core.settings import Settings, level_strengths
from .sockets import Carrier, Colorizer


def _strength(name: str, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=1.0, min=0.0, max=4.0, step=0.05, tooltip=tooltip)


def _percent(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.001, tooltip=tooltip)


class ColorizeApply(io.ComfyNode):
    """Patch the model so that it colours with the carrier."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return io.Schema(
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
                _strength("foreground_strength", "How strongly the character follows the reference."),
                _strength("background_strength", "How strongly the background follows its picture."),
                _percent("merge", 0.0, "How much of the background's colours goes into the character as well."),
                _percent("threshold", 0.05, "Mask values above this belong to the character."),
                _strength("encoder_strength", "Strength in the first two attentions: fine texture."),
                _strength("color_strength", "Strength in the attentions that carry colour."),
                _strength(
                    "semantic_strength",
                    "Strength in the attentions that carry meaning; lower it when parts "
                    "of the reference turn up in the wrong places.",
                ),
                _percent("start_percent", 0.0, "Fraction of the sampling from which the references count."),
                _percent("end_percent", 1.0, "Fraction of the sampling up to which the references count."),
            ],
            outputs=[
                io.Model.Output("MODEL", display_name="model", tooltip="The patched model, for any sampler."),
                io.Conditioning.Output("positive", display_name="positive", tooltip="The references."),
                io.Conditioning.Output(
                    "negative", display_name="negative", tooltip="No reference, for classifier-free guidance."
                ),
            ],
        )

    @classmethod
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
    ) -> io.NodeOutput:
        """Patch."""
        settings = Settings(
            foreground=foreground_strength,
            background=background_strength,
            merge=merge,
            threshold=threshold,
            levels=level_strengths(encoder_strength, color_strength, semantic_strength),
            start=start_percent,
            end=end_percent,
        )
        return io.NodeOutput(*apply_carrier(model, colorizer, carrier, sketch_mask, settings))
