"""Colours for every part, drawn from a seed, and the styles a picture can be inked in."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from backgrounds import GRADIENT, GRADIENT_STEPS
from drawing import TABLE_SIZE, Part

SKIN_TONES = np.array(
    [[255, 226, 204], [247, 205, 170], [232, 181, 140], [198, 140, 98], [150, 100, 66], [104, 68, 46]], dtype=np.float64
)

INKS = {
    "black": (24, 22, 28),
    "brown": (120, 58, 20),
    "blue": (28, 44, 150),
    "red": (170, 20, 40),
    "white": (250, 250, 246),
}


@dataclass(frozen=True)
class Style:
    """How a picture is inked.

    Attributes:
        ink: colour of the lines, a key of `INKS`.
        shading: how much darker the shaded side of a shape is, 0 … 1.
    """

    ink: str = "black"
    shading: float = 0.0


NEUTRAL = Style()


def random_style(seed: int) -> Style:
    """Return a style with coloured lines, shading or both."""
    rng = np.random.default_rng([seed, 5])
    while (style := Style(str(rng.choice(list(INKS))), float(rng.choice([0.0, 0.35, 0.5])))) == NEUTRAL:
        pass
    return style


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A colour from the whole cube, more often vivid than grey."""
    if rng.random() < 0.15:
        return np.full(3, rng.uniform(40, 245)) + rng.uniform(-8, 8, size=3)
    hsv = rng.uniform(0, 1), rng.uniform(0.35, 0.95), rng.uniform(0.4, 1.0)
    return 255 * np.array(colorsys.hsv_to_rgb(*hsv))


def _apart(rng: np.random.Generator, others: list[np.ndarray], least: float = 75.0) -> np.ndarray:
    """A colour that differs visibly from its neighbours."""
    for _ in range(20):
        colour = _colour(rng)
        if all(np.abs(colour - other).sum() > least for other in others):
            break
    return colour


def _skin(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.25:
        return _colour(rng)
    place = rng.uniform(0, len(SKIN_TONES) - 1)
    low = int(place)
    return SKIN_TONES[low] + (place - low) * (SKIN_TONES[low + 1] - SKIN_TONES[low])


@lru_cache(maxsize=8192)
def character_colours(seed: int) -> dict[Part, np.ndarray]:
    """Return the colour [3] in 0 … 255 of every part of a character."""
    rng = np.random.default_rng([seed, 3])
    skin = _skin(rng)
    hair = _apart(rng, [skin])
    top = _apart(rng, [skin, hair])
    bottom = _apart(rng, [skin, top])
    return {
        Part.SKIN: skin,
        Part.HAIR: hair,
        Part.TOP: top,
        Part.BOTTOM: bottom,
        Part.SHOES: _apart(rng, [skin, bottom]),
        Part.ACCESSORY: _apart(rng, [hair, top], 120.0),
        Part.EYE: _apart(rng, [skin], 120.0),
        Part.EYE_WHITE: np.array([250.0, 250.0, 250.0]),
        Part.MOUTH: np.array([186.0, 62.0, 70.0]),
    }


@lru_cache(maxsize=8192)
def background_colours(seed: int) -> np.ndarray:
    """Return the colours [24, 3] in 0 … 255 of the background's part numbers."""
    rng = np.random.default_rng([seed, 4])
    flat: list[np.ndarray] = []
    for _ in range(6):
        flat.append(_apart(rng, flat, 90.0))
    colours = np.zeros((GRADIENT + GRADIENT_STEPS, 3))
    colours[: len(flat)] = flat
    blend = np.linspace(0.0, 1.0, GRADIENT_STEPS)[:, None]
    colours[GRADIENT:] = flat[0] * (1 - blend) + flat[1] * blend
    return colours


def colour_table(character_seed: int, background_seed: int, style: Style = NEUTRAL) -> np.ndarray:
    """Return the table [2, 34, 3] uint8 that turns part numbers into colours: lit, then shaded."""
    table = np.zeros((TABLE_SIZE, 3))
    background = background_colours(background_seed)
    table[: len(background)] = background
    for part, colour in character_colours(character_seed).items():
        table[part] = colour
    shaded = table * (1.0 - style.shading)
    table[Part.LINE] = shaded[Part.LINE] = INKS[style.ink]
    return np.clip(np.stack([table, shaded]), 0, 255).round().astype(np.uint8)
