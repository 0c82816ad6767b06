"""From pictures to a carrier: reference tokens, background, style; what differs by version the COLORIZER knows.

Source: spec sections 2, 4 and 6.
"""

from dataclasses import dataclass, replace

import comfy.sd
from torch import Tensor

from ...carrier.carrier import Carrier, check_batches, join_views
from ...errors import ColorizeError
from ...family.versions import VERSIONS, name_of
from ...prepare.masks import checked_mask
from ...prepare.pictures import as_rgb, checked_picture
from ..carrier.image_tower import check_tower, patches_for, tokens_of
from ..carrier.latents import check_output_size
from .colorizer import BackgroundPicture, Colorizer, ImageEncoders

#: The image tower of all versions that take a reference without the COLORIZER.
TOWER = "CLIP-ViT-H-14-laion2B-s32B-b79K"


def encode_reference(
    encoders: ImageEncoders,
    image: Tensor,
    one_character: bool = False,
    transparency: Tensor | None = None,
    colorizer: Colorizer | None = None,
    detail: float = 1.0,
) -> Carrier:
    """Encode the colour reference.

    Args:
        image: [R, H, W, C] in [0, 1].
        one_character: the pictures are views of one character, so that each image attends to the tokens of all.
        transparency: [R or 1, H', W'] in [0, 1], 1 = transparent; what it clears is white paper.
        colorizer: of the checkpoint that the tokens are for; needed where it makes them.
        detail: how much larger than its own size the image tower is shown the picture, each way.
    """
    picture = as_rgb(image, transparency=transparency)
    version = checkpoint = None
    if detail != 1.0 and colorizer is not None and colorizer.version.own_tokens:
        raise ColorizeError(
            f"`detail` is {detail:g}, but {colorizer.version.name} takes a reference at one size: set it to own."
        )
    check_tower(encoders.clip_vision, TOWER if colorizer is None else colorizer.version.needs)
    encoders = replace(encoders, patches=patches_for(encoders.clip_vision, detail))
    class_token: Tensor | None
    if colorizer is None:
        if encoders.tagger is not None:
            raise ColorizeError(
                "`tagger` is wired, but `colorizer` is not: reference tokens for ColorizeDiffusion XL are made by its "
                "checkpoint. Wire the COLORIZER of Load Colorize Checkpoint into Encode Reference."
            )
        tokens = tokens_of(encoders.clip_vision, picture, TOWER, encoders.patches)
        tokens, class_token = tokens[:, 1:], tokens[:, :1]
    else:
        tokens, class_token = colorizer.tokens(encoders, picture)
        if colorizer.version.own_tokens:
            version, checkpoint = colorizer.version.id, colorizer.checkpoint
    views = 1
    if one_character:
        views, tokens = len(tokens), join_views(tokens)
        class_token = None if class_token is None else class_token.mean(dim=0, keepdim=True)
    return Carrier(tokens=tokens, class_token=class_token, views=views, checkpoint=checkpoint, version=version)


@dataclass(frozen=True)
class BackgroundChoices:
    """The choices of Encode Background; see `BackgroundPicture`.

    Attributes:
        strength: factor on the features.
        bleached: the image is a bleached reference.
        reference: the picture that a bleached reference stands for, if its size differs from the image's.
        transparency: [R or 1, H', W'] in [0, 1], 1 = transparent; what it clears is white paper.
        sketch_mask, image_mask: of any size.
        reference_threshold: θ of version 1.5.
    """

    strength: float = 1.0
    bleached: bool = False
    reference: Tensor | None = None
    transparency: Tensor | None = None
    sketch_mask: Tensor | None = None
    image_mask: Tensor | None = None
    reference_threshold: float = 0.5


