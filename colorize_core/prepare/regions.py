"""Which positions of a feature map belong to which region of the picture.

Regions are numbered as their tokens lie in the context: characters first, the background last.
Every position belongs to exactly one region, and where characters overlap, the later one wins; or regions blend into
one another as softly as their masks do.

Source: spec section 5; arXiv 2504.06895, split cross-attention.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .masks import resize_mask

#: Mask values above it are the character's.
THRESHOLD = 0.05
#: Weights of no more than this are what rounding leaves of zero.
NO_WEIGHT = 1e-6


@dataclass(frozen=True)
class RegionIndex:
    """The positions of each region in one picture, at one size.

    Attributes:
        positions: one LongTensor [n_r] a region, indices into the h·w tokens in ascending order. None where the
            region covers everything, so that nothing need be gathered.
        count: h·w.
        weights: where regions overlap, one [n_r] a region, what its result counts at its positions; else empty.
        pairs: whether no more than two regions meet anywhere, so that it does not matter in which order their results
            are added up.
    """

    positions: tuple[Tensor | None, ...]
    count: int
    weights: tuple[Tensor, ...] = ()
    pairs: bool = True

    @property
    def present(self) -> list[int]:
        """The regions that have at least one position."""
        return [r for r, index in enumerate(self.positions) if index is None or len(index) > 0]

    @property
    def sizes(self) -> list[int]:
        """How many positions each of the regions has that are present."""
        present = (self.positions[region] for region in self.present)
        return [self.count if positions is None else len(positions) for positions in present]

    @functools.cached_property
    def order(self) -> Tensor | None:
        """All positions, region after region, for one call to gather or scatter; None where that changes nothing."""
        parts = [self.positions[region] for region in self.present]
        if len(parts) == 1:
            return parts[0]
        device = next(tensor for tensor in (*self.weights, *parts) if tensor is not None).device
        return torch.cat([torch.arange(self.count, device=device) if part is None else part for part in parts])

    def joined_weights(self, dtype: torch.dtype) -> Tensor:
        """Return the weights in that order, [n, 1]; kept for the next call in the type that was last asked for."""
        kept = self.__dict__.get("_joined")
        if kept is None or kept.dtype != dtype:
            kept = torch.cat([self.weights[region] for region in self.present])[:, None].to(dtype)
            self.__dict__["_joined"] = kept
        return kept

    def to(self, device: torch.device) -> "RegionIndex":
        """Return the same positions on another device."""
        positions = tuple(p if p is None else p.to(device) for p in self.positions)
        return RegionIndex(positions, self.count, tuple(w.to(device) for w in self.weights), self.pairs)


def region_labels(masks: Sequence[Tensor], threshold: float, height: int, width: int, reached: bool = False) -> Tensor:
    """Label every position of a feature map with its region.

    Args:
        masks: one [B_r, H, W] a character, in [0, 1], 1 = character, at the latent's size.
        threshold: positions whose resized mask is above it belong to the character.
        reached: so do those whose mask equals it.

    Returns:
        [B, height, width], int64: the number of the character, or `len(masks)` for the background; B is the smallest
        batch that all masks divide.
    """
    batch = math.lcm(*(mask.shape[0] for mask in masks))
    labels = torch.full((batch, height, width), len(masks), dtype=torch.int64)
    for region, mask in enumerate(masks):
        resized = resize_mask(mask, height, width)
        inside = resized >= threshold if reached else resized > threshold
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


def soft_regions(masks: Sequence[Tensor], height: int, width: int) -> list[RegionIndex]:
    """Return one `RegionIndex` a picture in which regions overlap.

    A character counts with its mask, as far as no later one covers it, and the background with what is left. Positions
    at which a region counts nothing are not among its own.

    Args:
        masks: one [B_r, H, W] a character, 1 = character, at the latent's size.

    Source: spec-xl section 5, split cross-attention of the v2-style model.
    """
    batch = math.lcm(*(mask.shape[0] for mask in masks))
    left, weights = torch.ones(batch, height, width), []
    for mask in reversed(masks):
        inside = resize_mask(mask, height, width).float()
        inside = inside.repeat(batch // len(inside), 1, 1)
        weights.append(inside * left)
        left = left * (1 - inside)
    indices = []
    for picture in zip(*reversed([left, *weights]), strict=True):
        flat = [weight.flatten() for weight in picture]
        found = [(weight.abs() > NO_WEIGHT).nonzero()[:, 0] for weight in flat]
        whole = [len(positions) == height * width for positions in found]
        indices.append(
            RegionIndex(
                tuple(None if all_ else positions for positions, all_ in zip(found, whole, strict=True)),
                height * width,
                tuple(weight[positions] for weight, positions in zip(flat, found, strict=True)),
                bool(torch.cat(found).bincount().max() <= 2),
            )
        )
    return indices
