"""Lines laid over the frames of a batch, and what batches have to have in common."""

import torch

from ...errors import ColorizeError
from ...finish.ink_over import ink_over, parsed_color
from ...finish.regions import Regions
from ...prepare.masks import checked_mask
from ...prepare.pictures import as_rgb
from ..loading import stop_when_cancelled
from ..prepare.frames import each_frame


def ink_over_frames(
    image: torch.Tensor,
    drawing: torch.Tensor,
    regions: Regions | None = None,
    line_color: str = "drawing",
    color: str = "#000000",
    strength: float = 1.0,
    transparency: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay the lines of drawings over pictures, one of each at a time; see `ink_over`.

    Args:
        image: [B or 1, H', W', C] in [0, 1]. drawing: [B or 1, H, W, C] in [0, 1].
        regions: B or 1 frames of the drawings' size.
        color: as `parsed_color` reads it; looked at only where `line_color` asks for it.
        transparency: [B or 1, H'', W''] in [0, 1], 1 = transparent: of the drawings, which then lie on white paper.

    Returns:
        pictures [B, H, W, 3] and ink [B, H, W], in [0, 1], float32, on the CPU.
    """
    rgb = parsed_color(color) if line_color == "color" else (0, 0, 0)
    image = as_rgb(image)
    drawing = as_drawing(drawing, transparency)
    count = frames_together(image=image, drawing=drawing, regions=regions)
    check_regions_size(regions, drawing, "drawing")
    pictures, inks = [], []
    for index in each_frame(count):
        frame = None if regions is None else regions.frame(index % len(regions))
        picture, ink = ink_over(
            one(image, index), one(drawing, index), line_color, rgb, strength, frame, stop_when_cancelled
        )
        pictures.append(picture)
        inks.append(ink)
    return torch.cat(pictures), torch.cat(inks)


def as_drawing(drawing: torch.Tensor, transparency: torch.Tensor | None) -> torch.Tensor:
    """Return drawings [B, H, W, 3] on white paper; one drawing is repeated where there are several masks."""
    if transparency is not None:
        clear = checked_mask(transparency, "transparency")
        if drawing.ndim == 4 and len(drawing) == 1 < len(clear):
            drawing = drawing.expand(len(clear), -1, -1, -1)
    return as_rgb(drawing, name="drawing", transparency=transparency)


def frames_together(**batches: torch.Tensor | Regions | None) -> int:
    """Return how many frames inputs have together: each as many, or one for all.

    Args:
        batches: by the inputs' names; None where an input is not wired.
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


def check_regions_size(regions: Regions | None, picture: torch.Tensor, name: str) -> None:
    """Refuse regions of another size than a picture [B, H, W, C] that they have to lie on.

    Args:
        name: the picture's input.
    """
    if regions is not None and regions.size != tuple(picture.shape[1:3]):
        (height, width), (own_height, own_width) = regions.size, picture.shape[1:3]
        raise ColorizeError(
            f"`regions` are {width}×{height} pixels and `{name}` is {own_width}×{own_height}; expected one size: wire "
            "the same drawing here and into the node that has made the regions."
        )


def one(batch: torch.Tensor, index: int) -> torch.Tensor:
    """Return a frame [1, …] of a batch, or its only one."""
    return batch[index % len(batch), None]
