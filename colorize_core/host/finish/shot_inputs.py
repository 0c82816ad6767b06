"""What the inputs of a node after the sampler have to have in common: numbers of frames, and the drawing's size."""

from collections.abc import Sized
from typing import TypeVar

from torch import Tensor

from ...errors import ColorizeError
from ...finish.palette import Palette
from ...finish.regions import Regions
from ...prepare.masks import checked_mask
from ...prepare.pictures import as_rgb

Batch = TypeVar("Batch", Tensor, Regions)


def frames_together(**batches: Sized | None) -> int:
    """Return how many frames inputs have together: each as many, or one for all.

    Args:
        batches: by the inputs' names, at least one of them wired; None where an input is not.
    """
    counts = {name: len(batch) for name, batch in batches.items() if batch is not None}
    most = max(counts.values())
    if set(counts.values()) - {1, most}:
        came = ", ".join(f"`{name}` {count}" for name, count in counts.items())
        raise ColorizeError(
            f"The inputs hold different numbers of frames ({came}); expected the same count, or a single one to go "
            "with all. Cut the longer batch, or repeat the shorter one."
        )
    return most


def one(batch: Batch, index: int) -> Batch:
    """Return a frame of a batch, or its only one: a tensor [1, …], or regions of one frame."""
    at = 0 if len(batch) == 1 else index
    return batch.frame(at) if isinstance(batch, Regions) else batch[at, None]


def check_palette(palette: Palette | None) -> None:
    """Refuse a palette without colours."""
    if palette is not None and not len(palette):
        raise ColorizeError(
            "`palette` has no swatches; expected at least one colour. Look at the sheet of the node that has made it, "
            "or leave `palette` open: then the picture's own colours are taken."
        )


def as_drawing(drawing: Tensor, transparency: Tensor | None) -> Tensor:
    """Return drawings [B, H, W, 3] on white paper; one drawing is repeated where there are several masks."""
    if transparency is not None:
        clear = checked_mask(transparency, "transparency")
        if drawing.ndim == 4 and len(drawing) == 1 < len(clear):
            drawing = drawing.expand(len(clear), -1, -1, -1)
    return as_rgb(drawing, name="drawing", transparency=transparency)


def check_one_size(drawing: Tensor | None, regions: Regions | None) -> None:
    """Refuse a drawing [B, H, W, C] of another size than the regions that were found in it."""
    if drawing is not None and regions is not None and tuple(drawing.shape[1:3]) != regions.size:
        (height, width), (own_height, own_width) = drawing.shape[1:3], regions.size
        raise ColorizeError(
            f"`drawing` is {width}×{height} pixels and `regions` are {own_width}×{own_height}; expected one size, for "
            "lines lie exactly between the regions. Wire the drawing that Line Regions has got."
        )
