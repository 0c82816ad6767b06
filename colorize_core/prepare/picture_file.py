"""Pictures in files, as levels in [0, 1] in whatever mode Pillow gives them.

Pillow turns every mode into 8 bits when asked to, but cuts off at 255 what has more: white paper in 32-bit float, whose
level is 1.0, would be black. So each mode is read by what white is in it, and a mode in which nobody has said what
white is, is refused.

Pixels go from Pillow to the batch in strips, so that a scan of 7000×10000 needs little more memory than its batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..errors import ColorizeError

#: Pixels that are converted together.
STRIP = 1 << 20
#: Modes that Pillow turns into RGBA only by way of another; those through RGB have no alpha, or lose it on the way.
BY_WAY_OF = {"La": "LA", "LAB": "RGB", "HSV": "RGB", "YCbCr": "RGB", "CMYK": "RGB", "RGBX": "RGB"}
#: Highest level in a picture of floats, whose white is 1: resampling with a sharp filter goes over it by less.
HIGHEST_FLOAT = 1.5
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
WHITE_IS_ZERO = 0


@contextmanager
def decoded(path: Path) -> Iterator[Image.Image]:
    """Open a picture, decoded and turned upright as EXIF says; what goes wrong is told by the file's name.

    Raises:
        ColorizeError: Pillow cannot read it, or it is too large or none at all.
    """
    try:
        # By path Pillow maps TIFF into memory, and one that lies on its side in rows of the wrong length.
        with path.open("rb") as file, Image.open(file) as picture:
            ImageOps.exif_transpose(picture, in_place=True)
            yield picture
    except ColorizeError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ColorizeError(
            f"{path.name} cannot be read as a picture ({error}). Export the frame again, as PNG or TIFF with 8 or 16 "
            "bits a channel; grey TIFF may have 32-bit float."
        ) from error


def read_into(picture: Image.Image, name: str, image: Tensor, mask: Tensor) -> None:
    """Bring a decoded picture into tensors.

    Args:
        name: the file's, for messages. image: float32 [H, W, 3], becomes levels in [0, 1].
        mask: float32 [H, W], becomes 1 where the picture is transparent.
    """
    white = white_level(picture, name)
    inverted = white != 255 and _tag(picture, PHOTOMETRIC) == WHITE_IS_ZERO  # of 8 bits Pillow itself inverts
    width, height = picture.size
    rows = max(1, STRIP // width)
    colour, clear = image.numpy(), mask.numpy()
    for top in range(0, height, rows):
        strip = slice(top, min(height, top + rows))
        part = picture.crop((0, strip.start, width, strip.stop))
        if white == 255:
            rgba = np.asarray(_as_rgba(part))
            np.divide(rgba[..., :3], 255, out=colour[strip], dtype=np.float32)
            np.divide(rgba[..., 3], 255, out=clear[strip], dtype=np.float32)
            np.subtract(1, clear[strip], out=clear[strip])
            continue
        levels = np.asarray(part)
        if white == 1:
            _check_floats(levels, name)
        transparent = picture.info.get("transparency")
        clear[strip] = 0 if transparent is None else levels == transparent
        grey = np.clip(levels.astype(np.float32) / np.float32(white), 0, 1)
        colour[strip] = (1 - grey if inverted else grey)[..., None]


def read_picture(path: Path) -> tuple[Tensor, Tensor]:
    """Read one picture [H, W, 3] in [0, 1] and its transparency [H, W], 1 = transparent."""
    with decoded(path) as picture:
        width, height = picture.size
        image, mask = torch.empty(height, width, 3), torch.empty(height, width)
        read_into(picture, path.name, image, mask)
    return image, mask


def white_level(picture: Image.Image, name: str) -> float:
    """Return the level of white: 1 for floats, 255 for all that Pillow turns into 8 bits by itself.

    Raises:
        ColorizeError: whole numbers of 32 bits, or of 16 bits with a sign, where white may be anything.
    """
    if picture.mode == "F":
        return 1
    if not picture.mode.startswith("I"):
        return 255
    if picture.format == "PNG" or picture.mode != "I":
        bits = _tag(picture, BITS_PER_SAMPLE)
        return float((1 << (bits[0] if isinstance(bits, tuple) else 16)) - 1)
    kind = "16-bit whole numbers with a sign" if _tag(picture, BITS_PER_SAMPLE) == (16,) else "32-bit whole numbers"
    raise ColorizeError(
        f"{name} is a {picture.format} of {kind}, which do not say what white is; expected 8 or 16 bits without a "
        "sign, or 32-bit float with white = 1. Export the frame again."
    )


def _as_rgba(part: Image.Image) -> Image.Image:
    way = BY_WAY_OF.get(part.mode)
    return (part.convert(way) if way else part).convert("RGBA")


def _tag(picture: Image.Image, tag: int) -> object:
    tags = getattr(picture, "tag_v2", None)  # of TIFF alone
    return None if tags is None else tags.get(tag)


def _check_floats(levels: np.ndarray, name: str) -> None:
    """Refuse floats that are no levels, above all those whose white is 255."""
    highest = float(levels.max())
    if not np.isfinite(levels).all() or highest > HIGHEST_FLOAT:
        came = f"levels up to {highest:g}" if np.isfinite(levels).all() else "NaN or infinite levels"
        raise ColorizeError(
            f"{name} is a picture of 32-bit floats with {came}; expected 0 for black to 1 for white. Export the frame "
            "again, with 8 or 16 bits a channel."
        )
