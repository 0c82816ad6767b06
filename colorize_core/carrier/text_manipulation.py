"""Moving reference tokens by text: the colours of a reference, edited with words.

All text features are unit vectors of OpenCLIP ViT-H's text tower (final layer, projected, normalised), [1, 1, D].

Source: spec section 7, text manipulation; arXiv 2401.01456.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ColorizeError
from ..prepare.pictures import as_rgb
from .carrier import Carrier

#: θ0 … θ3: where the selection by a control prompt begins to push away, to stay, to follow, to follow fully.
THRESHOLDS = (0.5, 0.55, 0.65, 0.95)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product over channels, [B, N, D] · [B, N or 1, D] -> [B, N, 1]."""
    return (a * b).sum(dim=-1, keepdim=True)


def manipulate_globally(
    class_token: Tensor, target: Tensor, scale: float, anchor: Tensor | None = None, enhance: bool = False
) -> Tensor:
    """Move the class token [B, 1, D] towards the target."""
    if anchor is not None and not enhance:
        return class_token + scale * (target - anchor)
    if enhance:
        kept = class_token if anchor is None else class_token - dot(class_token, anchor) * anchor
        return kept + scale * target
    return class_token + (scale - dot(class_token, target)) * target


def selection(tokens: Tensor, control: Tensor) -> Tensor:
    """Say how well each token fits a control prompt: [B, N, D] -> [B, N, 1] in [0, 1], min-max over the tokens."""
    similarity = dot(tokens, control)
    low, high = similarity.amin(dim=1, keepdim=True), similarity.amax(dim=1, keepdim=True)
    return (similarity - low) / (high - low).clamp(min=torch.finfo(similarity.dtype).eps)