def encode_background(
    carrier: Carrier,
    colorizer: Colorizer,
    vae: comfy.sd.VAE,
    encoders: ImageEncoders,
    image: Tensor,
    width: int,
    height: int,
    choices: BackgroundChoices,
) -> Carrier:
    """Encode the background.

    Args:
        image: [R, H, W, C] in [0, 1], a background picture, or the reference with its character painted white.
        width, height: the output, in pixels.

    Returns:
        The carrier with background tokens, and features where the version has any.
    """
    check_carrier(carrier, colorizer)
    check_output_size(width, height)
    picture = as_rgb(image, transparency=choices.transparency)
    check_batches(len(carrier.tokens), len(picture), ("reference", "image"))
    bleached, reference = choices.bleached, choices.reference
    sized = checked_picture(reference, "reference") if bleached and reference is not None else image
    given = BackgroundPicture(
        picture=picture,
        tokens=matching_tokens(colorizer, encoders, picture, carrier),
        vae=vae,
        width=width,
        height=height,
        strength=choices.strength,
        bleached=bleached,
        own_size=(sized.shape[1], sized.shape[2]),
        sketch_mask=None if choices.sketch_mask is None else checked_mask(choices.sketch_mask, "sketch_mask"),
        image_mask=None if choices.image_mask is None else checked_mask(choices.image_mask, "image_mask"),
        reference_threshold=choices.reference_threshold,
    )
    features = colorizer.background_features(carrier, given)
    return carrier.with_background(colorizer.background_tokens(given), features, colorizer.checkpoint)


def encode_style(
    carrier: Carrier,
    colorizer: Colorizer,
    vae: comfy.sd.VAE,
    encoders: ImageEncoders,
    image: Tensor,
    width: int,
    height: int,
    background: Tensor | None = None,
    merge: float = 0.0,
    transparency: Tensor | None = None,
) -> Carrier:
    """Encode the style.

    Args:
        image: [R, H, W, C] in [0, 1], the picture whose style is taken, as a rule the reference.
        width, height: the output, in pixels.
        background: [R, H, W, C], whose style is mixed in.
        merge: μ in [0, 1]; the style is (1 - μ)·image + μ·background.
        transparency: [R or 1, H', W'] in [0, 1], 1 = where the image is transparent; what it clears is white paper.

    Returns:
        The carrier with style vectors.
    """
    check_carrier(carrier, colorizer)
    check_output_size(width, height)
    if not colorizer.version.has_style:
        raise ColorizeError(
            f"{colorizer.file_name} is {colorizer.version.name}, which has no style encoder: wire the carrier past "
            "Encode Style. A style comes with ColorizeDiffusion v2."
        )

    def vectors(rgb: Tensor, name: str) -> tuple[Tensor, ...]:
        check_batches(len(carrier.tokens), len(rgb), ("reference", name))
        tokens = matching_tokens(colorizer, encoders, rgb, carrier)
        return colorizer.style_vectors(tokens, vae, rgb, width, height)

    picture = as_rgb(image, transparency=transparency)
    if background is not None:
        check_batches(len(picture), len(checked_picture(background, "background")), ("image", "background"))
    style = vectors(picture, "image")
    if background is not None and merge:
        mixed_in = vectors(as_rgb(background, name="background"), "background")
        style = tuple((1 - merge) * s + merge * b for s, b in zip(style, mixed_in, strict=True))
    return carrier.with_style(style, background is not None, colorizer.checkpoint)


def check_carrier(carrier: Carrier, colorizer: Colorizer) -> None:
    """Refuse a carrier that was encoded for another version, or whose tokens belong to another checkpoint."""
    version, own = colorizer.version, colorizer.version.id if colorizer.version.own_tokens else None
    if carrier.version != own:
        alike = ", ".join(row.short_name for row in VERSIONS if not row.own_tokens)
        alone = f"by the image tower alone, as for versions {alike}"
        came = alone if carrier.version is None else f"for {name_of(carrier.version)}"
        raise ColorizeError(
            f"The carrier was encoded {came}, but {colorizer.file_name} is {version.name}. Encode the reference with "
            f"this checkpoint's COLORIZER and {version.needs} wired into Encode Reference."
        )
    carrier.check_checkpoint(colorizer.checkpoint, colorizer.context_channels, colorizer.file_name, version.needs)


def matching_tokens(colorizer: Colorizer, encoders: ImageEncoders, picture: Tensor, carrier: Carrier) -> Tensor:
    """Encode pictures [R, H, W, 3] into tokens [R, N, D] like the carrier's own."""
    if not colorizer.version.own_tokens:
        encoders = replace(encoders, patches=round(carrier.picture_shape[0] ** 0.5))
    tokens, _ = colorizer.tokens(encoders, picture)
    if tuple(tokens.shape[1:]) != carrier.picture_shape:
        count, channels = carrier.picture_shape
        raise ColorizeError(
            f"`clip_vision` gives {tokens.shape[1]} tokens of {tokens.shape[2]} channels; the carrier's reference has "
            f"{count} of {channels}. Wire one and the same CLIP_VISION into Encode "
            "Reference, Encode Background and Encode Style."
        )
    return tokens
