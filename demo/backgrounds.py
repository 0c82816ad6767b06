"""Backgrounds: a few large shapes without outlines, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drawing import Canvas, ellipse, smooth

GRADIENT = 16
"""First of the eight part numbers that step from slot 0's colour to slot 1's."""

GRADIENT_STEPS = 8


def _box(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, slot: int) -> None:
    canvas.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], slot, shaded=False)


def _gradient(canvas: Canvas, rng: np.random.Generator, vertical: bool, until: float = 1.0) -> None:
    edges = np.linspace(0.0, until, GRADIENT_STEPS + 1)
    edges[-1] = 1.0
    for step in range(GRADIENT_STEPS):
        low, high = edges[step], edges[step + 1]
        box = (-0.01, low, 1.01, high) if vertical else (low, -0.01, high, 1.01)
        _box(canvas, *box, GRADIENT + step)


def _hills(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sky with a sun or moon over two ranges of hills."""
    _gradient(canvas, rng, vertical=True, until=0.75)
    if rng.random() < 0.7:
        radius = rng.uniform(0.07, 0.15)
        canvas.fill(ellipse(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.35), radius, radius), 2, shaded=False)
    for slot, base in ((3, rng.uniform(0.42, 0.6)), (4, rng.uniform(0.68, 0.85))):
        x = np.linspace(-0.1, 1.1, 40)
        y = base + rng.uniform(0.03, 0.12) * np.sin(rng.uniform(3, 8) * x + rng.uniform(0, 6.3))
        canvas.fill([*zip(x, y, strict=True), (1.1, 1.1), (-0.1, 1.1)], slot, shaded=False)


def _sea(canvas: Canvas, rng: np.random.Generator) -> None:
    """Sky with clouds over water and a beach."""
    _box(canvas, 0, 0, 1, 1, 0)
    for _ in range(rng.integers(1, 4)):
        cx, cy, width = rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.32), rng.uniform(0.1, 0.18)
        for offset, radius in ((-0.8, 0.35), (0.0, 0.5), (0.8, 0.35)):
            canvas.fill(ellipse(cx + offset * width, cy, width * 1.1, radius * width), 1, shaded=False)
    horizon = rng.uniform(0.4, 0.6)
    _box(canvas, 0, horizon, 1, 1, 2)
    shore = rng.uniform(0.72, 0.85)
    slope = rng.uniform(-0.12, 0.12)
    canvas.fill([(0, shore), (1, shore + slope), (1, 1.01), (0, 1.01)], 3, shaded=False)


def _room(canvas: Canvas, rng: np.random.Generator) -> None:
    """A wall with a skirting board, a window and perhaps a carpet."""
    floor = rng.uniform(0.66, 0.82)
    _box(canvas, 0, 0, 1, floor, 0)
    _box(canvas, 0, floor, 1, 1, 1)
    _box(canvas, 0, floor - rng.uniform(0.03, 0.06), 1, floor, 2)
    width, height = rng.uniform(0.2, 0.34), rng.uniform(0.22, 0.38)
    left, top = rng.uniform(0.03, 0.97 - width), rng.uniform(0.06, 0.2)
    _box(canvas, left - 0.03, top - 0.03, left + width + 0.03, top + height + 0.03, 3)
    _box(canvas, left, top, left + width, top + height, 4)
    if rng.random() < 0.5:
        canvas.fill(ellipse(rng.uniform(0.3, 0.7), (floor + 1.02) / 2, 0.3, (1 - floor) * 0.36), 5, shaded=False)


def _city(canvas: Canvas, rng: np.random.Generator) -> None:
    """A row of broad houses against the sky, and a street."""
    _box(canvas, 0, 0, 1, 1, 0)
    if rng.random() < 0.4:
        canvas.fill(ellipse(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.2), 0.09, 0.09), 1, shaded=False)
    street = rng.uniform(0.78, 0.9)
    left = -rng.uniform(0.0, 0.1)
    while left < 1.0:
        width = rng.uniform(0.18, 0.34)
        _box(canvas, left, rng.uniform(0.16, 0.6), left + width, street, int(rng.integers(2, 5)))
        left += width + (rng.uniform(0.02, 0.08) if rng.random() < 0.3 else 0.0)
    _box(canvas, 0, street, 1, 1, 5)


def _stripes(canvas: Canvas, rng: np.random.Generator) -> None:
    """Broad stripes: upright, lying or slanting."""
    _box(canvas, 0, 0, 1, 1, 0)
    angle = float(rng.choice([0.0, np.pi / 4, np.pi / 2, -np.pi / 4]))
    step = rng.uniform(0.2, 0.36)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    for number, offset in enumerate(np.arange(-1.0 + rng.uniform(0, step), 1.0, step)):
        middle = np.array([0.5, 0.5]) + across * offset
        corners = [middle + along * a + across * b for a, b in ((-1, 0), (1, 0), (1, step / 2), (-1, step / 2))]
        canvas.fill(np.array(corners), 1 + number % 2, shaded=False)


def _bubbles(canvas: Canvas, rng: np.random.Generator) -> None:
    """Large soft shapes in three colours."""
    _box(canvas, 0, 0, 1, 1, 0)
    for number in range(rng.integers(4, 7)):
        radius = rng.uniform(0.12, 0.26)
        cx, cy = rng.uniform(0, 1, size=2)
        angles = np.arange(6) * np.pi / 3
        reach = radius * rng.uniform(0.75, 1.2, size=6)
        blob = np.stack([cx + reach * np.cos(angles), cy + reach * np.sin(angles)], axis=1)
        canvas.fill(smooth([(x, y) for x, y in blob]), 1 + number % 3, shaded=False)


def _plain(canvas: Canvas, rng: np.random.Generator) -> None:
    """A gradient from one side or from above."""
    _gradient(canvas, rng, vertical=bool(rng.random() < 0.6))


KINDS: dict[str, Callable[[Canvas, np.random.Generator], None]] = {
    "hills": _hills,
    "sea": _sea,
    "room": _room,
    "city": _city,
    "stripes": _stripes,
    "bubbles": _bubbles,
    "plain": _plain,
}


def draw_background(kind: str, seed: int, size: int) -> np.ndarray:
    """Return the part numbers [size, size] uint8 of a background of this kind."""
    canvas = Canvas(size)
    KINDS[kind](canvas, np.random.default_rng([seed, 2]))
    return canvas.ids
