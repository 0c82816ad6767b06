"""Paint outlined shapes into a map of part numbers.

A scene is not painted in colours but in part numbers: which part of the character or of the background a pixel belongs
to. Colours come afterwards, by a table look-up, so one drawing can be rendered in any palette and the colours of every
part are known exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from PIL import Image, ImageDraw


class Part(IntEnum):
    """What a pixel shows. Numbers up to `BACKGROUND_SLOTS` are background, the others belong to the character."""

    HAIR = 24
    SKIN = 25
    TOP = 26
    BOTTOM = 27
    SHOES = 28
    ACCESSORY = 29
    EYE = 30
    EYE_WHITE = 31
    MOUTH = 32
    LINE = 33


BACKGROUND_SLOTS = 24
"""Part numbers 0 … 23 are the background's: 16 flat slots and the gradient's eight steps (see `palettes`)."""

TABLE_SIZE = 34

LIGHT = (-0.014, -0.018)
"""Where a shape's lit copy moves to, in parts of the picture: the light comes from above left."""

Points = Sequence[tuple[float, float]]


def ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0, steps: int = 40) -> np.ndarray:
    """Return the outline [steps, 2] of an ellipse turned by `turn` radians."""
    angle = np.linspace(0.0, 2 * np.pi, steps, endpoint=False)
    x, y = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack([cx + x * np.cos(turn) - y * np.sin(turn), cy + x * np.sin(turn) + y * np.cos(turn)], axis=1)


def smooth(points: Points, steps: int = 8) -> np.ndarray:
    """Return a closed curve through the points (Catmull-Rom spline)."""
    p1 = np.asarray(points, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return (0.5 * curve).reshape(-1, 2)


def limb(start: Sequence[float], end: Sequence[float], width: float, end_width: float | None = None) -> np.ndarray:
    """Return a tapering bar with round ends from `start` to `end`."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    wide, narrow = width / 2, (end_width if end_width is not None else width) / 2
    heading = np.arctan2(b[1] - a[1], b[0] - a[0])
    arc = np.linspace(np.pi / 2, 3 * np.pi / 2, 10)
    tail = a + wide * np.stack([np.cos(heading + arc), np.sin(heading + arc)], axis=1)
    tip = b + narrow * np.stack([np.cos(heading + arc + np.pi), np.sin(heading + arc + np.pi)], axis=1)
    return np.concatenate([tail, tip])


class Canvas:
    """A square map of part numbers with a second map of what lies in shade.

    Coordinates run from 0 to 1, to the right and down. `ids` is [size, size] uint8, `shade` likewise bool. `shapes` is
    [size, size] uint8: which shape a pixel belongs to, counted from 1 in the order in which they are painted; under a
    line it is what was there before the line.

    Args:
        line_width: in parts of the picture. zoom, shift: points p are painted at p × zoom + shift; lines stay as wide.
    """

    def __init__(
        self, size: int, line_width: float = 0.0105, zoom: float = 1.0, shift: Sequence[float] | np.ndarray = (0.0, 0.0)
    ) -> None:
        self.size = size
        self.ids = np.zeros((size, size), dtype=np.uint8)
        self.shade = np.zeros((size, size), dtype=bool)
        self.shapes = np.zeros((size, size), dtype=np.uint8)
        self._painted = 0
        self._line_width = max(1, round(line_width * size))
        self._zoom, self._shift = zoom, np.asarray(shift, dtype=np.float64)

    def _pixels(self, points: np.ndarray) -> list[tuple[float, float]]:
        return [tuple(point) for point in (points * self._zoom + self._shift) * self.size]

    def _mask(self, points: np.ndarray) -> np.ndarray:
        image = Image.new("1", (self.size, self.size))
        ImageDraw.Draw(image).polygon(self._pixels(points), fill=1)
        return np.asarray(image)

    def fill(self, points: Points | np.ndarray, part: int, shaded: bool = True) -> None:
        """Paint a shape without an outline; the side away from the light goes into `shade`."""
        outline = np.asarray(points, dtype=np.float64)
        mask = self._mask(outline)
        self.ids[mask] = part
        self._painted += 1
        self.shapes[mask] = self._painted
        self.shade[mask] = (~self._mask(outline + LIGHT))[mask] if shaded else False

    def line(self, points: Points | np.ndarray, closed: bool = False, weight: float = 1.0) -> None:
        """Draw a line of the drawing's ink."""
        path = self._pixels(np.asarray(points, dtype=np.float64))
        image = Image.fromarray(self.ids)
        width = max(1, round(self._line_width * weight))
        ImageDraw.Draw(image).line(path + path[:2] if closed else path, fill=Part.LINE, width=width, joint="curve")
        self.ids = np.array(image)

    def shape(self, points: Points | np.ndarray, part: int, shaded: bool = True) -> None:
        """Paint a shape with its outline."""
        self.fill(points, part, shaded)
        self.line(points, closed=True)
