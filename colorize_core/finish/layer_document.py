"""A picture in layers, as programs for painting have it, whatever file it goes into.

Colours are straight, not multiplied by alpha, sRGB in 8 bits; layers are blended in sRGB as those programs do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

#: How a layer goes onto what is below it: (below, layer) -> blended, each [..., 3] in [0, 1].
#: Source: W3C, "Compositing and Blending Level 1", section 9.
BLENDS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "normal": lambda below, layer: layer,
    "multiply": lambda below, layer: below * layer,
    "screen": lambda below, layer: below + layer - below * layer,
}
#: Rows that are blended at once, which bounds the memory.
BAND = 256
#: Characters that a layer's name has at most; PSD's limit.
LONGEST_NAME = 255


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: for people, as `layer_name` gives it.
        pixels: [h, w, 4] uint8, straight RGBA, cropped to the layer's box.
        left, top: of that box in the document, in pixels.
        blend: of `BLENDS`.
        clipped: shows only where what it lies on shows: the group or the layer below it that is not clipped. The lowest
            layer is not, nor is one in a group.
        opacity: in [0, 1].
        visible: whether it is shown at first.
        group: name of the folder that it lies in, with its neighbours of the same one; empty for none. A group is
            blended by itself first.
    """

    name: str
    pixels: np.ndarray
    left: int = 0
    top: int = 0
    blend: str = "normal"
    clipped: bool = False
    opacity: float = 1.0
    visible: bool = True
    group: str = ""

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the document that it lies in."""
        height, width = self.pixels.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True)
class Document:
    """Layers from bottom to top on a canvas, in pixels."""

    width: int
    height: int
    layers: tuple[Layer, ...]

    @property
    def grouped(self) -> list[tuple[str, tuple[Layer, ...]]]:
        """The layers by group, from bottom to top; each layer in no group stands alone, under an empty name."""
        found: list[tuple[str, tuple[Layer, ...]]] = []
        for name, members in groupby(self.layers, key=lambda layer: layer.group):
            layers = tuple(members)
            found += [(name, layers)] if name else [("", (layer,)) for layer in layers]
        return found

    @property
    def merged(self) -> np.ndarray:
        """[H, W, 4] uint8, straight RGBA: what is seen of the layers."""
        return self._seen[0]

    @property
    def flattened(self) -> np.ndarray:
        """[H, W, 3] uint8: what is seen of the layers on white paper."""
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        merged = np.empty((self.height, self.width, 4), dtype=np.uint8)
        flattened = np.empty((self.height, self.width, 3), dtype=np.uint8)
        for top in range(0, self.height, BAND):
            band = slice(top, min(top + BAND, self.height))
            seen = _blended(self, band.start, band.stop)
            alpha = seen[..., 3:]
            flattened[band] = _bytes(seen[..., :3] + 1 - alpha)
            seen[..., :3] /= np.where(alpha > 0, alpha, 1)
            merged[band] = _bytes(seen)
        return merged, flattened


def layer_name(name: str) -> str:
    """Return a name that every file takes: some visible text in one line, not too long."""
    text = name.encode("utf-16", "replace").decode("utf-16")
    kept = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return kept[:LONGEST_NAME] or "layer"


def cropped(name: str, color: np.ndarray, alpha: np.ndarray, **more: object) -> list[Layer]:
    """Make a layer of what alpha leaves, cropped to it; none where it leaves nothing.

    Args:
        color: [H, W, 3] uint8, or [3] for one colour. alpha: [H, W] uint8. more: other attributes of the layer.
    """
    rows, columns = np.flatnonzero(alpha.max(axis=1)), np.flatnonzero(alpha.max(axis=0))
    if not len(rows):
        return []
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    pixels = np.empty((*alpha[box].shape, 4), dtype=np.uint8)
    for channel in range(3):  # one after the other: numpy is slow where the last axis is short
        pixels[..., channel] = color[channel] if color.ndim == 1 else color[(*box, channel)]
    pixels[..., 3] = alpha[box]
    return [Layer(layer_name(name), pixels, int(columns[0]), int(rows[0]), **more)]  # type: ignore[arg-type]


def _bytes(picture: np.ndarray) -> np.ndarray:
    """Return a picture in 8 bits; what it had before is lost."""
    np.clip(picture, 0, 1, out=picture)
    picture *= 255
    return np.rint(picture, out=picture).astype(np.uint8)


def _blended(document: Document, top: int, bottom: int) -> np.ndarray:
    """Return what is seen of some rows, [bottom - top, W, 4] float32 in [0, 1], RGB multiplied by alpha."""
    shape = (bottom - top, document.width, 4)
    canvas = np.zeros(shape, dtype=np.float32)
    parts = document.grouped
    while parts:
        group, layers = parts.pop(0)
        above: list[Layer] = []
        while parts and parts[0][1][0].clipped and not parts[0][0]:
            above += parts.pop(0)[1]
        if not group and not above:
            _lay(canvas, layers[0], top)
            continue
        alone = np.zeros(shape, dtype=np.float32)
        for layer in layers:
            _lay(alone, layer, top)
        for layer in above:
            _lay(alone, layer, top, clipped=True)
        canvas = alone + canvas * (1 - alone[..., 3:])
    return canvas


def _lay(canvas: np.ndarray, layer: Layer, top: int, clipped: bool = False) -> None:
    """Lay a layer on a canvas whose first row is the document's row `top`, where the layer is not transparent.

    Args:
        canvas: [h, W, 4] float32 in one piece, written to.
    """
    first, last = max(layer.top, top), min(layer.top + len(layer.pixels), top + len(canvas))
    if first >= last or not layer.visible:
        return
    pixels = layer.pixels[first - layer.top : last - layer.top]
    place = np.flatnonzero(pixels[..., 3] != 0)
    source = pixels.reshape(-1, 4).take(place, axis=0).astype(np.float32) / 255
    at = place + place // pixels.shape[1] * (canvas.shape[1] - pixels.shape[1])
    at += (first - top) * canvas.shape[1] + layer.left
    canvas = canvas.reshape(-1, 4)
    color, alpha = source[:, :3], source[:, 3:] * layer.opacity
    if layer.blend == "normal" and not clipped and alpha.min(initial=1) == 1:  # as all flat colours are
        canvas[at] = source
        return
    below = canvas.take(at, axis=0)
    under = below[:, 3:]
    if layer.blend != "normal" or clipped:
        beneath = below[:, :3] / np.where(under > 0, under, 1)
        blended = BLENDS[layer.blend](beneath, color)
        if clipped:
            canvas[at, :3] = (beneath + alpha * (blended - beneath)) * under
            return
        color = color + under * (blended - color)
    canvas[at] = np.concatenate([color, np.ones_like(alpha)], axis=1) * alpha + below * (1 - alpha)
