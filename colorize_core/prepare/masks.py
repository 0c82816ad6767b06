"""Character masks: bringing them to one size, merging several into one, growing and softening their edge.

A mask is [B, H, W] in [0, 1], 1 = character.
"""

import math

import torch
import torch.nn.functional as F

from ..errors import ColorizeError
from .blur import OnStrip, gaussian_blur, strip_size


def checked_mask(mask: torch.Tensor, name: str = "mask") -> torch.Tensor:
    """Return a mask as [B, H, W] float32 in [0, 1], or say what is wrong with it.

    Args:
        mask: [H, W], [B, H, W] or [B, 1, H, W].
        name: the input's name on the node, for the message.
    """
    shape = list(mask.shape)
    if mask.ndim not in (2, 3, 4) or (mask.ndim == 4 and shape[1] != 1):
        raise ColorizeError(
            f"`{name}` has the shape {shape}, expected [batch, height, width]: wire a MASK, not an IMAGE "
            "(Convert Image to Mask makes one from the other)."
        )
    if 0 in shape:
        raise ColorizeError(
            f"`{name}` is empty: its shape is {shape}, expected at least one mask of at least 1×1 pixels. "
            "Look at the node before this one."
        )
    mask = mask.reshape(-1, *shape[-2:]).float()
    if not torch.isfinite(mask).all():
        raise ColorizeError(
            f"`{name}` holds NaN or infinite values, expected numbers in [0, 1]. The node before this one made them."
        )
    return mask.clamp(0, 1)


