"""Batches worked through frame by frame: what takes a moment for one picture takes minutes for an animation."""

from collections.abc import Callable, Iterator

import comfy.model_management
import comfy.utils
import torch

from ...errors import ColorizeError, told
from ...prepare.bleaching import bleach
from ...prepare.fit_size import FITS, fit_size
from ...prepare.letterbox import Box
from ...prepare.line_map import prepare_line_map, warn_of_negative
from ...prepare.masks import checked_mask, feather_mask, fit_batch, grow_mask
from ...prepare.one_sided import one_sided
from ...prepare.pictures import as_rgb, checked_picture
from ...prepare.region_preview import preview_regions
from ..loading import stop_when_cancelled
from ..notice import notice_mask


def each_frame(count: int) -> Iterator[int]:
    """Yield 0 … count - 1 with a progress bar, until the user cancels."""
    progress = comfy.utils.ProgressBar(count)
    for index in range(count):
        comfy.model_management.throw_exception_if_processing_interrupted()
        yield index
        progress.update(1)


def map_frames(function: Callable[..., torch.Tensor], *batches: torch.Tensor) -> torch.Tensor:
    """Apply a function to the frames of batches, one of each at a time, and join the results.

    Args:
        function: takes one [1, …] of each batch, gives [1, …].
        batches: [B, …], all with the same B, at least 1.
    """
    frames = range(len(batches[0]))
    return torch.cat([function(*(batch[index, None] for batch in batches)) for index in each_frame(len(frames))])


def grow_and_feather(masks: torch.Tensor, grow: int, shape: str, feather: int) -> torch.Tensor:
    """Move the edge of masks [B, H, W] by `grow` pixels, then soften it over `feather` pixels."""
    if grow == 0 and feather == 0:
        return masks
    stop = stop_when_cancelled
    return map_frames(lambda mask: feather_mask(grow_mask(mask, grow, shape, stop), feather, stop), masks)


def bleach_frames(
    image: torch.Tensor,
    mask: torch.Tensor,
    whiten: str,
    threshold: float,
    paper: float,
    transparency: torch.Tensor | None = None,
) -> torch.Tensor:
    """Paint one region of pictures [B or 1, H, W, C] blank, with masks [B or 1, H', W']; see `bleach`.

    Args:
        transparency: [B or 1, H'', W''] in [0, 1], 1 = transparent; what it clears is `paper`.
    """
    if transparency is not None:
        image = as_rgb(image, paper, transparency=transparency)
    mask = checked_mask(mask)
    notice_mask("Bleach Region", one_sided(mask, "mask", threshold, reached=True))
    image, mask = fit_batch(checked_picture(image), mask, ("image", "mask"))
    return map_frames(lambda frame, region: bleach(frame, region, whiten, threshold, paper), image, mask)


def prepare_line_maps(
    drawings: torch.Tensor,
    width: int,
    height: int,
    lines: str,
    transparency: torch.Tensor | None = None,
    fit: str = "off",
) -> tuple[torch.Tensor, Box]:
    """Turn drawings [B, H, W, C] into line maps [B, height, width, 3]; see `prepare_line_map`.

    Args:
        fit: of `FITS`; anything but `off` takes the place of width and height.
    """
    drawings = checked_picture(drawings)
    if fit not in FITS:
        raise ColorizeError(f"`fit` is {told(fit)}; expected one of {', '.join(FITS)}.")
    chosen = FITS[fit]
    if chosen is not None:
        height, width = fit_size(drawings.shape[1], drawings.shape[2], chosen)
    batches = [drawings]
    if transparency is not None:
        batches = list(fit_batch(drawings, checked_mask(transparency, "transparency"), ("image", "transparency")))
    boxes: list[Box] = []

    def prepare(drawing: torch.Tensor, clear: torch.Tensor | None = None) -> torch.Tensor:
        line_map, box = prepare_line_map(drawing, width, height, lines, clear, stop_when_cancelled)
        boxes.append(box)
        return line_map

    line_maps = map_frames(prepare, *batches)
    warn_of_negative(line_maps, lines)
    return line_maps, boxes[0]


def preview_batch(
    image: torch.Tensor,
    mask: torch.Tensor,
    width: int,
    height: int,
    threshold: float,
    transparency: torch.Tensor | None = None,
) -> torch.Tensor:
    """Draw one sheet for each picture of a batch.

    Args:
        image: [B or 1, H, W, C] in [0, 1].
        mask: [B or 1, H', W'] in [0, 1], 1 = character.
        width, height: the output's size in pixels.
        threshold: the split's own.
        transparency: [B or 1, H'', W''] in [0, 1], 1 = transparent; what it clears is white paper.

    Returns:
        [B, sheet height, sheet width, 3] in [0, 1].
    """
    if transparency is not None:
        image = as_rgb(image, transparency=transparency)
    image, mask = fit_batch(checked_picture(image), checked_mask(mask), ("image", "mask"))
    return map_frames(lambda frame, region: preview_regions(frame, [region], height, width, threshold), image, mask)
