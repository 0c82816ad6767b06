"""Cartoon scenes whose every colour is known.

`Scene(character, background, kind)` is geometry only; `paint` renders it in any palette and style. So for a drawing of
one scene and a reference in another, the right answer can be rendered too.

    scene = Scene(character=7, background=7, kind="city")
    picture = scene.paint(character_colours=3, background_colours=9)     # [128, 128, 3] uint8
    drawing, mask = scene.drawing(), scene.mask()                        # [128, 128] uint8, dark on white; 255 inside
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from backgrounds import KINDS, draw_background
from character import AS_DRAWN, Pose, draw_character
from drawing import Part
from palettes import NEUTRAL, Style, colour_table

HELD_OUT = 1_000_000
"""Seeds from here on, of geometry and of colours, are never used in training."""


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of factor × factor pixels: [n, n, …] → [n / factor, n / factor, …], uint8."""
    size = image.shape[0] // factor
    blocks = image.reshape(size, factor, size, factor, *image.shape[2:]).astype(np.float32)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)


class Scene:
    """The geometry of one picture.

    Args:
        character: seed of the character's shape and pose.
        background: seed of the background's layout.
        kind: a key of `backgrounds.KINDS`; None draws one from the background's seed.
        size: width and height of the pictures in pixels.
        oversample: part numbers are painted this many times finer and averaged.
        pose: of the character and the camera, in a frame of a shot.
    """

    def __init__(
        self,
        character: int,
        background: int,
        kind: str | None = None,
        size: int = 128,
        oversample: int = 2,
        pose: Pose = AS_DRAWN,
    ) -> None:
        kinds = list(KINDS)
        self.character, self.background = character, background
        self.kind = kind or kinds[int(np.random.default_rng([background, 6]).integers(len(kinds)))]
        self.size, self._factor, self.pose = size, oversample, pose

    @cached_property
    def _figure(self) -> tuple[np.ndarray, np.ndarray]:
        canvas = draw_character(self.character, self.size * self._factor, self.pose)
        return canvas.ids, canvas.shade

    @cached_property
    def _backdrop(self) -> np.ndarray:
        size = self.size * self._factor
        backdrop = draw_background(self.kind, self.background, size)
        across, down = (round(part * size) for part in self.pose.camera)
        rows, columns = np.arange(size) - down, np.arange(size) - across
        return backdrop[np.clip(rows, 0, size - 1)[:, None], np.clip(columns, 0, size - 1)]

    @property
    def ids(self) -> np.ndarray:
        """Part numbers of the whole scene, oversampled."""
        figure, _ = self._figure
        return np.where(figure > 0, figure, self._backdrop)

    @property
    def shade(self) -> np.ndarray:
        """True where the character lies in shade, oversampled."""
        return self._figure[1]

    def paint(self, character_colours: int, background_colours: int, style: Style = NEUTRAL) -> np.ndarray:
        """Render the scene: [size, size, 3] uint8. The seeds pick the palettes."""
        table = colour_table(character_colours, background_colours, style)
        return shrink(table[self.shade.astype(np.intp), self.ids], self._factor)

    def paint_background(self, background_colours: int) -> np.ndarray:
        """Render the background without the character: [size, size, 3] uint8."""
        return shrink(colour_table(0, background_colours)[0][self._backdrop], self._factor)

    def drawing(self) -> np.ndarray:
        """Return the character's lines, dark on white paper: [size, size] uint8."""
        return 255 - shrink((self._figure[0] == Part.LINE).astype(np.uint8) * 255, self._factor)

    def mask(self) -> np.ndarray:
        """Return the character's mask, 255 inside: [size, size] uint8."""
        return shrink((self._figure[0] > 0).astype(np.uint8) * 255, self._factor)

    def shaded(self) -> np.ndarray:
        """Return which pixels lie in shade wholly, lines aside: [size, size] bool."""
        ids, shade = self._figure
        return shrink((shade & (ids != Part.LINE)).astype(np.uint8) * 255, self._factor) == 255

    def part(self, part: Part) -> np.ndarray:
        """Return where a part fills whole pixels: [size, size] bool."""
        return shrink((self._figure[0] == part).astype(np.uint8) * 255, self._factor) == 255
