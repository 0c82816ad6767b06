"""One call of the UNet by the patch: whose rows are which, and at what size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..regions import RegionIndex
from .sampling_run import Crop, SamplingRun


@dataclass
class UNetCall:
    """What the patch functions of one call of the UNet share.

    Attributes:
        run: constants of the run.
        rows: B, all rows of the batch.
        frames: the pictures of the run that each conditioning holds here, as a rule all of them.
        crops: the part of the picture that each conditioning works on.
        tokens: how many tokens the UNet's context holds.
        live: rows whose context is not all zeros; the attention of the others is zero.
        narrow: blocks in which nothing but ours looks at the attention's inputs, so that dead rows can be left out.
        modulations: (scale, shift) of each output block; empty without style.
    """

    run: SamplingRun
    rows: int
    frames: tuple[int, ...]
    crops: list[Crop]
    tokens: int
    live: list[int]
    narrow: frozenset[tuple[str, int]]
    modulations: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def pictures(self) -> list[int]:
        """The picture of each row."""
        return [self.frames[row % len(self.frames)] for row in range(self.rows)]

    def by_layout(self, rows: Sequence[int], *counts: int) -> dict[tuple, list[int]]:
        """Group places in `rows` by crop and picture, batches of `counts` pictures being repeated to those of a run."""
        pictures, images = self.pictures, len(self.frames)
        groups: dict[tuple, list[int]] = {}
        for place, row in enumerate(rows):
            key = (self.crops[row // images], *(pictures[row] % count for count in counts))
            groups.setdefault(key, []).append(place)
        return groups

    def layout(self, crop: Crop, picture: int, size: tuple[int, int], device: torch.device) -> RegionIndex:
        """Return where the regions lie on a feature map of size (h, w)."""
        return self.run.regions(crop, size, device)[picture]

    def feature_size(self, tokens: int, shape: Sequence[int] | None) -> tuple[int, int]:
        """Return (h, w) of the feature map that an attention of `tokens` queries works on.

        Args:
            shape: [B, C, h, w] of the feature map, where ComfyUI tells it.
        """
        if shape and shape[-2] * shape[-1] == tokens:
            return shape[-2], shape[-1]
        height, width = self.crops[0].height, self.crops[0].width
        while height * width > tokens:
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width


def live_rows(live: Mapping[object, bool], conditionings: Sequence[object], rows: int) -> list[int]:
    """List the rows of a batch whose context is not all zeros; a conditioning that is not known counts as one of them.

    Args:
        live: from `live_conditionings`. conditionings: the ids of those in the batch, equally many rows each.
    """
    return [row for row in range(rows) if live.get(conditionings[row * len(conditionings) // rows], True)]


def frames_of(transformer_options: dict, images: int) -> tuple[int, ...]:
    """Say which pictures of the batch a call works on: those of the context window, else all `images` of them."""
    window = transformer_options.get("context_window")
    frames = tuple(getattr(window, "index_list", ()))
    return frames if getattr(window, "dim", None) == 0 and len(frames) == images else tuple(range(images))
