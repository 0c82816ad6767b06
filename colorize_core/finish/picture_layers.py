"""A coloured picture taken apart into layers: background, a layer a colour, shading over them, lines."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from ..errors import ColorizeError
from .color import to_lab
from .color_code import code_of
from .drawn_lines import line_color, line_ink
from .layer_document import Document, Layer, cropped
from .near_colors import near_colors
from .palette import Palette, Swatch
from .regions import NO_SWATCH, Regions, color_sums
from .shading_layers import shading_of

#: Names of layers and groups.
LINES, BACKGROUND, CHARACTER, COLORS, PICTURE, REST = "lines", "background", "character", "colours", "picture", "rest"
#: How colours become layers.
COLORS_AS = ("one_layer_a_swatch", "one_layer")
#: Mask from which a pixel belongs to the character, whose flat colours have hard edges.
INSIDE = 128
#: Ink above which a pixel's colour is hidden by the line.
HIDDEN_INK = 0.02


@dataclass(frozen=True)
class Parts:
    """What one frame is made of, all of one size; at least one but the mask is there.

    Attributes:
        image: [1, H, W, 3] in [0, 1], the coloured picture. regions: one frame, with or without swatches.
        drawing: [1, H, W, 3] in [0, 1], dark lines on light paper. background: [1, H, W, 3] in [0, 1].
        mask: [1, H, W] in [0, 1], 1 = character.
    """

    image: Tensor | None = None
    regions: Regions | None = None
    drawing: Tensor | None = None
    background: Tensor | None = None
    mask: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        if self.regions is not None:
            return self.regions.size
        picture = next(part for part in (self.drawing, self.image, self.background) if part is not None)
        return picture.shape[1], picture.shape[2]


@dataclass(frozen=True)
class Flats:
    """Flat colours: the swatches, and each pixel's index [H, W] among them, `NO_SWATCH` for none."""

    palette: Palette
    index: np.ndarray

    @property
    def picture(self) -> np.ndarray:
        """[H, W, 3] uint8; any colour where there is none."""
        return np.concatenate([self.palette.colors.numpy(), np.zeros((1, 3), dtype=np.uint8)])[self.index]


def document_of(
    parts: Parts, colors: str = "one_layer_a_swatch", linear: bool = False, stop: Callable[[], None] = lambda: None
) -> Document:
    """Take a frame apart.

    From top to bottom: the lines; highlights and shading clipped onto the colours, where the picture is not flat; the
    colours, a layer a swatch that reaches to the middle of the lines; what of the picture has none; the background.
    What is seen of all of them is the picture with the drawing's lines on it.

    Args:
        colors: of `COLORS_AS`.
        linear: for programs that multiply in linear light instead of in sRGB.
        stop: called now and then; may raise to break off.

    Raises:
        ColorizeError: the regions have no swatches, and there is no picture to take colours from.
    """
    height, width = parts.size
    ink = None if parts.drawing is None else line_ink(parts.drawing, parts.regions)
    stop()
    hidden = np.zeros((height, width), bool) if ink is None else binary_dilation(ink > HIDDEN_INK)
    mask = None if parts.mask is None else _bytes(parts.mask)
    image = None if parts.image is None else _bytes(parts.image)
    if parts.regions is not None:
        flats = flats_of(parts.regions, image, hidden)
        stop()
        layers = _with_flats(flats, image, mask, hidden, parts.background is None, colors, linear, stop)
    elif image is not None:
        alpha = np.full((height, width), 255, np.uint8) if mask is None else mask
        layers = _outside(image, alpha) if parts.background is None else []
        layers += cropped(PICTURE if mask is None else CHARACTER, image, alpha)
    else:
        layers = []
    if parts.background is not None:
        layers = cropped(BACKGROUND, _bytes(parts.background), np.full((height, width), 255, np.uint8)) + layers
    if ink is not None and parts.drawing is not None:
        alpha = np.rint(255 * ink).astype(np.uint8)
        layers += cropped(LINES, line_color(parts.drawing, ink), alpha)
    return Document(width, height, tuple(layers))


