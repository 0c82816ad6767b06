"""Further characters of a drawing."""

from torch import Tensor

from ...carrier.carrier import Carrier
from ...prepare.masks import checked_mask
from ...prepare.one_sided import one_sided
from ...prepare.regions import THRESHOLD
from ..notice import notice_mask


def add_region(carrier: Carrier, region: Carrier, mask: Tensor, strength: float = 1.0) -> Carrier:
    """Return a carrier with one more character.

    Args:
        region: the other character's carrier.
        mask: [B or 1, H, W] in [0, 1], 1 = this character in the drawing, of any size.
        strength: factor on its attention's result.
    """
    mask = checked_mask(mask, "mask").cpu()
    missing = one_sided(mask, "mask", THRESHOLD, threshold_name="Apply Colorization's threshold")
    notice_mask("Add Character Region", missing)
    return carrier.with_region(region, mask, strength)
