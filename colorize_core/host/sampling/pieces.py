"""What versions add to a step of the UNet beside split cross-attention, each in a module of its own."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import comfy.model_patcher
from torch import Tensor, nn

from ...prepare.masks import resize_mask
from .unet_call import UNetCall
from .unet_layout import AttentionPlace

#: Key of the hooks of Apply Colorization, so that a second one replaces the first.
KEY = "colorize"
#: Where a call of the UNet keeps its state in transformer options.
CALL = "colorize_call"

#: (mask [B, H, W] of the drawing, h, w) -> the mask at the latent's size, [B, h, w].
LatentMask = Callable[[Tensor, int, int], Tensor]
#: (block, projection, whether for the background, input of the projection) -> what LoRA adds to its result, or None.
RegionLora = Callable[[tuple[str, int], str, bool, Tensor], Tensor | None]


class Piece:
    """One thing that is added; its tensors and tuples of tensors have a row for each picture, or one for all.

    It holds no state of any run: clones of a MODEL share it.
    """

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register hooks under `KEY` with a MODEL, which must be a clone without any."""

    def batches(self) -> dict[str, int]:
        """Say how many pictures the batches hold that it brings, by what `check_pictures_fit` calls them."""
        return {}

    def around_call(self, unet: nn.Module, call: UNetCall) -> AbstractContextManager:
        """Return what is entered for the time of a call of the UNet."""
        return nullcontext()


@dataclass(frozen=True)
class Recipe:
    """What a version makes of a carrier.

    Attributes:
        strengths: factor of each transformer's attentions; one that is not among them has 1.
        latent_mask: brings masks to the latent's size.
        reached: a mask value that equals the threshold is foreground, too.
        soft_split: foreground and background are blended by the mask, not parted by a threshold.
        lora: additions to the projections of split cross-attention that differ by region.
        lora_models: what it computes with, where no piece brings that.
        pieces: all else.
    """

    strengths: Mapping[tuple[str, int], float]
    latent_mask: LatentMask = resize_mask
    reached: bool = False
    soft_split: bool = False
    lora: RegionLora | None = None
    lora_models: Sequence[comfy.model_patcher.ModelPatcher] = ()
    pieces: Sequence[Piece] = ()

    def strength(self, place: AttentionPlace) -> float:
        """Return the factor of an attention's result."""
        return self.strengths.get(place.block, 1.0)
