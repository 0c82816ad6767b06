"""The last two stages: background injection with split LoRA, then style."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model import CHANNELS, OUTPUT_BLOCKS, Conditions, DemoModel
from stages import COLOURS, v_loss

PROBED = range(3, 12)
"""Output blocks whose injection is asked for the background at its place, by a throw-away layer each."""


class BackgroundStage(nn.Module):
    """Stage 4: background encoder, injection and split LoRA, together with the UNet.

    A frozen UNet learns nothing from injection, so it goes on learning here. Each injected skip also answers, through a
    throw-away layer, what the background's latent is at its place: so injection learns to look things up by place.
    """

    def __init__(self, model: DemoModel) -> None:
        super().__init__()
        self.model = model
        self.probes = nn.ModuleList(nn.Conv2d(CHANNELS, 16, 1) for _ in PROBED)

    def forward(self, batch: tuple[Tensor, ...], x: Tensor, v: Tensor) -> Tensor:
        lines, mask, references, behind, split, keep, timesteps, inject, strength, latent, sizes, blind, own_tokens = (
            batch
        )
        model = self.model
        tokens = model.tower(torch.cat([references, behind]))
        front, back = tokens.chunk(2)
        encoded = model.background(latent, torch.where(own_tokens[:, None, None], back, front), sizes)
        features = [strength[:, None, None] * f for f in encoded]
        context = torch.cat([front, back * blind[:, None, None]], dim=1) * keep[:, None, None]
        hints = [hint.repeat_interleave(COLOURS, dim=0) for hint in model.sketch(lines)]
        given = Conditions(context, hints, mask, split, inject, features)
        predicted, injected = model.denoise(x, timesteps, given)
        return v_loss(predicted, v, mask) + 0.3 * self._probe(injected, latent, strength)

    def _probe(self, injected: list[Tensor], latent: Tensor, rows: Tensor) -> Tensor:
        """Mean squared error of the probes on a 2× finer grid than their block's, for rows in `rows` (0 or 1)."""
        total = torch.zeros(())
        for probe, number in zip(self.probes, PROBED, strict=True):
            answer = F.pixel_shuffle(probe(injected[number]), 2)
            side = min(answer.shape[-1], latent.shape[-1])
            error = F.adaptive_avg_pool2d(answer.float(), side) - F.adaptive_avg_pool2d(latent, side)
            total = total + (error.square().mean(dim=(1, 2, 3)) * rows).sum() / rows.sum().clamp(min=1)
        return total / len(PROBED)


class StyleStage(nn.Module):
    """Stage 5: style encoder and style modulation, together with the UNet; the other encoders are kept as they are.

    Half of the rows have no style, so that nothing learned before is lost. The style encoder also answers, through a
    throw-away layer, how the reference is inked and shaded.
    """

    def __init__(self, model: DemoModel) -> None:
        super().__init__()
        self.model = model
        self.probe = nn.Linear(OUTPUT_BLOCKS * 2 * CHANNELS, 4)

    def forward(self, batch: tuple[Tensor, ...], x: Tensor, v: Tensor) -> Tensor:
        *common, latent, sizes, style_latent, style_sizes, style_on, style_answers = batch
        lines, mask, references, behind, split, keep, timesteps, inject, strength = common
        model = self.model
        with torch.no_grad():
            front, back = model.tower(torch.cat([references, behind])).chunk(2)
            features = [strength[:, None, None] * f for f in model.background(latent, back, sizes)]
            hints = [hint.repeat_interleave(COLOURS, dim=0) for hint in model.sketch(lines)]
        style = model.style(style_latent, front, style_sizes)
        told = self.probe(torch.cat([part.flatten(1) for part in style], dim=1)).float()
        context = torch.cat([front, back], dim=1) * keep[:, None, None]
        given = Conditions(context, hints, mask, split, inject, features, style, style_on)
        predicted = model.denoise(x, timesteps, given)[0]
        return v_loss(predicted, v, mask) + 0.1 * (told - style_answers).square().mean()
