"""What a shaded picture has beyond its flat colours, as layers over them: shadows multiply, highlights screen.

Multiplying makes nothing lighter than the flat colour, so what is lighter comes from a second layer. Every channel is
changed by one of the two at most, and the layers give the picture back within 1/255.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import find_objects

from .basins import nearest
from .color import to_display, to_linear

#: Greatest difference, in levels of 255, that is rounding and no shading.
ROUNDING = 1


class Shading(NamedTuple):
    """A layer over flat colours: its colours [H, W, 3] uint8, where it changes anything [H, W] bool, how it blends."""

    name: str
    color: np.ndarray
    shown: np.ndarray
    blend: str


def shading_of(
    flat: np.ndarray, image: np.ndarray, colored: np.ndarray, hidden: np.ndarray, index: np.ndarray, linear: bool
) -> list[Shading]:
    """Find the layers that turn flat colours into a picture, none where they are the picture already.

    Args:
        flat, image: [H, W, 3] uint8.
        colored: [H, W] bool, where there is a flat colour.
        hidden: [H, W] bool, under the drawing's lines, where the picture's own lines would be taken for shading; it
            goes on there as it is beside the line.
        index: [H, W], which flat colour: shading does not go on from one to the next.
        linear: multiply in linear light instead of in sRGB.
    """
    seen = colored & ~hidden
    apart = np.abs(flat[seen].astype(np.int16) - image[seen]).max(initial=0)
    if apart <= ROUNDING:
        return []
    darker, lighter = looked_up([multiplied(linear), screened()], flat, image)
    under = colored & hidden
    if under.any():
        box = find_objects(colored.view(np.uint8))[0]
        rows, columns = nearest(seen[box])[:, under[box]]
        beside = rows + box[0].start, columns + box[1].start
        same = (index[beside] == index[under])[:, None]
        darker[under] = np.where(same, darker[beside], 255)
        lighter[under] = np.where(same, lighter[beside], 0)
    layers = [
        Shading("shading", darker, colored & (darker < 255).any(axis=-1), "multiply"),
        Shading("highlights", lighter, colored & (lighter > 0).any(axis=-1), "screen"),
    ]
    return [layer for layer in layers if layer.shown.any()]


def looked_up(tables: list[np.ndarray], flat: np.ndarray, image: np.ndarray) -> list[np.ndarray]:
    """Return `table[flat, image]` of each table, row by row, for the indices take eight times as much as the pictures.

    Args:
        tables: [256, 256] uint8. flat, image: [H, W, 3] uint8.
    """
    found = [np.empty_like(flat) for _ in tables]
    for row in range(len(flat)):
        place = flat[row].astype(np.intp) * 256 + image[row]
        for table, pixels in zip(tables, found, strict=True):
            table.ravel().take(place, out=pixels[row], mode="clip")
    return found


def multiplied(linear: bool) -> np.ndarray:
    """Return by [flat, picture] what flat has to be multiplied by, [256, 256] uint8; 255 where it cannot be."""
    flat, picture = np.meshgrid(np.arange(256) / 255, np.arange(256) / 255, indexing="ij")
    if linear:
        light = to_linear(torch.from_numpy(picture)) / to_linear(torch.from_numpy(flat)).clamp(min=1e-9)
        ratio = to_display(light).numpy()
    else:
        ratio = picture / np.maximum(flat, 1e-9)
    return np.rint(255 * np.where(picture < flat, ratio, 1).clip(0, 1)).astype(np.uint8)


def screened() -> np.ndarray:
    """Return by [flat, picture] what has to be screened over flat, [256, 256] uint8; 0 where nothing has to."""
    flat, picture = np.meshgrid(np.arange(256) / 255, np.arange(256) / 255, indexing="ij")
    ratio = (picture - flat) / np.maximum(1 - flat, 1e-9)
    return np.rint(255 * np.where(picture > flat, ratio, 0)).astype(np.uint8)
