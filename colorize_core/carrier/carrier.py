"""The carrier: everything that has been encoded from the references so far. Immutable.

Source: spec section 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..errors import ColorizeError


@dataclass(frozen=True)
class Region:
    """A character of the drawing.

    Attributes:
        tokens: [R, V·N, D], of the character's own reference, of its V views one after the other.
        mask: [B or 1, H, W] in [0, 1], 1 = this character in the drawing.
        strength: factor on its attention's result.
        views: V, how many pictures show this one character.
    """

    tokens: Tensor
    mask: Tensor
    strength: float = 1.0
    views: int = 1


@dataclass(frozen=True)
class Carrier:
    """What the patched UNet needs of the references.

    Every batch R is 1 or the number of reference pictures.

    Attributes:
        tokens: [R, V·N, D], the reference's patch tokens, of its V views one after the other.
        class_token: [R, 1, D], its class token, the mean of its views'; None where the version has none.
        checkpoint: fingerprint of the checkpoint that tokens, background or style came from; None while none of them
            depends on one.
        background_tokens: [R, M, D] that stand for the background picture, or None.
        background_features: what the background encoder gives, each [R, h_i·w_i, c_i]; empty without one.
        style: one [R, 2c_i] an output block; empty without a style.
        style_has_background: whether a background picture went into the style, which changes how a background that
            is encoded later is encoded.
        regions: further characters, each with its own reference and mask.
        views: V, how many pictures show the reference's one character; R is then 1.
        version: id of the version whose checkpoint made the tokens; None where an image tower alone did.
    """

    tokens: Tensor
    class_token: Tensor | None
    checkpoint: str | None = None
    background_tokens: Tensor | None = None
    background_features: tuple[Tensor, ...] = field(default=())
    style: tuple[Tensor, ...] = field(default=())
    style_has_background: bool = False
    regions: tuple[Region, ...] = field(default=())
    views: int = 1
    version: str | None = None

    @property
    def picture_shape(self) -> tuple[int, int]:
        """(N, D), the tokens of one picture."""
        return self.tokens.shape[1] // self.views, self.tokens.shape[2]

    @property
    def has_background(self) -> bool:
        """Whether background features are there, so that a background is injected and the split LoRA is on."""
        return bool(self.background_features)

    def with_background(self, tokens: Tensor, features: tuple[Tensor, ...], checkpoint: str) -> "Carrier":
        """Return a carrier that has this background, in place of any former one."""
        if tokens.shape[2] != self.picture_shape[1]:
            raise ColorizeError(
                f"The background's tokens are {list(tokens.shape[1:])}, the reference's {list(self.picture_shape)}: "
                "wire one and the same CLIP_VISION into Encode Reference and Encode Background."
            )
        return replace(self, background_tokens=tokens, background_features=features, checkpoint=self._same(checkpoint))

    def with_style(self, style: tuple[Tensor, ...], has_background: bool, checkpoint: str) -> "Carrier":
        """Return a carrier that has this style, in place of any former one."""
        return replace(self, style=style, style_has_background=has_background, checkpoint=self._same(checkpoint))

    def with_region(self, other: "Carrier", mask: Tensor, strength: float = 1.0) -> "Carrier":
        """Return a carrier with one more character, that has the reference of another carrier."""
        if other.version != self.version:
            raise ColorizeError(
                "The carrier and the region were encoded for different versions of ColorizeDiffusion: wire one and the "
                "same COLORIZER and CLIP_VISION into every Encode Reference."
            )
        if self.version is not None and other.checkpoint != self.checkpoint:
            raise ColorizeError(
                "The carrier and the region were encoded with different checkpoints: wire one and the same COLORIZER "
                "into every Encode Reference."
            )
        if other.picture_shape != self.picture_shape:
            raise ColorizeError(
                f"The region's tokens are {list(other.picture_shape)}, the carrier's "
                f"{list(self.picture_shape)}: wire one and the same CLIP_VISION into every Encode Reference, "
                "and choose one and the same `detail`."
            )
        region = Region(other.tokens, mask, strength, other.views)
        return replace(self, regions=(*self.regions, region, *other.regions))

    def characters(self, mask: Tensor | None) -> list[Region]:
        """List the characters of the drawing: the carrier's own where it has a mask, then the added ones."""
        return [*([] if mask is None else [Region(self.tokens, mask, views=self.views)]), *self.regions]

    def context(self, regions: Sequence[Region]) -> Tensor:
        """Return the UNet's cross-attention context.

        Args:
            regions: the drawing's characters, from `characters`.

        Returns:
            [R, sum of `token_counts`, D]: the tokens of each character, then the background's (the reference's own
            where there is no background); without characters the reference's alone.
        """
        parts = self._parts(regions)
        if len(parts) == 1:
            return self.tokens
        rows = max(len(part) for part in parts)
        for part in parts:
            check_batches(len(part), rows, ("reference", "region"))
        return torch.cat([fit_rows(part, rows) for part in parts], dim=1)

    def token_counts(self, regions: Sequence[Region]) -> tuple[int, ...]:
        """Count the tokens of each part of the `context`: of each character, then of the background."""
        return tuple(part.shape[1] for part in self._parts(regions))

    def _parts(self, regions: Sequence[Region]) -> list[Tensor]:
        if not regions:
            return [self.tokens]
        background = self.tokens if self.background_tokens is None else self.background_tokens
        return [*(region.tokens for region in regions), background]

    def check_checkpoint(self, checkpoint: str, channels: int, file_name: str, tower: str) -> None:
        """Refuse a colorizer that this carrier does not belong to.

        Args:
            checkpoint, channels, file_name: the colorizer's fingerprint, its D and its file.
            tower: the image tower that its version needs, for the message.
        """
        if self.tokens.shape[-1] != channels:
            raise ColorizeError(
                f"The carrier's tokens have {self.tokens.shape[-1]} channels, but {file_name} takes {channels}: the "
                "reference was encoded with the wrong CLIP_VISION. Wire the checkpoint loader's own CLIP_VISION, or "
                f"{tower} from Load CLIP Vision where the checkpoint has none."
            )
        if self.checkpoint not in (None, checkpoint):
            raise ColorizeError(
                f"The carrier's {self._of_checkpoint} was encoded with another checkpoint than {file_name}. Wire the "
                "COLORIZER of one checkpoint loader into the encode nodes and into Apply Colorization."
            )

    @property
    def _of_checkpoint(self) -> str:
        return "background or style" if self.version is None else "reference"

    def _same(self, checkpoint: str) -> str:
        if self.checkpoint not in (None, checkpoint):
            raise ColorizeError(
                f"The carrier already holds a {self._of_checkpoint} of another checkpoint. Wire the COLORIZER of one "
                "checkpoint loader into all encode nodes."
            )
        return checkpoint


def join_views(tokens: Tensor) -> Tensor:
    """Lay the tokens of all views of one character one after the other: [V, N, D] -> [1, V·N, D]."""
    return tokens.flatten(0, 1)[None]


def fit_rows(tensor: Tensor, rows: int) -> Tensor:
    """Repeat a batch of one to `rows`; a batch of that length comes back as it is."""
    return tensor.expand(rows, *tensor.shape[1:]) if len(tensor) == 1 else tensor


def check_batches(first: int, second: int, names: tuple[str, str]) -> None:
    """Refuse two batches of which neither is 1 and that differ."""
    if first != second and 1 not in (first, second):
        raise ColorizeError(
            f"`{names[0]}` holds {first} pictures and `{names[1]}` holds {second}: give one of either, or as many of "
            "one as of the other."
        )
