"""What each stage after the autoencoder learns: batches and losses.

A batch is 6 characters in 4 palettes each, so that the sketch encoder runs once a character. The reference never shows
the target's geometry: another character in other hair and clothes, in the target's colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from colorizediffusion.colorize_core.carrier.tokens import normalise_for_clip
from colorizediffusion.colorize_core.family.size_embedding import size_embedding
from torch import Tensor, nn

from backgrounds import KINDS
from dataset import PALETTES, Pools, compose, line_maps, masks, render, table
from drawing import BACKGROUND_SLOTS, Part
from model import CHANNELS, CONTEXT, TOWER_SIZE, Conditions, DemoModel
from palettes import INKS, NEUTRAL, Style, random_style

FIGURES, COLOURS = 6, 4
ROWS = FIGURES * COLOURS

PARTS = (Part.HAIR, Part.SKIN, Part.TOP, Part.BOTTOM, Part.SHOES, Part.ACCESSORY)

DROP = 0.1
"""Share of rows without a reference, for guidance."""

CHARACTER_WEIGHT = 2.0
"""The character's share of the loss against the background's."""


@dataclass(frozen=True)
class Target:
    """What a target shows: seeds and pool numbers."""

    figure: int
    palette: int
    kind: int
    layout: int
    backdrop_palette: int
    style: Style = NEUTRAL


def draw_targets(pools: Pools, figures: int, seed: int, styled: bool = False) -> list[Target]:
    """Return `COLOURS` targets for each of the first `figures` characters, in their order.

    With `styled`, all but one of each character's are inked and shaded in some style.
    """
    rng = np.random.default_rng([seed, 77])
    targets = []
    for figure in range(figures):
        for number in range(COLOURS):
            inked = styled and number > 0
            kind = int(rng.integers(len(KINDS)))
            palette, backdrop_palette, style = rng.integers(PALETTES, size=3).tolist()
            layout = pools.layout(rng, kind)
            targets.append(
                Target(figure, palette, kind, layout, backdrop_palette, random_style(style) if inked else NEUTRAL)
            )
    return targets


def paint(pools: Pools, scenes: list[Target]) -> Tensor:
    """Render scenes: [B, 3, 128, 128] in [-1, 1]."""
    figures = pools.figures[[s.figure for s in scenes]]
    ids = compose(figures, pools.backdrops[[s.layout for s in scenes]])
    tables = torch.stack([table(s.palette, s.backdrop_palette, s.style) for s in scenes])
    return render(ids, pools.shades[[s.figure for s in scenes]], tables)


def paint_backdrops(pools: Pools, scenes: list[Target]) -> Tensor:
    """Render the backgrounds alone: [B, 3, 128, 128] in [-1, 1]."""
    tables = torch.stack([table(0, s.backdrop_palette) for s in scenes])
    return render(pools.backdrops[[s.layout for s in scenes]], None, tables)


def for_tower(pictures: Tensor) -> Tensor:
    """Normalise pictures in [-1, 1] as the image tower takes them."""
    return normalise_for_clip(pictures.movedim(1, -1) / 2 + 0.5, TOWER_SIZE)


def style_numbers(style: Style) -> list[float]:
    """Return the ink's three colours in [-1, 1] and twice the shading."""
    return [*(channel / 127.5 - 1 for channel in INKS[style.ink]), 2 * style.shading]


def random_sizes(rng: np.random.Generator, rows: int) -> Tensor:
    """Return size embeddings [rows, 512] of pictures of many sizes: what a picture's size is must not matter."""
    sizes = rng.integers(64, 1100, size=(rows, 2))
    sizes[rng.random(rows) < 0.4] = 128
    return torch.cat([size_embedding(int(h), int(w), 128, 128) for h, w in sizes])