def selection_weight(r: Tensor, delta: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> Tensor:
    """Turn a selection r in [0, 1] into each token's weight p: from -2δ where nothing fits to δ where all does."""
    t0, t1, t2, t3 = thresholds
    pieces = [
        -2 * delta + 0 * r,
        -delta + delta * (r - t0) / (t1 - t0),
        0.5 * delta * (r - t1) / (t2 - t1),
        0.5 * delta + 0.5 * delta * (r - t2) / (t3 - t2),
        delta + 0 * r,
    ]
    weight = pieces[-1]
    for threshold, piece in reversed(list(zip(thresholds, pieces[:-1], strict=True))):
        weight = torch.where(r <= threshold, piece, weight)
    return weight


def manipulate_locally(
    tokens: Tensor,
    class_token: Tensor,
    target: Tensor,
    control: Tensor,
    scale: float,
    anchor: Tensor | None = None,
    enhance: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Tensor:
    """Move the patch tokens that a control prompt selects towards the target.

    Args:
        tokens: [B, N, D]. class_token: [B, 1, D].
        target, control, anchor: text features [1, 1, D].

    Returns:
        [B, N, D].
    """
    delta = scale - dot(class_token, anchor if anchor is not None and enhance else target)
    weight = selection_weight(selection(tokens, control), delta, thresholds)
    if anchor is None:
        return tokens + weight * target
    along = dot(tokens, anchor) if enhance else 0.0
    return tokens + (weight + along) * (target - anchor)


def check_thresholds(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Refuse thresholds that do not rise."""
    if any(b <= a for a, b in itertools.pairwise(thresholds)):
        raise ColorizeError(f"The thresholds are {list(thresholds)}; expected four numbers that rise from θ0 to θ3.")
    return tuple(thresholds)


def text_feature(pooled: Tensor | None, channels: int, name: str) -> Tensor:
    """Normalise a text encoder's pooled output to a text feature.

    Args:
        pooled: [1, D] or [1, 1, D], what CLIP Text Encode stores with its conditioning.
        channels: D of the tokens. name: the input's name, for the message.

    Returns:
        [1, 1, D], of length 1.
    """
    if pooled is None or pooled.shape[-1] != channels or pooled.numel() != channels:
        came = "no pooled output" if pooled is None else f"a pooled output of shape {list(pooled.shape)}"
        raise ColorizeError(
            f"`{name}` has {came}; expected one prompt's {channels} channels. Wire CLIP Text Encode with the OpenCLIP "
            "ViT-H text encoder from Load CLIP (type stable_diffusion)."
        )
    if not pooled.isfinite().all() or not pooled.any():
        raise ColorizeError(
            f"`{name}` has a pooled output without meaning (NaN, infinite or zero): the text encoder's file lacks the "
            "final layer or the projection. Use a complete OpenCLIP ViT-H text encoder."
        )
    return F.normalize(pooled.reshape(1, 1, channels).float(), dim=-1)


def heat_map(r: Tensor, image: Tensor, thresholds: Sequence[float] = THRESHOLDS) -> Tensor:
    """Draw a selection over the picture that it was made of: blue is pushed away, dark is left, orange follows.

    Args:
        r: [B, N, 1] in [0, 1] from `selection`, N a square number.
        image: [B or 1, H, W, 3] in [0, 1].

    Returns:
        [B, H, W, 3] in [0, 1].
    """
    side = round(r.shape[1] ** 0.5)
    weight = selection_weight(r, torch.ones_like(r), thresholds)[..., 0].unflatten(1, (side, side))
    size = tuple(image.shape[1:3])
    weight = F.interpolate(weight[:, None], size=size, mode="nearest").movedim(1, -1)  # [B, H, W, 1]
    grey = image.mean(dim=-1, keepdim=True) * 0.6
    away, follow = image.new_tensor([0.15, 0.35, 1.0]), image.new_tensor([1.0, 0.55, 0.05])
    color = torch.where(weight > 0, follow, away)
    strength = torch.where(weight > 0, weight, -weight / 2).clamp(0, 1) * 0.65
    return (grey * (1 - strength) + color * strength).clamp(0, 1)


def manipulate_carrier(
    carrier: Carrier,
    prompts: Mapping[str, Tensor | None],
    scale: float,
    enhance: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
    image: Tensor | None = None,
) -> tuple[Carrier, Tensor]:
    """Move a carrier's reference by text.

    Args:
        prompts: pooled outputs of `target` and, where given, of `anchor` and `control`. Without a control prompt the
            class token moves, with one the patch tokens that it selects.
        image: the reference [R, H, W, C] or its views, for the picture of the selection.

    Returns:
        The changed carrier, and the picture of what the control prompt selects, [R, H, W, 3].
    """
    thresholds = check_thresholds(thresholds)
    if carrier.class_token is None:
        raise ColorizeError(
            "`carrier` holds no class token: ColorizeDiffusion XL cannot be told by text what to change. Wire the "
            "carrier past Manipulate Reference by Text; text works with ColorizeDiffusion v2."
        )
    channels = carrier.tokens.shape[-1]
    features = {name: text_feature(pooled, channels, name).to(carrier.tokens) for name, pooled in prompts.items()}
    target, anchor, control = (features.get(name) for name in ("target", "anchor", "control"))
    assert target is not None, "the target is a required input"
    patches = round(carrier.picture_shape[0] ** 0.5)
    blank = torch.ones(len(carrier.tokens) * carrier.views, patches * 32, patches * 32, 3)
    picture = blank if image is None else as_rgb(image)
    if control is None:
        moved = manipulate_globally(carrier.class_token, target, scale, anchor, enhance)
        return replace(carrier, class_token=moved), picture
    tokens = manipulate_locally(
        carrier.tokens, carrier.class_token, target, control, scale, anchor, enhance, thresholds
    )
    selected = selection(carrier.tokens, control).reshape(-1, carrier.picture_shape[0], 1)  # one row a picture
    return replace(carrier, tokens=tokens), heat_map(selected, picture, thresholds)
