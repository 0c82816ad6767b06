"""Patching the model with a carrier."""

from comfy_api.latest import io

from ...colorize_core.family.versions import VERSIONS
from ...colorize_core.host.family.apply import apply_carrier
from ...colorize_core.sampling.settings import PUBLISHED, SPLIT_FORMS, Settings
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
                    tooltip="The strengths of all attentions by their blocks, in place of encoder, color and semantic "
                    "strength.",
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
                io.Combo.Input(
                    "split_form",
                    options=list(SPLIT_FORMS),
                    default=PUBLISHED,
                    optional=True,
                    tooltip="Only for v1.5, which LoRA act. published: the character's without a background, the "
                    "background's with one. both: both, and every region looks at all tokens. trained: both, as in "
                    "training.",
                ),
                strength(
                    "reference_strength",
                    "Factor on encoder, color and semantic strength together, or on the block strengths.",
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
                "split_form",
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
        split_form=PUBLISHED,
        reference_strength=1.0,
    ) -> io.NodeOutput:
        """Patch."""
        settings = Settings(
            foreground=foreground_strength,
            background=background_strength,
            merge=merge,
            threshold=threshold,
            reference=1.0 if reference_strength is None else reference_strength,
            encoder=encoder_strength,
            color=color_strength,
            semantic=semantic_strength,
            blocks=block_strengths,
            split_form=split_form or PUBLISHED,
            start=start_percent,
            end=end_percent,
            ignore_start=ignore_start_percent,
            ignore_end=ignore_end_percent,
        )
        return io.NodeOutput(*apply_carrier(model, colorizer, carrier, sketch_mask, settings))


#: Transformers of the UNet in order of execution: version 2's, then those that XL alone has.
V2_BLOCKS = (
    *(("input", number) for number in (1, 2, 4, 5, 7, 8)),
    ("middle", 0),
    *(("output", number) for number in range(3, 12)),
)
XL_BLOCKS = tuple(("output", number) for number in range(3))


def _levels(block: tuple[str, int]) -> str:
    versions: dict[str, list[str]] = {}
    for version in VERSIONS:
        for level, blocks in version.levels.items():
            if block in blocks:
                versions.setdefault(level, []).append(version.short_name)
    told = [f"{level} level of {', '.join(names)}" for level, names in versions.items()]
    return "; ".join(told) or "outside the levels"


class ColorizeBlockStrengths(io.ComfyNode):
    """Set the strength of the cross-attentions of each of the UNet's transformers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeBlockStrengths",
            display_name="Block Strengths",
            category="ColorizeDiffusion",
            description="The strengths of the cross-attentions of each transformer of the UNet, in the order in which "
            "they run: 16 in v2, one attention each; 11 in XL, with its 70 attentions. Those that a version has not do "
            "nothing.",
            inputs=[
                *(strength(f"{half}_{number}", cls._tooltip(half, number)) for half, number in V2_BLOCKS),
                *(
                    strength(f"{half}_{number}", cls._tooltip(half, number), optional=True)
                    for half, number in XL_BLOCKS
                ),
            ],
            outputs=[
                BlockStrengths.Output(
                    "BLOCK_STRENGTHS", display_name="block_strengths", tooltip="For Apply Colorization."
                )
            ],
        )

    @staticmethod
    def _tooltip(half: str, number: int) -> str:
        only = ", in XL alone" if (half, number) in XL_BLOCKS else ""
        return f"Transformer in {half} block {number}{only}: {_levels((half, number))}."

    @classmethod
    @checked
    def execute(cls, **strengths) -> io.NodeOutput:
        """Name the strengths by their blocks."""
        blocks = (*V2_BLOCKS, *XL_BLOCKS)
        return io.NodeOutput({block: strengths.get(f"{block[0]}_{block[1]}", 1.0) for block in blocks})
