"""How strongly a carrier acts.

Source: spec section 5.
"""

from dataclasses import dataclass

from ..prepare.regions import THRESHOLD

#: Cross-attentions of the UNet in order of execution, as (block name, block number).
CROSS_ATTENTIONS = (
    *(("input", i) for i in (1, 2, 4, 5, 7, 8)),
    ("middle", 0),
    *(("output", i) for i in range(3, 12)),
)
#: Levels that one strength governs, as places in `CROSS_ATTENTIONS`; the others stay at 1.
ENCODER_LEVEL = (0, 1)
COLOR_LEVEL = (2, 3, 10, 11, 12)
SEMANTIC_LEVEL = (4, 5, 7, 8, 9)


@dataclass(frozen=True)
class Settings:
    """The choices of Apply Colorization.

    Attributes:
        foreground, background: factors on the attention's result in either region.
        merge: μ in [0, 1], how much of the background's result goes into the foreground.
        threshold: mask values above it are foreground.
        levels: one factor for each of `CROSS_ATTENTIONS`.
        start, end: the window of the sampling in which the tokens count, as fractions.
        ignore_start, ignore_end: a window within it in which they do not; none where the end is not after the start.
    """

    foreground: float = 1.0
    background: float = 1.0
    merge: float = 0.0
    threshold: float = THRESHOLD
    levels: tuple[float, ...] = (1.0,) * len(CROSS_ATTENTIONS)
    start: float = 0.0
    end: float = 1.0
    ignore_start: float = 0.0
    ignore_end: float = 0.0

    @property
    def windows(self) -> list[tuple[float, float]]:
        """The parts of the sampling in which the tokens count, as fractions."""
        if self.ignore_end <= self.ignore_start:
            return [(self.start, self.end)]
        before = (self.start, min(self.end, self.ignore_start))
        after = (max(self.start, self.ignore_end), self.end)
        return [(start, end) for start, end in (before, after) if start < end]

    @property
    def whole_run(self) -> bool:
        """Whether the tokens count from the first step to the last."""
        return self.windows == [(0.0, 1.0)]

    def level(self, block: tuple[str, int]) -> float:
        """Return the factor of the cross-attention in a UNet block."""
        return self.levels[CROSS_ATTENTIONS.index(block)]


def level_strengths(encoder: float = 1.0, color: float = 1.0, semantic: float = 1.0) -> tuple[float, ...]:
    """Spread the three level strengths over the sixteen cross-attentions."""
    strengths = [1.0] * len(CROSS_ATTENTIONS)
    for places, strength in ((ENCODER_LEVEL, encoder), (COLOR_LEVEL, color), (SEMANTIC_LEVEL, semantic)):
        for place in places:
            strengths[place] = strength
    return tuple(strengths)
