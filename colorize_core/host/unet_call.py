"""One call of the UNet by the patch: whose rows are which, and at what size."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from .sampling_run import SamplingRun


@dataclass
class UNetCall:
    """What the patch functions of one call of the UNet share.

    Attributes:
        run: constants of the run.
        rows: B, all rows of the batch.
        images: pictures that each conditioning holds; row r is picture r % images.
        live: rows whose context is not all zeros; the attention of the others is zero.
        latent: (h, w) of the latent.
        narrow: blocks in which nothing but ours looks at the attention's inputs, so that dead rows can be left out.
        modulations: (scale, shift) of each output block; empty without style.
    """

    run: SamplingRun
    rows: int
    images: int
    live: list[int]
    latent: tuple[int, int]
    narrow: frozenset[tuple[str, int]]
    modulations: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def pictures(self) -> list[int]:
        """The picture of each row."""
        return [row % self.images for row in range(self.rows)]

    def by_picture(self, rows: Sequence[int], *counts: int) -> dict[tuple[int, ...], list[int]]:
        """Group places in `rows` by picture, batches of `counts` pictures being repeated to the images of a run."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, row in enumerate(rows):
            groups.setdefault(tuple(row % self.images % count for count in counts), []).append(place)
        return groups

    def feature_size(self, tokens: int, shape: Sequence[int] | None) -> tuple[int, int]:
        """Return (h, w) of the feature map that an attention of `tokens` queries works on.

        Args:
            shape: [B, C, h, w] of the feature map, where ComfyUI tells it.
        """
        if shape and shape[-2] * shape[-1] == tokens:
            return shape[-2], shape[-1]
        height, width = self.latent
        while height * width > tokens:
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width


def row_index(rows: Sequence[int]) -> slice | list[int]:
    """Index some rows of a batch; as a slice where they are evenly spaced, which costs no copy to the device."""
    if not rows:
        return slice(0, 0)
    step = rows[1] - rows[0] if len(rows) > 1 else 1
    even = all(b - a == step for a, b in itertools.pairwise(rows))
    return slice(rows[0], rows[-1] + 1, step) if even else list(rows)
