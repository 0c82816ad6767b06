"""What does not change over the steps of a sampling run: worked out once, dropped when the run ends."""

import itertools
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ...prepare.masks import resize_mask
from ...prepare.regions import THRESHOLD, RegionIndex, region_indices, region_labels, soft_regions
from ...sampling.latent_parts import Place, cut, find_parts
from .row_indices import RowIndices

#: Where a run is found in the transformer options of its calls.
RUN = "colorize_run"
#: Pixels a latent position, in each direction.
PIXELS_PER_LATENT = 8


class Crop(NamedTuple):
    """The part of a picture that a conditioning or a tile works on, in latent positions.

    Attributes:
        full: (h, w) of the whole latent.
        top, left, height, width: of the part; one that reaches over the edge goes on at the other side.
    """

    full: tuple[int, int]
    top: int
    left: int
    height: int
    width: int

    @classmethod
    def whole(cls, height: int, width: int) -> "Crop":
        """Return the crop that leaves nothing out."""
        return cls((height, width), 0, 0, height, width)

    @property
    def is_part(self) -> bool:
        """Whether it leaves something out."""
        return (self.height, self.width) != self.full

    def of(self, picture: Tensor, scale: int = 1) -> Tensor:
        """Cut the part out of a picture [..., h·scale, w·scale]."""
        return cut(picture, *(size * scale for size in self[1:]))


@dataclass(frozen=True)
class MaskLayout:
    """The characters' masks and how they part a picture.

    Attributes:
        masks: one [B_r, H, W] a character. threshold: above it is character. reached: so is what equals it.
        latent_mask: brings a mask to the latent's size, (mask, h, w) -> [B_r, h, w].
    """

    masks: tuple[Tensor, ...] = ()
    threshold: float = THRESHOLD
    reached: bool = False
    latent_mask: Callable[[Tensor, int, int], Tensor] = resize_mask


