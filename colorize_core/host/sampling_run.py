"""What does not change over the steps of a sampling run: worked out once, dropped when the run ends."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..masks import resize_mask
from ..regions import RegionIndex, region_indices, region_labels


class SamplingRun:
    """The constants of one run of one patch, on the device and in the dtype of the run.

    It lives in the run's own transformer options, never on the patch, so that runs cannot see one another's.

    Memory at 768², full size and fp16: keys and values of the background 60 MB, all else under 2 MB.
    """

    def __init__(self, masks: Sequence[Tensor], threshold: float):
        self.masks = masks
        self.threshold = threshold
        #: (largest, smallest) sigma of the steps in which the tokens count, for each window.
        self.windows: list[tuple[float, float]] = []
        #: Conditioning id -> whether its context is not all zeros.
        self.live: dict[object, bool] = {}
        self._constants: dict[object, object] = {}

    def once(self, key, make: Callable[[], object]):
        """Return what `make` gave for this key the first time."""
        if key not in self._constants:
            self._constants[key] = make()
        return self._constants[key]

    def clear(self) -> None:
        """Drop everything, also where somebody still holds the run."""
        self.live.clear()
        self._constants.clear()

    def regions(self, latent: tuple[int, int], size: tuple[int, int], device: torch.device) -> list[RegionIndex]:
        """Return the region layout of each mask picture.

        Args:
            latent: (h, w) of the latent. size: (h, w) of the feature map.

        Returns:
            One `RegionIndex` a mask picture, on the device.
        """

        def make() -> list[RegionIndex]:
            # On the CPU, so that the layout is the same on every device and costs no synchronisation later.
            masks = [resize_mask(mask, *latent) for mask in self.masks]
            indices = region_indices(region_labels(masks, self.threshold, *size), len(masks) + 1)
            return [index.to(device) for index in indices]

        return self.once(("regions", latent, size, device), make)


def live_conditionings(guider) -> dict[object, bool]:
    """Say of each conditioning of a run, by its id, whether its context is not all zeros.

    Asked once, when the run begins, so that no step has to wait for the device.
    """
    live = {}
    for cond in itertools.chain.from_iterable(conds or () for conds in guider.conds.values()):
        context = cond.get("model_conds", {}).get("c_crossattn")
        if context is not None:
            live[cond.get("uuid")] = bool(context.cond.any())
    return live
