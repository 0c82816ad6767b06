"""The COLORIZER: what a checkpoint holds beside UNet, VAE and image tower, and what its version makes of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import comfy.clip_vision
import comfy.latent_formats
import comfy.model_patcher
import comfy.sd
from torch import Tensor

from ...carrier.carrier import Carrier, Region
from ...errors import ColorizeError
from ...family.version import Version
from ...sampling.settings import Settings
from ..carrier.image_tower import tokens_of
from ..sampling.pieces import Recipe
from ..sampling.unet_layout import AttentionPlace


@dataclass(frozen=True)
class ImageEncoders:
    """The networks that look at a reference picture, as they are wired; each may be missing.

    Attributes:
        patches: how many patches a side the image tower is shown, None for its own number.
    """

    clip_vision: comfy.clip_vision.ClipVisionModel | None
    tagger: comfy.model_patcher.ModelPatcher | None = None
    patches: int | None = None


@dataclass(frozen=True)
class BackgroundPicture:
    """A background to encode.

    Attributes:
        picture: [R, H, W, 3] in [0, 1]. tokens: [R, N, D], its own.
        vae: makes its latent. width, height: the output, in pixels.
        strength: factor on the features.
        bleached: the picture is a bleached reference.
        own_size: (height, width) in pixels of the picture that counts as its size.
        sketch_mask: [B or 1, H', W'] in [0, 1], 1 = character of the drawing; None where it is not wired.
        image_mask: [R or 1, H', W'] in [0, 1], 1 = painted white in the picture; None where nothing is.
        reference_threshold: θ of version 1.5.
    """

    picture: Tensor
    tokens: Tensor
    vae: comfy.sd.VAE
    width: int
    height: int
    strength: float
    bleached: bool
    own_size: tuple[int, int]
    sketch_mask: Tensor | None = None
    image_mask: Tensor | None = None
    reference_threshold: float = 0.5


class Context(NamedTuple):
    """The UNet's cross-attention context.

    Attributes:
        tokens: [R, sum of counts, D]. counts: how many tokens each region looks at, in their order.
    """

    tokens: Tensor
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Colorizer:
    """What the encode and apply nodes ask; each version has a class of its own, with its networks.

    Attributes:
        version: the row of the table.
        file_name, checkpoint: where it came from; the fingerprint ties MODEL, COLORIZER and CARRIER together.
        model_channels, context_channels: C of the UNet, D of the reference tokens.
    """

    version: Version
    file_name: str
    checkpoint: str
    model_channels: int
    context_channels: int

    @property
    def latent_format(self) -> comfy.latent_formats.LatentFormat:
        """Return how many channels a latent has, and the factor from the VAE's to the model's."""
        return comfy.latent_formats.SD15()

    def tokens(self, encoders: ImageEncoders, picture: Tensor) -> tuple[Tensor, Tensor | None]:
        """Encode pictures [R, H, W, 3] in [0, 1].

        Returns:
            Their tokens [R, N, D], and their class tokens [R, 1, D] where the version has any.
        """
        if encoders.tagger is not None:
            raise ColorizeError(
                f"`tagger` is wired, but {self.file_name} is {self.version.name}, which looks at a reference with the "
                "image tower alone: wire nothing into `tagger`. It is for ColorizeDiffusion XL."
            )
        tokens = tokens_of(encoders.clip_vision, picture, self.version.needs, encoders.patches)
        return tokens[:, 1:], tokens[:, :1]

    def background_tokens(self, given: BackgroundPicture) -> Tensor:
        """Return the tokens [R, M, D] that stand for a background in the context."""
        return given.tokens

    def background_features(self, carrier: Carrier, given: BackgroundPicture) -> tuple[Tensor, ...]:
        """Encode a background beyond its tokens; empty for a version that knows tokens alone."""
        return ()

    def style_vectors(
        self, tokens: Tensor, vae: comfy.sd.VAE, picture: Tensor, width: int, height: int
    ) -> tuple[Tensor, ...]:
        """Encode the style of pictures [R, H, W, 3] with their tokens [R, N, D], in a version that has one."""
        raise NotImplementedError

    def recipe(
        self, carrier: Carrier, has_mask: bool, settings: Settings, places: tuple[AttentionPlace, ...]
    ) -> Recipe:
        """Say what goes into the UNet for a carrier.

        Args:
            has_mask: whether characters are parted from the background. places: the UNet's attentions.
        """
        raise NotImplementedError

    def context(self, carrier: Carrier, regions: Sequence[Region], settings: Settings) -> Context:
        """Lay out the UNet's cross-attention context for the characters of a drawing."""
        return Context(carrier.context(regions), carrier.token_counts(regions))

    def conditioning_options(self) -> dict[str, Tensor]:
        """Return what the conditioning must hold beside the context."""
        return {}
