"""Painted frames as animation's paint programs exchange them: palette colours without soft edges, or nothing."""

from dataclasses import dataclass
from functools import cached_property
from typing import IO

import numpy as np
from PIL import Image
from torch import Tensor

from ..errors import ColorizeError
from .drawn_lines import HARD_INK, line_ink
from .palette import Palette
from .regions import NO_SWATCH, Regions

#: Format -> the file's suffix.
FORMATS = {"png_indexed": ".png", "png": ".png", "tga": ".tga"}
#: Colours that an indexed file holds, the transparent one included.
MOST_INDEXED = 256
#: Of lines where the palette has no swatch for them.
BLACK = (0, 0, 0)
#: What programs show that do not look at alpha: paper.
PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Cel:
    """One frame.

    Attributes:
        index: [H, W] int64, into `colors`.
        colors: [n + 1, 3] uint8: the palette's in their order; black where lines need it; last, what is transparent.
    """

    index: np.ndarray
    colors: np.ndarray

    @cached_property
    def rgba(self) -> np.ndarray:
        """[H, W, 4] uint8, alpha 0 or 255."""
        alpha = np.full((len(self.colors), 1), 255, dtype=np.uint8)
        alpha[-1] = 0
        return np.concatenate([self.colors, alpha], axis=1)[self.index]


def cel_of(regions: Regions, drawing: Tensor | None = None) -> Cel:
    """Paint one frame.

    Args:
        regions: one frame with swatches. drawing: [1, H, W, 3] in [0, 1]; its lines come on top, in the palette's first
            colour for lines or in black. Trace lines of the regions are none.
    """
    palette, paint = painted(regions)
    colors = [swatch.color for swatch in palette.swatches]
    index = paint[0].cpu().numpy().astype(np.int64)
    line = next((at for at, swatch in enumerate(palette.swatches) if swatch.role == "line"), len(colors))
    if drawing is not None and line == len(colors):
        colors.append(BLACK)
    index = np.where(index == NO_SWATCH, len(colors), index)
    if drawing is not None:
        index[line_ink(drawing, regions) >= HARD_INK] = line
    return Cel(index, np.array([*colors, PAPER], dtype=np.uint8))


def painted(regions: Regions) -> tuple[Palette, Tensor]:
    """Return swatches and paint of regions, or say that they have none."""
    if regions.palette is None or regions.paint is None:
        raise ColorizeError(
            "`regions` have no swatches yet, so there is nothing to paint with. Wire the regions that Flats gives, not "
            "those of Line Regions."
        )
    return regions.palette, regions.paint


def check_indexed(colors: int) -> None:
    """Refuse more colours than an indexed file holds, the transparent one included."""
    if colors > MOST_INDEXED:
        raise ColorizeError(
            f"`format` is png_indexed and the palette of `regions` has {colors - 1} colours with that of the lines; "
            f"expected at most {MOST_INDEXED - 1}, for the file has {MOST_INDEXED} with the transparent one. Use a "
            "smaller palette in Flats, or set `format` to png or tga."
        )


def write_cel(cel: Cel, kind: str, file: IO[bytes]) -> None:
    """Write a cel.

    Args:
        kind: of `FORMATS`. png_indexed: PLTE has the colours in their order, tRNS makes the last one transparent. png
            and tga: 32 bits, alpha 0 or 255.
    """
    if kind == "png_indexed":
        check_indexed(len(cel.colors))
        picture = Image.fromarray(cel.index.astype(np.uint8))
        picture.putpalette(cel.colors.tobytes())
        picture.save(file, "PNG", transparency=bytes([255] * (len(cel.colors) - 1) + [0]))
    elif kind == "png":
        Image.fromarray(cel.rgba).save(file, "PNG")
    else:
        Image.fromarray(cel.rgba).save(file, "TGA", compression="tga_rle")
