"""Train the demonstration model from nothing: python demo/train.py

Stages, each resumable (run the same command again): vae, tower, base, background, style, decoder. States, losses.json,
losses.png and, after each stage, the checkpoint so far go to demo/.state; the end replaces the shipped file. README.md
says what each stage learns.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import logging
import shutil
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from comfy_path import DEMO, EXAMPLES, import_comfyui
from loop import Recipe, train

if TYPE_CHECKING:
    from stages import Batch

STATE = DEMO / ".state"
CHECKPOINT = EXAMPLES / "colorize-demo.safetensors"

RECIPES = {
    "vae": Recipe(steps=1300, rate=1.3e-3, seed=1, warmup=100, decay=0.99),
    "tower": Recipe(steps=600, rate=1.5e-3, seed=2, decay=0.98),
    "base": Recipe(steps=1600, rate=1.3e-3, seed=3, decay=0.995),
    "background": Recipe(steps=800, rate=1.0e-3, seed=4, decay=0.99),
    "style": Recipe(steps=620, rate=1.0e-3, seed=5, decay=0.99),
    "decoder": Recipe(steps=500, rate=1.0e-3, seed=6, decay=0.98),
}

FIGURES, STYLED_FIGURES, BACKDROPS = 1400, 1400, 3500
"""Characters, those of the last stage, and backgrounds in training."""


class Trainer:
    """The model with its autoencoder, and what each stage needs of both."""

    def __init__(self, compiled: bool) -> None:
        import autoencoder
        from dataset import build_pools

        self.compiled = compiled
        torch.manual_seed(0)
        self.pools = build_pools(FIGURES, BACKDROPS)
        self.vae = autoencoder.build()

    def vae_stage(self) -> None:
        import autoencoder
        from model import DemoModel
        from stages import Heads

        autoencoder.train_autoencoder(self.vae, self.pools, RECIPES["vae"], STATE, self.compiled)
        self.vae.requires_grad_(False)
        if self.compiled:
            self.vae.encoder.compile(dynamic=False)
        torch.manual_seed(1)
        self.model = DemoModel()
        self.heads = Heads()

    def _call(self, module: nn.Module):
        forward = torch.compile(module, dynamic=False) if self.compiled else module

        def call(*tensors) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16):
                return forward(*tensors)

        return call

    def tower_stage(self) -> None:
        from stages import TowerStage, tower_batch

        stage = TowerStage(self.model, self.heads)
        call = self._call(stage)
        train(
            "tower",
            stage,
            stage.parameters(),
            lambda rng, step: call(*tower_batch(self.pools, rng)),
            RECIPES["tower"],
            STATE,
        )

    def _encode(self, pictures: Tensor) -> Tensor:
        from autoencoder import encode

        with torch.autocast("cpu", torch.bfloat16):
            return encode(self.vae, pictures)

    def _behind(self, batch: Batch) -> Tensor:
        """Return the backgrounds' latents for rows with injection, zeros for the others."""
        rows = batch.strength > 0
        latents = torch.zeros_like(batch.latents)
        latents[rows] = self._encode(batch.behind_pictures[rows])
        return latents

    def _targets(self, name: str, figures: int, seed: int, styled: bool) -> tuple[list, Tensor]:
        """Return the targets and their latents, encoded once."""
        from stages import draw_targets, paint

        targets = draw_targets(self.pools, figures, seed, styled)
        file = STATE / f"{name}-latents.pt"
        if file.is_file():
            return targets, torch.load(file, weights_only=True)
        batches = [targets[start : start + 48] for start in range(0, len(targets), 48)]
        latents = torch.cat([self._encode(paint(self.pools, batch)) for batch in tqdm(batches, f"{name} latents")])
        torch.save(latents, file)
        return targets, latents

    def base_stage(self) -> None:
        from stages import SCHEDULE, BaseStage, diffusion_batch

        targets, latents = self._targets("base", FIGURES, 3, styled=False)
        stage = BaseStage(self.model, self.heads)
        call = self._call(stage)

        def loss(rng: np.random.Generator, step: int) -> Tensor:
            b = diffusion_batch(self.pools, targets, latents, rng, injection=False)
            x, v = SCHEDULE.noised(b.latents, b.timesteps)
            common = (b.lines, b.mask, b.references, b.behind, b.split, b.keep, b.timesteps)
            return call((*common, b.reference_answers, b.shares), x, v)

        parts = (self.model.unet, self.model.sketch, self.model.tower, self.heads)
        parameters = itertools.chain.from_iterable(part.parameters() for part in parts)
        train("base", stage, parameters, loss, RECIPES["base"], STATE)

    def background_stage(self) -> None:
        from injection_stages import BackgroundStage
        from model import start_injection
        from stages import ROWS, SCHEDULE, diffusion_batch, random_sizes

        targets, latents = self._targets("base", FIGURES, 3, styled=False)
        start_injection(self.model)
        stage = BackgroundStage(self.model)
        call = self._call(stage)

        def loss(rng: np.random.Generator, step: int) -> Tensor:
            b = diffusion_batch(self.pools, targets, latents, rng, injection=True)
            x, v = SCHEDULE.noised(b.latents, b.timesteps)
            latent = self._behind(b)
            blind = torch.from_numpy(rng.random(ROWS) >= 0.35).float().maximum(1 - b.strength)
            own_tokens = torch.from_numpy(rng.random(ROWS) < 0.7)
            sizes = random_sizes(rng, ROWS)
            common = (b.lines, b.mask, b.references, b.behind, b.split, b.keep, b.timesteps, b.inject, b.strength)
            return call((*common, latent, sizes, blind, own_tokens), x, v)

        model = self.model
        parts = (model.unet, model.background, model.injection, model.lora, stage.probes)
        parameters = itertools.chain.from_iterable(part.parameters() for part in parts)
        for part in (model.sketch, model.tower):
            part.requires_grad_(False)
        train("background", stage, parameters, loss, RECIPES["background"], STATE)

    def style_stage(self) -> None:
        from injection_stages import StyleStage
        from model import start_from_unet
        from stages import ROWS, SCHEDULE, diffusion_batch, random_sizes

        targets, latents = self._targets("style", STYLED_FIGURES, 5, styled=True)
        model = self.model
        start_from_unet(model.style, model.unet)
        model.requires_grad_(False)
        learning = (model.style, model.modulation, model.unet, model.injection, model.lora)
        for part in learning:
            part.requires_grad_(True)
        stage = StyleStage(model)
        call = self._call(stage)

        def loss(rng: np.random.Generator, step: int) -> Tensor:
            b = diffusion_batch(self.pools, targets, latents, rng, injection=True, styled=True)
            x, v = SCHEDULE.noised(b.latents, b.timesteps)
            latent, style_latent = self._behind(b), self._encode(b.reference_pictures)
            common = (b.lines, b.mask, b.references, b.behind, b.split, b.keep, b.timesteps, b.inject, b.strength)
            sizes, style_sizes = random_sizes(rng, ROWS), random_sizes(rng, ROWS)
            return call((*common, latent, sizes, style_latent, style_sizes, b.style_on, b.style_answers), x, v)

        parts = (*learning, stage.probe)
        parameters = itertools.chain.from_iterable(part.parameters() for part in parts)
        train("style", stage, parameters, loss, RECIPES["style"], STATE)

    def decoder_stage(self) -> None:
        from autoencoder import polish_decoder
        from stages import paint

        pools = [
            self._targets("base", FIGURES, 3, styled=False),
            self._targets("style", STYLED_FIGURES, 5, styled=True),
        ]

        def examples(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
            targets, latents = pools[int(rng.random() < 0.4)]
            chosen = rng.integers(len(targets), size=6).tolist()
            return latents[chosen], paint(self.pools, [targets[i] for i in chosen])

        polish_decoder(self.vae, examples, RECIPES["decoder"], STATE, self.compiled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", choices=list(RECIPES), help="stop after this stage, and keep the shipped file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="compile every stage: pays off on many cores only")
    parser.add_argument("--short", type=float, default=1.0, help="share of each stage's steps: a trial's, or above 1")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    import_comfyui("--use-pytorch-cross-attention")
    torch.set_num_threads(arguments.threads)
    # On these small maps plain matrix products beat the fused attention, whose backward pass is slow in bfloat16.
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    STATE.mkdir(exist_ok=True)
    for name, recipe in RECIPES.items():
        RECIPES[name] = dataclasses.replace(recipe, steps=max(2, round(recipe.steps * arguments.short)))
    trainer = Trainer(arguments.compile)
    import export

    for name in RECIPES:
        getattr(trainer, f"{name}_stage")()
        file = STATE / CHECKPOINT.name
        export.write(trainer.model, trainer.vae, file)
        logging.info("wrote %s after stage %s, %.1f MB", file, name, file.stat().st_size / 1e6)
        if name == arguments.until:
            break
    else:
        shutil.copy(file, CHECKPOINT)


if __name__ == "__main__":
    main()
