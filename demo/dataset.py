"""Batches of rendered scenes for training: pools of geometry, recoloured at random.

Geometry is drawn once and kept as part numbers; every batch picks characters, backgrounds, palettes and styles and
looks the colours up. All seeds lie below `scenes.HELD_OUT`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from backgrounds import KINDS, draw_background
from character import draw_character
from drawing import BACKGROUND_SLOTS, TABLE_SIZE, Part
from palettes import NEUTRAL, Style, colour_table, random_style

SIZE = 128
OVERSAMPLE = 2

PALETTES = 4000
"""Training palettes: seeds 0 … 3999, for characters and backgrounds independently."""


@dataclass(frozen=True)
class Pools:
    """Geometry of the training scenes.

    Attributes:
        figures: [N, 256, 256] uint8 part numbers, 0 where the character is not.
        shades: [N, 256, 256] bool.
        backdrops: [M, 256, 256] uint8 part numbers; number m has kind m % 7, so that kinds repeat in order.
        shares: [N, 11, 8, 8], how much of each cell the character's ten sorts of parts and the background take.
        fine_shares: [N, 11, 16, 16], the same on the latent's grid.
        slots: [M, 24, 4, 4], how much of each cell the background's part numbers take.
    """

    figures: Tensor
    shades: Tensor
    backdrops: Tensor
    shares: Tensor
    fine_shares: Tensor
    slots: Tensor

    def layout(self, rng: np.random.Generator, kind: int) -> int:
        """Draw a background of the given kind."""
        count = len(self.backdrops) // len(KINDS)
        return int(rng.integers(count)) * len(KINDS) + kind


def build_pools(figures: int, backdrops: int) -> Pools:
    """Draw the geometry of seeds 0 … `figures` and 0 … `backdrops`."""
    size, kinds = SIZE * OVERSAMPLE, list(KINDS)
    canvases = [draw_character(seed, size) for seed in range(figures)]
    ids = torch.from_numpy(np.stack([canvas.ids for canvas in canvases]))
    scenery = torch.from_numpy(np.stack([draw_background(kinds[m % len(kinds)], m, size) for m in range(backdrops)]))
    fine = _shares(ids, [*range(Part.HAIR, Part.LINE + 1), 0], 16)
    return Pools(
        ids,
        torch.from_numpy(np.stack([canvas.shade for canvas in canvases])),
        scenery,
        F.avg_pool2d(fine, 2),
        fine,
        _shares(scenery, list(range(BACKGROUND_SLOTS)), 4),
    )


def _shares(ids: Tensor, numbers: list[int], cells: int) -> Tensor:
    """Return how much of each of cells × cells parts of a map every number takes: [N, len(numbers), cells, cells]."""
    result = torch.empty(len(ids), len(numbers), cells, cells)
    for index, number in enumerate(numbers):
        for start in range(0, len(ids), 100):
            found = (ids[start : start + 100] == number).float()
            result[start : start + 100, index] = F.adaptive_avg_pool2d(found[:, None], cells)[:, 0]
    return result


def table(character_seed: int, background_seed: int, style: Style = NEUTRAL) -> Tensor:
    """Return the colours [68, 3] in [-1, 1]: 34 lit ones, then 34 shaded ones."""
    colours = colour_table(character_seed, background_seed, style).reshape(2 * TABLE_SIZE, 3)
    return torch.from_numpy(colours.astype(np.float32) / 127.5 - 1.0)


def render(ids: Tensor, shade: Tensor | None, tables: Tensor) -> Tensor:
    """Look the colours up and average.

    Args:
        ids: [B, 256, 256] uint8.
        shade: [B, 256, 256] bool, or None for no shade.
        tables: [B, 68, 3].

    Returns:
        [B, 3, 128, 128] in [-1, 1].
    """
    index = ids.long()
    if shade is not None:
        index = index + TABLE_SIZE * shade
    rows = torch.arange(len(ids))[:, None, None] * tables.shape[1]
    colours = tables.reshape(-1, 3)[index + rows]
    return F.avg_pool2d(colours.permute(0, 3, 1, 2), OVERSAMPLE)


def compose(figure_ids: Tensor, backdrop_ids: Tensor) -> Tensor:
    """Put characters before backgrounds: [B, n, n] each."""
    return torch.where(figure_ids > 0, figure_ids, backdrop_ids)


def line_maps(figure_ids: Tensor) -> Tensor:
    """Return the sketch encoder's input [B, 3, 128, 128]: lines +1 on blank -1."""
    lines = F.avg_pool2d((figure_ids == Part.LINE).float()[:, None], OVERSAMPLE)
    return (2 * lines - 1).expand(-1, 3, -1, -1)


def masks(figure_ids: Tensor) -> Tensor:
    """Return the characters' masks [B, 1, 128, 128] in [0, 1]."""
    return F.avg_pool2d((figure_ids > 0).float()[:, None], OVERSAMPLE)


def random_pictures(pools: Pools, rng: np.random.Generator, count: int) -> Tensor:
    """Return pictures [count, 3, 128, 128] of every sort the autoencoder meets.

    Scenes in all styles, backgrounds alone, characters on white, backgrounds with a white hole.
    """
    figure = torch.from_numpy(rng.integers(len(pools.figures), size=count))
    backdrop = torch.from_numpy(rng.integers(len(pools.backdrops), size=count))
    seeds = rng.integers(PALETTES, size=(count, 3))
    sort = torch.from_numpy(rng.choice(4, size=count, p=[0.65, 0.2, 0.1, 0.05]))
    tables = torch.stack([table(c, b, random_style(s) if s % 2 else NEUTRAL) for c, b, s in seeds.tolist()])
    figures = pools.figures[figure]
    ids = torch.where(sort[:, None, None] == 1, pools.backdrops[backdrop], compose(figures, pools.backdrops[backdrop]))
    pictures = render(ids, pools.shades[figure] & (ids >= Part.HAIR), tables)
    mask = masks(figures)
    white = torch.where(
        sort[:, None, None, None] == 2, 1 - mask, torch.where(sort[:, None, None, None] == 3, mask, 0.0)
    )
    return pictures * (1 - white) + white
