"""Pictures, masks and label pictures, as Load Frames reads them, brought to one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from host import core
from PIL import Image
from torch import Tensor

from .folders import Group

ColorizeError = core("errors").ColorizeError
files, pictures = core("prepare.picture_file"), core("prepare.pictures")

#: A result whose proportions differ from the truth's by more than this share is refused.
STRETCH = 0.01
#: More colours than this are no regions.
MOST_REGIONS = 256


def size_of(path: Path) -> tuple[int, int]:
    """Return height and width of a picture as it is shown, from the head of its file."""
    with files.decoded(path) as picture:
        width, height = picture.size
    return height, width


def read_picture(path: Path) -> Tensor:
    """Return a picture [1, H, W, 3] in [0, 1], what is transparent laid on white paper."""
    image, clear = files.read_picture(path)
    rgb: Tensor = pictures.as_rgb(image[None], transparency=clear[None])
    return rgb


def read_mask(path: Path, height: int, width: int) -> np.ndarray:
    """Return where the character is, [height, width] bool: what is brighter than the middle."""
    grey = pictures.as_grey(pictures.resize_picture(read_picture(path), height, width))
    inside: np.ndarray = grey[0].numpy() > 0.5
    return inside


def read_labels(path: Path, height: int, width: int) -> dict[str, np.ndarray]:
    """Return the regions of a label picture, {its colour as #rrggbb: [height, width] bool}, sorted by colour.

    Another size is reached by the nearest pixel, so that no colours arise between two.
    """
    with files.decoded(path) as picture:
        image = picture.convert("RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.NEAREST)
    values = np.asarray(image).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    colors = np.unique(values)
    if len(colors) > MOST_REGIONS:
        raise ColorizeError(
            f"{path} has {len(colors)} colours; expected at most {MOST_REGIONS}, each of which is one region. "
            "Save it without antialiasing and as PNG; Save Cels does."
        )
    return {f"#{color:06x}": values == color for color in colors}


def compared_size(truth: Path, short_side: int | None) -> tuple[int, int]:
    """Return height and width at which a pair is compared: the truth's, or that with this short side."""
    height, width = size_of(truth)
    if short_side is None:
        return height, width
    scale = short_side / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def check_sizes(groups: list[Group]) -> list[str]:
    """Refuse results that are not shaped like their truth, before anything is worked out.

    Returns:
        a sentence where results are of other sizes than their truth.
    """
    other = 0
    for group in groups:
        if group.truth is None:
            continue
        (height, width), (high, wide) = size_of(group.result), size_of(group.truth)
        other += (height, width) != (high, wide)
        if abs(width * high / (height * wide) - 1) > STRETCH:
            raise ColorizeError(
                f"The result {group.result} is {width}×{height}, its truth {wide}×{high}; expected the same "
                f"proportions, up to {STRETCH:.0%}. Crop or pad truth, masks and labels as the drawing was."
            )
    if not other:
        return []
    return [f"{other} results are of another size than their truth and were resized to it (bicubic, antialiased)."]
