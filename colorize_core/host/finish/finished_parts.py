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
        check_lines_fit(self.drawing, self.regions)
        check_counts({"regions": self.regions, **pictures, "mask": mask})
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
        regions = None if self.regions is None else self.regions.frame(at(self.regions, index))
        size = Parts(self.image, regions, self.drawing, self.background).size
        return Parts(
            image=rgb_frame(self.image, index, "image", size),
            regions=regions,
            drawing=rgb_frame(self.drawing, index, "drawing", size),
            background=rgb_frame(self.background, index, "background", size),
            mask=None if self.mask is None else fit_mask(self.mask[at(self.mask, index), None].cpu(), *size),
        )


def at(batch: Sized, index: int) -> int:
    """Return which of a batch goes with a frame: the only one, or the frame's own."""
    return 0 if len(batch) == 1 else index


def rgb_frame(pictures: Tensor | None, index: int, name: str, size: tuple[int, int]) -> Tensor | None:
    """Return one frame [1, height, width, 3] in [0, 1] of pictures, on the CPU; None of none."""
    if pictures is None:
        return None
    return resize_picture(as_rgb(pictures[at(pictures, index), None].cpu(), name=name), *size).to(torch.float32)


def check_lines_fit(drawing: Tensor | None, regions: Regions | None) -> None:
    """Refuse lines of another size than the regions that were found in them."""
    if drawing is not None and regions is not None and tuple(drawing.shape[1:3]) != tuple(regions.size):
        (height, width), (h, w) = drawing.shape[1:3], regions.size
        raise ColorizeError(
            f"`drawing` is {width}×{height} and `regions` are {w}×{h}; expected one size, for lines lie exactly "
            "between the regions. Wire the drawing that Line Regions has got."
        )


def check_counts(batches: dict[str, Sized | None]) -> None:
    """Refuse batches that do not go together: each has as many frames as the longest, or a single one for all."""
    counts = {name: len(batch) for name, batch in batches.items() if batch is not None}
    longest = max(counts, key=lambda name: counts[name])
    for name, count in counts.items():
        if count not in (1, counts[longest]):
            raise ColorizeError(
                f"`{longest}` holds {counts[longest]} frames and `{name}` {count}, expected the same count or a single "
                "one to go with all. Cut the longer batch, or repeat the shorter one."
            )
