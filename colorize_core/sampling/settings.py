"""How strongly a carrier acts.

Source: spec section 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import ColorizeError
from ..prepare.regions import THRESHOLD

#: Forms of the split in version 1.5.
PUBLISHED, BOTH, TRAINED = SPLIT_FORMS = ("published", "both", "trained")
#: A transformer of the UNet: half ("input", "middle" or "output") and block number.
Block = tuple[str, int]


@dataclass(frozen=True)
class Settings:
    """The choices of Apply Colorization.

    Attributes:
        foreground, background: factors on the attention's result in either region.
        merge: μ in [0, 1], how much of the background's result goes into the foreground.
        threshold: mask values above it are foreground.
        reference: factor on all levels.
        encoder, color, semantic: factors on the attentions of each level.
        blocks: a factor for each transformer's attentions, in place of the levels.
        split_form: of version 1.5: which LoRA act.
        start, end: the window of the sampling in which the tokens count, as fractions.
        ignore_start, ignore_end: a window within it in which they do not; none where the end is not after the start.
    """

    foreground: float = 1.0
    background: float = 1.0
    merge: float = 0.0
    threshold: float = THRESHOLD
    reference: float = 1.0
    encoder: float = 1.0
    color: float = 1.0
    semantic: float = 1.0
    blocks: Mapping[Block, float] | None = None
    split_form: str = PUBLISHED
    start: float = 0.0
    end: float = 1.0
    ignore_start: float = 0.0
    ignore_end: float = 0.0

    @property
    def window(self) -> tuple[float, float]:
        """The part of the sampling in which the tokens count, as fractions; its ends belong to it."""
        return self.start, self.end

    @property
    def ignored(self) -> tuple[float, float] | None:
        """The part of the window in which they do not, as fractions; ends included; None where there is none."""
        return (self.ignore_start, self.ignore_end) if self.ignore_end > self.ignore_start else None

    @property
    def whole_run(self) -> bool:
        """Whether the tokens count from the first step to the last."""
        return self.window == (0.0, 1.0) and self.ignored is None


def block_strengths(settings: Settings, levels: Mapping[str, Sequence[Block]]) -> dict[Block, float]:
    """Return the factor of each transformer's attentions; one that is not among them has 1.

    Args:
        levels: the transformers that `encoder`, `color` and `semantic` govern.
    """
    if settings.blocks is not None:
        return {block: settings.reference * strength for block, strength in settings.blocks.items()}
    return {
        block: settings.reference * getattr(settings, level) for level, blocks in levels.items() for block in blocks
    }


def one_strength(settings: Settings, blocks: Sequence[Block], name: str) -> dict[Block, float]:
    """Return the factor of each transformer's attentions for a version that knows one for all of them.

    Args:
        blocks: all transformers. name: the version's, for the message.
    """
    if settings.blocks is not None:
        return {block: settings.reference * strength for block, strength in settings.blocks.items()}
    strengths = (settings.encoder, settings.color, settings.semantic)
    if len(set(strengths)) > 1:
        told = ", ".join(f"{strength:g}" for strength in strengths)
        raise ColorizeError(
            f"`encoder_strength`, `color_strength` and `semantic_strength` are {told}, but {name} has one reference "
            "strength for all attentions: give the three one value, or wire Block Strengths."
        )
    return dict.fromkeys(blocks, settings.reference * strengths[0])