class Schedule:
    """Stable Diffusion's noise: 1000 steps, scaled linear betas. Source: spec section 1."""

    def __init__(self) -> None:
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        kept = torch.cumprod(1 - betas, dim=0)
        self.signal, self.noise = kept.sqrt().float(), (1 - kept).sqrt().float()

    def noised(self, latent: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_t and v for latents [B, 4, h, w] and timesteps [B]."""
        noise = torch.randn_like(latent)
        a, b = self.signal[timesteps][:, None, None, None], self.noise[timesteps][:, None, None, None]
        return a * latent + b * noise, a * noise - b * latent


SCHEDULE = Schedule()


def v_loss(v: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error with the character weighted up; mask [B, 16, 16]."""
    weight = 1 + (CHARACTER_WEIGHT - 1) * (mask > 0.05)[:, None]
    return ((v.float() - target).square() * weight).sum() / (weight.sum() * v.shape[1])


def dense_answers(pools: Pools, scenes: list[Target], pictures: Tensor, alone: Tensor) -> Tensor:
    """What every token should know of its picture, [B, 64, 80].

    Its patch's share of 11 sorts of parts (background last) and mean colour, the six parts' colours, and the
    background's colours on a 4×4 grid. `alone` [B] bool marks backgrounds without a character.
    """
    nobody = torch.zeros(11, 8, 8)
    nobody[10] = 1.0
    shares = torch.where(alone[:, None, None, None], nobody, pools.shares[[s.figure for s in scenes]])
    patches = torch.cat([shares * 2, F.adaptive_avg_pool2d(pictures, 8)], dim=1).flatten(2).transpose(1, 2)
    parts = torch.stack([table(s.palette, 0)[list(PARTS)].flatten() for s in scenes]) * ~alone[:, None]
    slots = pools.slots[[s.layout for s in scenes]]  # [B, 24, 4, 4]
    colours = torch.stack([table(0, s.backdrop_palette)[:BACKGROUND_SLOTS] for s in scenes])  # [B, 24, 3]
    grid = torch.einsum("bshw,bsc->bchw", slots, colours).flatten(1)
    whole = torch.cat([parts, grid], dim=1)[:, None].expand(-1, 64, -1)
    return torch.cat([patches, whole], dim=2)


ANSWERS = 11 + 3 + 3 * len(PARTS) + 48
DRAWING_ANSWERS = 11


class Heads(nn.Module):
    """Throw-away layers through which the image tower and the sketch encoder answer what they see."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Linear(CONTEXT, ANSWERS)
        self.drawing = nn.Conv2d(5 * CHANNELS, DRAWING_ANSWERS, 1)

    def picture_error(self, tokens: Tensor, answers: Tensor) -> Tensor:
        """Mean squared error of tokens [B, 64, D] about `dense_answers`."""
        return (self.picture(tokens).float() - answers).square().mean()

    def drawing_error(self, hints: list[Tensor], shares: Tensor) -> Tensor:
        """Cross entropy of hints about which parts [B, 11, 16, 16] each place of the latent shows."""
        stacked = torch.cat([F.interpolate(hint, size=shares.shape[-2:], mode="bilinear") for hint in hints], dim=1)
        return F.cross_entropy(self.drawing(stacked).float(), shares)


class TowerStage(nn.Module):
    """Stage 2: image tower and sketch encoder alone: each tells, everywhere, what it sees."""

    def __init__(self, model: DemoModel, heads: Heads) -> None:
        super().__init__()
        self.tower, self.sketch, self.heads = model.tower, model.sketch, heads

    def forward(self, pictures: Tensor, answers: Tensor, lines: Tensor, shares: Tensor) -> Tensor:
        seen = self.heads.picture_error(self.tower(pictures), answers)
        return seen + 0.3 * self.heads.drawing_error(self.sketch(lines), shares)


def random_scenes(pools: Pools, rng: np.random.Generator, count: int) -> list[Target]:
    """Return scenes of any character, colours and background, a third of them in some style."""
    scenes = []
    for _ in range(count):
        kind = int(rng.integers(len(KINDS)))
        palette, backdrop_palette, style = rng.integers(PALETTES, size=3).tolist()
        styled = random_style(style) if rng.random() < 0.33 else NEUTRAL
        figure = int(rng.integers(len(pools.figures)))
        scenes.append(Target(figure, palette, kind, pools.layout(rng, kind), backdrop_palette, styled))
    return scenes


def tower_batch(pools: Pools, rng: np.random.Generator, count: int = 48) -> tuple[Tensor, ...]:
    """Return pictures for the tower and the answers, a quarter backgrounds alone; drawings and theirs."""
    scenes = random_scenes(pools, rng, count)
    alone = torch.arange(count) < count // 4
    pictures = torch.where(alone[:, None, None, None], paint_backdrops(pools, scenes), paint(pools, scenes))
    drawn = rng.integers(len(pools.figures), size=12)
    return (
        for_tower(pictures),
        dense_answers(pools, scenes, pictures, alone),
        line_maps(pools.figures[drawn]),
        pools.fine_shares[drawn],
    )


@dataclass
class Batch:
    """Tensors of a diffusion step; `references` and `behind` are ready for the tower."""

    latents: Tensor
    lines: Tensor
    mask: Tensor
    references: Tensor
    behind: Tensor
    split: Tensor
    keep: Tensor
    timesteps: Tensor
    reference_answers: Tensor
    behind_pictures: Tensor
    reference_pictures: Tensor
    inject: Tensor
    strength: Tensor
    shares: Tensor
    style_on: Tensor
    style_answers: Tensor


def diffusion_batch(
    pools: Pools,
    targets: list[Target],
    latents: Tensor,
    rng: np.random.Generator,
    injection: bool,
    styled: bool = False,
) -> Batch:
    """Draw a batch.

    Plain rows see a reference whose background is another layout of the target's kind in the target's colours. Split
    rows see any background in the reference, and the target's own colours in the background picture, half of the time
    in its very layout. Rows with injection always see the very layout. Some are bleached: with white holes where
    characters stood. Some split rows have an injection of strength 0.

    With `styled`, references have the target's style where `style_on` is 1 and any style elsewhere.
    """
    figures = np.repeat(rng.integers(len(targets) // COLOURS, size=FIGURES), COLOURS)
    chosen = [int(f) * COLOURS + i % COLOURS for i, f in enumerate(figures)]
    rows = [targets[i] for i in chosen]
    role = rng.choice(3, size=ROWS, p=[0.25, 0.25, 0.5] if injection else [0.45, 0.55, 0.0])
    references, behind, holes = [], [], torch.zeros(ROWS, 1, 128, 128)
    style_on = np.array([styled and (row.style != NEUTRAL or rng.random() < 0.4) for row in rows])
    for i, target in enumerate(rows):
        (other,) = random_scenes(pools, rng, 1)
        near = pools.layout(rng, target.kind)
        style = target.style if style_on[i] else other.style
        if role[i] == 0:
            references.append(Target(other.figure, target.palette, target.kind, near, target.backdrop_palette, style))
        else:
            references.append(
                Target(other.figure, target.palette, other.kind, other.layout, other.backdrop_palette, style)
            )
        exact = role[i] == 2 or rng.random() < 0.5
        behind.append(target if exact else Target(0, 0, target.kind, near, target.backdrop_palette))
        if role[i] > 0 and rng.random() < 0.25:
            # Bleaching with merged masks: a reference's character and another one leave white holes.
            two = pools.figures[[other.figure, int(rng.integers(len(pools.figures)))]]
            holes[i] = F.max_pool2d(masks(two).amax(dim=0, keepdim=True), 11, 1, 5)[0].round()
    split = torch.from_numpy(role > 0)
    inject = (role == 2) | ((role == 1) & (rng.random(ROWS) < 0.6) & injection)
    reference_pictures = paint(pools, references)
    behind_pictures = paint_backdrops(pools, behind)
    behind_pictures = behind_pictures * (1 - holes) + holes
    shown = torch.where(split[:, None, None, None], behind_pictures, reference_pictures)
    mask = F.interpolate(masks(pools.figures[figures[::COLOURS]]), size=(16, 16), mode="bicubic", align_corners=False)
    return Batch(
        latents=latents[chosen],
        lines=line_maps(pools.figures[figures[::COLOURS]]),
        mask=mask[:, 0].repeat_interleave(COLOURS, dim=0),
        references=for_tower(reference_pictures),
        behind=for_tower(shown),
        split=split,
        keep=torch.from_numpy(rng.random(ROWS) >= DROP).float(),
        timesteps=torch.from_numpy(rng.integers(1000, size=ROWS)),
        reference_answers=dense_answers(pools, references, reference_pictures, torch.zeros(ROWS, dtype=torch.bool)),
        behind_pictures=behind_pictures,
        reference_pictures=reference_pictures,
        inject=torch.from_numpy(inject).float(),
        strength=torch.from_numpy(role == 2).float(),
        shares=pools.fine_shares[figures[::COLOURS]],
        style_on=torch.from_numpy(style_on).float(),
        style_answers=torch.tensor([style_numbers(reference.style) for reference in references]),
    )


class BaseStage(nn.Module):
    """Stage 3: image tower, sketch encoder and UNet together."""

    def __init__(self, model: DemoModel, heads: Heads) -> None:
        super().__init__()
        self.model, self.heads = model, heads

    def forward(self, batch: tuple[Tensor, ...], x: Tensor, v: Tensor) -> Tensor:
        lines, mask, references, behind, split, keep, timesteps, answers, shares = batch
        tokens = self.model.tower(torch.cat([references, behind]))
        front, back = tokens.chunk(2)
        seen = self.model.sketch(lines)
        dense = self.heads.picture_error(front, answers) + 0.2 * self.heads.drawing_error(seen, shares)
        context = torch.cat([front, back], dim=1) * keep[:, None, None]
        hints = [hint.repeat_interleave(COLOURS, dim=0) for hint in seen]
        given = Conditions(context, hints, mask, split)
        return v_loss(self.model.denoise(x, timesteps, given)[0], v, mask) + 0.5 * dense
