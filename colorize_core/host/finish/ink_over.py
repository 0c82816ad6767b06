"""Lines laid over the frames of a batch."""

import torch

from ...finish.color_code import parsed_color
from ...finish.ink_over import ink_over
from ...finish.regions import Regions
from ...prepare.pictures import as_rgb
from ..loading import stop_when_cancelled
from ..prepare.frames import each_frame
from .shot_inputs import as_drawing, check_one_size, frames_together, one


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
    check_one_size(drawing, regions)
    pictures, inks = [], []
    for index in each_frame(count):
        frame = None if regions is None else one(regions, index)
        picture, ink = ink_over(
            one(image, index), one(drawing, index), line_color, rgb, strength, frame, stop_when_cancelled
        )
        pictures.append(picture)
        inks.append(ink)
    return torch.cat(pictures), torch.cat(inks)
