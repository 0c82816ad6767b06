"""Which positions of a feature map belong to which region of the picture.

Regions are numbered as their tokens lie in the context: characters first, the background last.
Every position belongs to exactly one region; where characters overlap, the later one wins.

Source: spec section 5; arXiv 2504.06895, split cross-attention.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ColorizeError
from .masks import resize_mask

#: Mask values above it are the character's.
THRESHOLD = 0.05


@dataclass(frozen=True)
class RegionIndex:
    """The positions of each region in one picture, at one size.

    Attributes:
        positions: one LongTensor [n_r] a region, indices into the h·w tokens in ascending order. None where the
            region covers everything, so that nothing need be gathered.
        count: h·w.
    """

    positions: tuple[Tensor | None, ...]
    count: int

    @property
    def present(self) -> list[int]:
        """The regions that have at least one position."""
        return [r for r, index in enumerate(self.positions) if index is None or len(index) > 0]

    def to(self, device: torch.device) -> "RegionIndex":
        """Return the same positions on another device."""
        return RegionIndex(tuple(p if p is None else p.to(device) for p in self.positions), self.count)


def region_labels(masks: Sequence[Tensor], threshold: float, height: int, width: int) -> Tensor:
    """Label every position of a feature map with its region.

    Args:
        masks: one [B_r, H, W] a character, in [0, 1], 1 = character, at the latent's size.
        threshold: positions whose resized mask is above it belong to the character.

    Returns:
        [B, height, width], int64: the number of the character, or `len(masks)` for the background; B is the smallest
        batch that all masks divide.
    """
    batch = math.lcm(*(mask.shape[0] for mask in masks))
    labels = torch.full((batch, height, width), len(masks), dtype=torch.int64)
    for region, mask in enumerate(masks):
        inside = resize_mask(mask, height, width) > threshold
        labels[inside.repeat(batch // len(inside), 1, 1)] = region
    return labels


def region_indices(labels: Tensor, regions: int) -> list[RegionIndex]:
    """Turn labels [B, h, w] into one `RegionIndex` a picture."""
    indices = []
    for picture in labels.flatten(1):
        positions = []
        for region in range(regions):
            found = (picture == region).nonzero()[:, 0]
            positions.append(None if len(found) == len(picture) else found)
        indices.append(RegionIndex(tuple(positions), picture.numel()))
    return indices


#: What a batch of pictures is called, and where it came from, for messages.
_GIVEN = {
    "masks": ("The sketch mask holds {count} masks", "Give Apply Colorization one mask"),
    "references": (
        "The carrier holds {count} references",
        "Several views of one character: set `several` of Encode Reference to views_of_one_character. Else give it one "
        "picture",
    ),
    "backgrounds": ("The carrier holds {count} backgrounds", "Give Encode Background one picture"),
    "styles": ("The carrier holds {count} styles", "Give Encode Style one picture"),
    "line maps": ("Apply ControlNet has {count} line maps", "Give it one line map"),
    "injected references": ("Attention Injection holds {count} references", "Give it one picture"),
}


def check_pictures_fit(what: str, counts: Sequence[int], images: int) -> None:
    """Refuse batches that are neither one nor one for each of the `images` sampled together.

    Args:
        what: of `_GIVEN`. counts: how many pictures each batch holds.
    """
    for count in counts:
        if images % count:
            given, advice = _GIVEN[what]
            sampled = "1 image is sampled" if images == 1 else f"{images} images are sampled together"
            raise ColorizeError(
                f"{given.format(count=count)}, but {sampled}. {advice}, or one for each image of the latent batch."
            )
