"""What the nodes after the sampler are given for a shot, checked and brought to one size, frame by frame."""

from collections.abc import Sized
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ...errors import ColorizeError
from ...finish.picture_layers import Parts
from ...finish.regions import Regions
from ...prepare.masks import checked_mask, fit_mask
from ...prepare.pictures import as_rgb, checked_picture, resize_picture
from .shot_inputs import check_one_size, frames_together, one


@dataclass(frozen=True)
class ShotParts:
    """The inputs of Save Layers as they come, each for every frame or one for all of them.

    Attributes:
        image, drawing, background: [B or 1, H, W, C] in [0, 1]. regions: B or 1. mask: [B or 1, H, W] in [0, 1].
    """

    image: Tensor | None = None
    regions: Regions | None = None
    drawing: Tensor | None = None
    background: Tensor | None = None
    mask: Tensor | None = None

    def checked(self) -> "ShotParts":
        """Return it with the mask in one shape, or say what does not go together."""
        pictures = {"image": self.image, "drawing": self.drawing, "background": self.background}
        wired = {name: picture for name, picture in pictures.items() if picture is not None}
        if not wired and self.regions is None:
            raise ColorizeError(
                "None of `image`, `regions`, `drawing` and `background` is wired; expected one at least. Wire the "
                "coloured picture to `image`, Flats' regions to `regions` and the line art to `drawing`."
            )
        for name, picture in wired.items():
            checked_picture(picture, name)
        mask = None if self.mask is None else checked_mask(self.mask)
        check_one_size(self.drawing, self.regions)
        frames_together(regions=self.regions, **pictures, mask=mask)
        return ShotParts(self.image, self.regions, self.drawing, self.background, mask)

    def __len__(self) -> int:
        return len(self._batches[self.longest])

    @property
    def longest(self) -> str:
        """Name of the input that holds the most frames."""
        return max(self._batches, key=lambda name: len(self._batches[name]))

    @property
    def _batches(self) -> dict[str, Sized]:
        return {field.name: part for field in fields(self) if (part := getattr(self, field.name)) is not None}

    def frame(self, index: int) -> Parts:
        """Return the parts of one frame, on the CPU and in the size of the regions, the drawing or the picture."""
        regions = None if self.regions is None else one(self.regions, index)
        size = Parts(self.image, regions, self.drawing, self.background).size
        return Parts(
            image=rgb_frame(self.image, index, "image", size),
            regions=regions,
            drawing=rgb_frame(self.drawing, index, "drawing", size),
            background=rgb_frame(self.background, index, "background", size),
            mask=None if self.mask is None else fit_mask(one(self.mask, index).cpu(), *size),
        )


def rgb_frame(pictures: Tensor | None, index: int, name: str, size: tuple[int, int]) -> Tensor | None:
    """Return one frame [1, height, width, 3] in [0, 1] of pictures, on the CPU; None of none."""
    if pictures is None:
        return None
    return resize_picture(as_rgb(one(pictures, index).cpu(), name=name), *size).to(torch.float32)
