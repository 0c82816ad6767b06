"""The training loop all stages share: AdamW, cosine schedule, moving average, resumable states, a loss plot."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

log = logging.getLogger(__name__)

SAVE_SECONDS = 120.0


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a stage learns. Source of the numbers: tried on small runs."""

    steps: int
    rate: float
    seed: int
    warmup: int = 50
    decay: float = 0.998
    weight_decay: float = 0.01
    clip: float = 1.0


def _cosine(recipe: Recipe) -> Callable[[int], float]:
    def factor(step: int) -> float:
        if step < recipe.warmup:
            return (step + 1) / recipe.warmup
        along = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
        return 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1.0, along)))

    return factor


def plot(history: dict[str, list[float]], path: Path) -> None:
    """Draw the losses of all stages so far, smoothed, one panel each, on a logarithmic scale."""
    panels = []
    for name, values in history.items():
        panel = Image.new("RGB", (360, 220), "white")
        draw = ImageDraw.Draw(panel)
        window = max(1, len(values) // 100)
        smooth = (
            np.convolve(values, np.ones(window) / window, mode="valid") if len(values) > 1 else np.array(values * 2)
        )
        scaled = np.log(np.maximum(smooth, 1e-8))
        spread = max(1e-6, scaled.max() - scaled.min())
        x = np.linspace(20, 340, len(scaled))
        y = 190 - 150 * (scaled - scaled.min()) / spread
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=(190, 60, 40), width=2)
        draw.text((20, 8), f"{name}: {smooth[0]:.3f} to {smooth[-1]:.3f}, {len(values)} steps (log)", fill="black")
        panels.append(np.asarray(panel))
    Image.fromarray(np.concatenate(panels, axis=1)).save(path)


def train(
    name: str,
    modules: nn.Module,
    parameters: Iterable[nn.Parameter],
    step_loss: Callable[[np.random.Generator, int], Tensor],
    recipe: Recipe,
    state: Path,
) -> None:
    """Train a stage to its end, going on from a saved state if there is one; `modules` ends up with averaged weights.

    Args:
        name: the stage, also the state's file name.
        modules: all that is saved and averaged.
        parameters: those of its parameters that learn.
        step_loss: gives the loss of one step from a generator that depends on seed and step alone.
        recipe: length and rates.
        state: folder for states, losses and the plot.
    """
    learning = list(parameters)
    optimiser = torch.optim.AdamW(learning, lr=recipe.rate, betas=(0.9, 0.99), weight_decay=recipe.weight_decay)
    share_of_rate = _cosine(recipe)
    average = AveragedModel(modules, multi_avg_fn=get_ema_multi_avg_fn(recipe.decay))
    losses: list[float] = []
    file = state / f"{name}.pt"
    if file.is_file():
        saved = torch.load(file, weights_only=True)
        modules.load_state_dict(saved["modules"])
        average.load_state_dict(saved["average"])
        if not saved["done"]:
            optimiser.load_state_dict(saved["optimiser"])
        losses = saved["losses"]
        log.info("%s: %d of %d steps are done", name, len(losses), recipe.steps)

    def save(done: bool) -> None:
        content = {"modules": modules.state_dict(), "average": average.state_dict(), "losses": losses, "done": done}
        if not done:
            content["optimiser"] = optimiser.state_dict()
        torch.save(content, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
        record = state / "losses.json"
        history = json.loads(record.read_text()) if record.is_file() else {}
        history[name] = losses
        record.write_text(json.dumps(history))
        plot(history, state / "losses.png")

    last_save = time.monotonic()
    if len(losses) < recipe.steps:
        for step in tqdm(
            range(len(losses), recipe.steps), name, initial=len(losses), total=recipe.steps, mininterval=10
        ):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * share_of_rate(step)
            optimiser.zero_grad(set_to_none=True)
            torch.manual_seed(recipe.seed * 1_000_003 + step)
            loss = step_loss(np.random.default_rng([recipe.seed, step]), step)
            loss.backward()
            nn.utils.clip_grad_norm_(learning, recipe.clip)
            optimiser.step()
            average.update_parameters(modules)
            losses.append(loss.item())
            if step % 50 == 49:
                log.info("%s %d: loss %.4f", name, step + 1, float(np.mean(losses[-50:])))
            if time.monotonic() - last_save > SAVE_SECONDS:
                save(done=False)
                last_save = time.monotonic()
        save(done=True)
    modules.load_state_dict(average.module.state_dict())