def resize_mask(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize a mask the way the split attention was trained with: plain bicubic, so that its threshold means the same.

    Args:
        mask: [B, H, W] in [0, 1], 1 = character.
        height, width: size of the result in pixels or tokens, at least 1.

    Returns:
        [B, height, width]; bicubic interpolation can overshoot [0, 1] a little.

    Source: spec section 5, "a character mask of the sketch at latent size".
    """
    if mask.ndim != 3 or 0 in mask.shape:
        raise ColorizeError(
            f"Got a mask of shape {list(mask.shape)}, expected [batch, height, width] with no empty side: "
            "wire a MASK from a mask loader or a segmenter."
        )
    if height < 1 or width < 1:
        raise ColorizeError(f"Cannot resize a mask to {width}×{height}: expected at least one pixel on each side.")
    resized = F.interpolate(mask.float()[:, None], size=(height, width), mode="bicubic", align_corners=False)
    return resized[:, 0].to(mask.dtype) if mask.is_floating_point() else resized[:, 0]


def every_eighth(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bring a mask to the latent's size as XL was trained with: every eighth pixel of the mask at the output's size.

    Args:
        mask: [B, H, W] in [0, 1]. height, width: of the latent.

    Returns:
        [B, height, width]; softer than in [0, 1] only where the mask had to be resized.

    Source: spec-xl section 5.
    """
    size = (8 * height, 8 * width)
    full = mask if mask.shape[-2:] == size else resize_mask(mask, *size)
    return full[:, ::8, ::8]


def fit_mask(mask: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bring a mask to a picture's size without losing thin parts: the antialiased filter averages what it leaves out.

    Args:
        mask: [B, H, W] in [0, 1].

    Returns:
        [B, height, width] in [0, 1]; the same size comes back untouched.
    """
    if mask.shape[-2:] == (height, width):
        return mask
    size = (height, width)
    fitted = F.interpolate(mask[:, None], size=size, mode="bilinear", align_corners=False, antialias=True)[:, 0]
    return fitted.clamp(0, 1)  # The filter's weights add up to 1 only within rounding.


def fit_batch(first: torch.Tensor, second: torch.Tensor, names: tuple[str, str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Repeat the one that holds a single picture or mask for every one of the other.

    Args:
        first, second: [B, …] and [B', …]; B and B' equal, or one of them 1.
        names: the two inputs' names on the node, for the message.
    """
    count = max(len(first), len(second))
    if {len(first), len(second)} - {1, count}:
        raise ColorizeError(
            f"`{names[0]}` holds {len(first)} and `{names[1]}` {len(second)}, expected the same count or a single one "
            "to go with all. Cut the longer batch, or repeat the shorter one."
        )
    return first.expand(count, *first.shape[1:]), second.expand(count, *second.shape[1:])


def unite(masks: torch.Tensor) -> torch.Tensor:
    """Merge the masks of a batch, one character each, into a single mask: the pixel-wise maximum.

    Args:
        masks: [B, H, W] in [0, 1].

    Returns:
        [1, H, W].

    Source: spec section 6, "one foreground mask from several, pixel-wise maximum".
    """
    return masks.amax(dim=0, keepdim=True)


def merge_masks(
    mask_a: torch.Tensor,
    mask_b: torch.Tensor | None,
    mode: str = "union",
    weight: float = 0.5,
    merge_batch: bool = False,
) -> torch.Tensor:
    """Combine two masks pixel by pixel.

    Args:
        mask_a: [B or 1, H, W] in [0, 1]; its size is the size of the result.
        mask_b: [B or 1, H', W'] in [0, 1], brought to the size of `mask_a`; None leaves `mask_a` alone.
        mode: a name from `MERGES`.
        weight: share of `mask_b` in a blend, in [0, 1].
        merge_batch: the masks of a batch are the characters of one picture and are united first.

    Returns:
        [B, H, W] in [0, 1].
    """
    if mode not in MERGES:
        raise ColorizeError(f"`mode` is {mode!r}, expected one of {', '.join(MERGES)}.")
    mask_a = checked_mask(mask_a, "mask_a")
    mask_a = unite(mask_a) if merge_batch else mask_a
    if mask_b is None:
        return mask_a
    mask_b = checked_mask(mask_b, "mask_b")
    mask_b = fit_mask(unite(mask_b) if merge_batch else mask_b, *mask_a.shape[-2:]).to(mask_a.device)
    mask_a, mask_b = fit_batch(mask_a, mask_b, ("mask_a", "mask_b"))
    return MERGES[mode](mask_a, mask_b, weight)


# Source: spec section 6 for the union; the others are the usual fuzzy-set operations. A difference takes away what the
# other mask holds, so that a mask without itself is empty along soft edges too.
MERGES = {
    "union": lambda a, b, _: torch.maximum(a, b),
    "intersection": lambda a, b, _: torch.minimum(a, b),
    "difference": lambda a, b, _: (a - b).clamp(min=0),
    "blend": lambda a, b, weight: torch.lerp(a, b, weight),
}


def running_maximum(x: torch.Tensor, radius: int, dim: int) -> torch.Tensor:
    """Return the maximum over 2·radius + 1 neighbours along one dimension, by doubling the reach of what is at hand.

    Args:
        x: any shape, values at least 0. dim: -1 or -2.
    """
    window = 2 * radius + 1
    margin = (radius, radius) if dim == -1 else (0, 0, radius, radius)
    x, reach = F.pad(x, margin), 1
    while reach < window:
        step = min(reach, window - reach)
        length = x.shape[dim] - step
        x = torch.maximum(x.narrow(dim, 0, length), x.narrow(dim, step, length))
        reach += step
    return x


def square_maximum(mask: torch.Tensor, radius: int, on_strip: OnStrip = lambda: None) -> torch.Tensor:
    """Grow a mask by the maximum over squares of 2·radius + 1 pixels, as the published segmenters do.

    Args:
        mask: [B, H, W] in [0, 1].
        radius: pixels, at least 0.
        on_strip: not called, for this is done in a moment.

    Source: spec section 6, "dilated by an 11×11 maximum" (radius 5).
    """
    return running_maximum(running_maximum(mask, radius, -1), radius, -2)


def disc_maximum(mask: torch.Tensor, radius: int, on_strip: OnStrip = lambda: None) -> torch.Tensor:
    """Grow a mask by the maximum over discs, so that it grows equally far in every direction.

    Args:
        mask: [B, H, W].
        radius: pixels, at least 0.
        on_strip: see `OnStrip`.
    """
    padded, width = F.pad(mask, (radius, radius)), mask.shape[-1]
    strips, columns = [], strip_size(mask.shape[-2])
    for left in range(0, width, columns):
        strips.append(_disc_maximum_of_strip(padded[..., left : left + columns + 2 * radius], radius))
        on_strip()
    return torch.cat(strips, dim=-1)


def _disc_maximum_of_strip(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Return the maximum over discs [B, H, w] of a strip [B, H, w + 2·radius].

    A disc is a stack of rows. Going from its outermost rows to the middle one they get wider; the maximum over a row is
    that of two overlapping windows of `reach` pixels, the largest power of two that the row holds.
    """
    height, width = x.shape[-2], x.shape[-1] - 2 * radius
    grown, reach = x[..., radius : radius + width].clone(), 1
    for dy in range(radius, -1, -1):
        half_width = math.isqrt(radius**2 - dy**2)
        row = 2 * half_width + 1
        while 2 * reach <= row:
            length = x.shape[-1] - reach
            x = torch.maximum(x.narrow(-1, 0, length), x.narrow(-1, reach, length))
            reach *= 2
        if dy < height:
            left = radius - half_width
            widest = torch.maximum(x.narrow(-1, left, width), x.narrow(-1, left + row - reach, width))
            for part, source in ((grown[:, dy:], widest[:, : height - dy]), (grown[:, : height - dy], widest[:, dy:])):
                torch.maximum(part, source, out=part)
    return grown


GROWTHS = {"disc": disc_maximum, "square": square_maximum}


def grow_mask(mask: torch.Tensor, pixels: int, shape: str = "disc", on_strip: OnStrip = lambda: None) -> torch.Tensor:
    """Grow a mask, or shrink it by a negative number of pixels. A character cut by the border is not shrunk from there.

    Args:
        mask: [B, H, W] in [0, 1].
        pixels: how far the edge moves outwards.
        shape: a name from `GROWTHS`.
        on_strip: see `OnStrip`.

    Returns:
        [B, H, W] in [0, 1].
    """
    if shape not in GROWTHS:
        raise ColorizeError(f"`grow_shape` is {shape!r}, expected one of {', '.join(GROWTHS)}.")
    if pixels == 0:
        return mask
    if pixels < 0:
        return 1 - GROWTHS[shape](1 - mask, -pixels, on_strip)
    return GROWTHS[shape](mask, pixels, on_strip)


def feather_mask(mask: torch.Tensor, pixels: int, on_strip: OnStrip = lambda: None) -> torch.Tensor:
    """Soften a mask's edge; it passes from 1 to 0 over about `pixels` to either side.

    Args:
        mask: [B, H, W] in [0, 1].
        pixels: two standard deviations of the Gaussian, at least 0.
        on_strip: see `OnStrip`.

    Returns:
        [B, H, W] in [0, 1].
    """
    if pixels == 0:
        return mask
    blurred = gaussian_blur(mask[:, None], sigma=pixels / 2, radius=math.ceil(1.5 * pixels), on_strip=on_strip)
    return blurred[:, 0].clamp(0, 1)