class SamplingRun:
    """The constants of one run of one patch, on the device and in the dtype of the run.

    It lives in the run's own transformer options, never on the patch, so that runs cannot see one another's.

    Memory at 768², full size and fp16: keys and values of the background 60 MB, all else under 2 MB.
    """

    def __init__(self, layout: MaskLayout):
        self.mask_layout = layout
        self.masks = layout.masks
        #: (largest, smallest) sigma of the window in which the tokens count, then of its ignored part if any.
        self.windows: list[tuple[float, float]] = []
        #: Conditioning id -> whether its context is not all zeros.
        self.live: dict[object, bool] = {}
        #: Conditioning id -> its references [R, N, D], where they are one for each picture.
        self.references: dict[object, Tensor] = {}
        #: Conditioning id -> (height, width, top, left) of the part of the latent that it is for.
        self.areas: dict[object, tuple[int, ...]] = {}
        #: (count, what they are) of the pictures beside the masks: references, backgrounds, styles.
        self.batches: list[tuple[int, str]] = []
        #: [B, C, h, w] of the run's latent, where it is known.
        self.shape: tuple[int, ...] | None = None
        #: [B, C, h, w], what the sampler asks about now; the calls of the UNet get it whole or in parts.
        self.latent: Tensor | None = None
        self.rows = RowIndices()
        self._constants: dict[object, object] = {}
        self._located: tuple[Tensor, list[list[Place]]] | None = None
        self._said: set[str] = set()

    def with_masks(self, masks: tuple[Tensor, ...]) -> "SamplingRun":
        """Return the constants of the same run with other masks."""
        run = SamplingRun(replace(self.mask_layout, masks=masks))
        run.windows, run.live, run.areas, run.references = self.windows, self.live, self.areas, self.references
        run.batches, run.shape = self.batches, self.shape
        return run

    def once(self, key, make: Callable[[], object]):
        """Return what `make` gave for this key the first time."""
        if key not in self._constants:
            self._constants[key] = make()
        return self._constants[key]

    def clear(self) -> None:
        """Drop everything, also where somebody still holds the run."""
        self.live.clear()
        self.areas.clear()
        self.references.clear()
        self.rows.clear()
        self._constants.clear()
        self.latent = self._located = None

    def say_once(self, message: str) -> None:
        """Write a line into the log, the first time in this run."""
        if message not in self._said:
            self._said.add(message)
            logging.warning(message)

    def locate(self, x: Tensor) -> list[list[Place]]:
        """Find the places of the whole latent that the rows of x [R, C, h, w] may have been cut from.

        This asks the device. It is for calls that hold parts alone, and asked once for each of them.
        """
        if self.latent is None:
            return [[] for _ in x]
        if self._located is None or self._located[0] is not x:
            self._located = (x, find_parts(self.latent, x))
        return self._located[1]

    @property
    def pictures(self) -> int:
        """How many pictures the masks are for; 1 where all share one layout."""
        return math.lcm(*(len(mask) for mask in self.masks))

    def crop(self, conditioning: object, latent: tuple[int, int]) -> Crop:
        """Say which part of the picture a call works on for a conditioning.

        Args:
            latent: (h, w) of the latent that the call is given.
        """
        area = self.areas.get(conditioning)
        if area is None or self.shape is None or len(area) != 4:
            return Crop.whole(*latent)
        (height, width), (top, left) = self.shape[-2:], area[2:]
        crop = Crop((height, width), top, left, min(area[0], height - top), min(area[1], width - left))
        return crop if (crop.height, crop.width) == latent else Crop.whole(*latent)

    def masks_at(self, crop: Crop) -> list[Tensor]:
        """Return the masks of a part of the latent, at the latent's size."""

        def make() -> list[Tensor]:
            return [self.mask_layout.latent_mask(mask, *crop.full) for mask in self.masks]

        whole = self.once(("masks", crop.full), make)
        return [crop.of(mask) for mask in whole]

    # Layouts are made on the CPU, so that they are the same on every device and cost no synchronisation later.

    def regions(self, crop: Crop, size: tuple[int, int], device: torch.device) -> list[RegionIndex]:
        """Return the region layout of each mask picture.

        Args:
            crop: the part of the latent. size: (h, w) of the feature map of that part.

        Returns:
            One `RegionIndex` a mask picture, on the device.
        """

        def make() -> list[RegionIndex]:
            layout = self.mask_layout
            labels = region_labels(self.masks_at(crop), layout.threshold, *size, layout.reached)
            return [index.to(device) for index in region_indices(labels, len(self.masks) + 1)]

        return self.once(("regions", crop, size, device), make)

    def soft_regions(self, crop: Crop, size: tuple[int, int], device: torch.device) -> list[RegionIndex]:
        """Return the layout of each mask picture in which regions overlap, with their weights; see `regions`."""

        def make() -> list[RegionIndex]:
            return [index.to(device) for index in soft_regions(self.masks_at(crop), *size)]

        return self.once(("soft regions", crop, size, device), make)

    def sides(self, crop: Crop, size: tuple[int, int], threshold: float, device: torch.device) -> list[RegionIndex]:
        """Return the layout of each mask picture in two regions, all characters and the background; see `regions`."""

        def make() -> list[RegionIndex]:
            background = region_labels(self.masks_at(crop), threshold, *size) == len(self.masks)
            return [index.to(device) for index in region_indices(background.long(), 2)]

        return self.once(("sides", crop, size, threshold, device), make)


def conditionings_of(guider) -> Iterator[dict]:
    """Go through the conditionings of a run as ComfyUI has prepared them."""
    return itertools.chain.from_iterable(conds or () for conds in guider.conds.values())


def live_conditionings(guider) -> dict[object, bool]:
    """Say of each conditioning of a run, by its id, whether its context is not all zeros.

    Asked once, when the run begins, so that no step has to wait for the device. ComfyUI gives the counterpart of a
    conditioning with an area the same id and another context: an id is dead where all that bear it are.
    """
    live: dict[object, bool] = {}
    for cond in conditionings_of(guider):
        context = cond.get("model_conds", {}).get("c_crossattn")
        if context is not None:
            name = cond.get("uuid")
            live[name] = live.get(name, False) or bool(context.cond.any())
    return live


def areas(guider) -> dict[object, tuple[int, ...]]:
    """Return the area of each conditioning that has one, by its id: (height, width, top, left) in latent positions."""
    return {cond.get("uuid"): tuple(cond["area"]) for cond in conditionings_of(guider) if "area" in cond}


def references(guider) -> dict[object, Tensor]:
    """Return the context [R, N, D] of each conditioning that has several, by its id.

    An id whose conditionings have different ones (ComfyUI gives the counterpart of a conditioning with an area the same
    id) is left out.
    """
    found: dict[object, list[Tensor]] = {}
    for cond in conditionings_of(guider):
        context = cond.get("model_conds", {}).get("c_crossattn")
        if context is not None:
            found.setdefault(cond.get("uuid"), []).append(context.cond)
    return {name: contexts[0] for name, contexts in found.items() if len(contexts) == 1 and len(contexts[0]) > 1}