def flats_of(regions: Regions, image: np.ndarray | None, hidden: np.ndarray) -> Flats:
    """Return the flat colours of one frame: the regions' swatches, or without them the picture's mean in each region.

    Args:
        image: [H, W, 3] uint8. hidden: [H, W] bool, pixels that tell nothing of their region's colour.

    Raises:
        ColorizeError: there are neither swatches nor a picture.
    """
    if regions.palette is not None and regions.paint is not None:
        return Flats(regions.palette, regions.paint[0].cpu().numpy())
    if image is None:
        raise ColorizeError(
            "`regions` have no swatches yet, so no region has a colour. Wire the regions that Flats gives, or the "
            "coloured picture to `image` to take the colours from."
        )
    labels = regions.filled[0].cpu().numpy()
    count = int(labels.max(initial=0)) + 1
    every = np.bincount(labels.ravel(), minlength=count)
    clear = ~(hidden | regions.ink[0].cpu().numpy())
    sums, areas = color_sums(labels[clear], image[clear], count)
    unseen = areas == 0
    if unseen.any():
        whole, _ = color_sums(labels.ravel(), image.reshape(-1, 3), count)
        sums, areas = np.where(unseen[:, None], whole, sums), np.where(unseen, every, areas)
    means = np.rint(sums / np.maximum(areas, 1)[:, None]).astype(np.uint8)
    groups = near_colors(to_lab(torch.from_numpy(means) / 255).numpy(), np.where(np.arange(count) > 0, every, 0))
    swatch = np.full(count, NO_SWATCH)
    for number, members in enumerate(groups):
        swatch[members] = number
    found = [(int(red), int(green), int(blue)) for red, green, blue in means[[members[0] for members in groups]]]
    return Flats(Palette(tuple(Swatch(code_of(color), color) for color in found)), swatch[labels])


def _with_flats(
    flats: Flats,
    image: np.ndarray | None,
    mask: np.ndarray | None,
    hidden: np.ndarray,
    with_background: bool,
    colors: str,
    linear: bool,
    stop: Callable[[], None],
) -> list[Layer]:
    """Return background, colours and shading, from bottom to top."""
    inside = np.ones(flats.index.shape, bool) if mask is None else mask >= INSIDE
    painted = flats.index != NO_SWATCH
    colored = painted & inside
    name = COLORS if mask is None else CHARACTER
    group = name if colors != "one_layer" else ""
    rest: list[Layer] = []
    if mask is not None and image is not None:
        rest = cropped(REST, image, _opaque(inside & ~painted), group=group)
    layers = []
    if with_background and image is not None:
        layers += _outside(image, _opaque(colored | (inside & (mask is not None))))
    elif with_background and mask is not None:
        layers += _colors(flats, painted & ~inside, colors, BACKGROUND, stop)
    layers += rest + _colors(flats, colored, colors, name, stop)
    if image is not None:
        for shading in shading_of(flats.picture, image, colored, hidden, flats.index, linear):
            alpha = _opaque(shading.shown)
            layers += cropped(shading.name, shading.color, alpha, blend=shading.blend, clipped=True)
            stop()
    return layers


def _colors(flats: Flats, shown: np.ndarray, colors: str, group: str, stop: Callable[[], None]) -> list[Layer]:
    """Return flat colours where they are shown: a layer each in a group, or one of the group's name."""
    if colors == "one_layer":
        return cropped(group, flats.picture, _opaque(shown))
    layers = []
    for index, swatch in enumerate(flats.palette.swatches):
        color = np.array(swatch.color, dtype=np.uint8)
        layers += cropped(swatch.name, color, _opaque(shown & (flats.index == index)), group=group)
        stop()
    return layers


def _outside(image: np.ndarray, alpha: np.ndarray) -> list[Layer]:
    """Return the picture as background wherever what lies on it is not opaque, whole pixels so that no rim is pale."""
    return cropped(BACKGROUND, image, _opaque(alpha < 255))


def _opaque(shown: np.ndarray) -> np.ndarray:
    return shown.astype(np.uint8) * np.uint8(255)


def _bytes(picture: Tensor) -> np.ndarray:
    """Return the first of a batch in 8 bits."""
    return (picture[0].clamp(0, 1) * 255).round().byte().cpu().numpy()
