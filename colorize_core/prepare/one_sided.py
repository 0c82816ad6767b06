"""Masks with one side only, told in a sentence: no character in them, or nothing around it."""

import torch

#: Share of a mask below which a side counts as missing: 17×17 pixels of 768×768 are dust.
DUST = 5e-4
#: Share of a mask that is the least there would be of a background, where its darkest part is looked up.
DARK_PART = 0.01
#: Masks of a batch that a sentence numbers at most.
LISTED = 8


def one_sided(
    mask: torch.Tensor, name: str, threshold: float, reached: bool = False, threshold_name: str = "threshold"
) -> str | None:
    """Say which side of a mask is missing, in which masks of a batch, and what to do about it.

    Nodes show two lines of it at least, so what is missing and what to do come first.

    Args:
        mask: [B, H, W] in [0, 1], 1 = character.
        name: the input's name on the node.
        threshold: what is above it is character. reached: so is what equals it.
        threshold_name: where the user sets it.

    Returns:
        A sentence or several, None where every mask has both sides.
    """
    character = mask >= threshold if reached else mask > threshold
    share = character.flatten(1).float().mean(dim=1)
    empty, full = share < DUST, share > 1 - DUST
    parts = []
    if empty.any():
        parts.append(
            f"No character in {which(empty)}: paint it, or wire another mask. Nothing in {name} is above "
            f"{threshold:g}; Load Image's MASK is empty where nothing is painted."
        )
    if full.any():
        pixels = mask[full].flatten(1)
        dark = float(pixels.kthvalue(max(1, int(DARK_PART * pixels.shape[1])), dim=1).values.max())
        advice = f"raise {threshold_name} above its black, {dark:.3f}" if dark < 0.5 else "paint the character alone"
        parts.append(
            f"No background in {which(full)}: {advice}. All of {name} is above {threshold:g}; right where the "
            "character fills the picture."
        )
    return " ".join(parts) or None


def which(found: torch.Tensor) -> str:
    """Return which masks of a batch [B] are meant: the mask, mask 2 of 5, masks 1, 3 of 5."""
    if len(found) == 1:
        return "the mask"
    numbers = [str(index + 1) for index in found.nonzero()[:, 0].tolist()]
    if len(numbers) == len(found):
        return f"all {len(found)} masks"
    more = ", …" * (len(numbers) > LISTED)
    return f"mask{'s' * (len(numbers) > 1)} {', '.join(numbers[:LISTED])}{more} of {len(found)}"
