"""Stage 1: a small VAE in Stable Diffusion's layout, 8× down to 4 channels, with whitened latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataset import Pools, random_pictures
from loop import Recipe, train
from weights import initialise, start_at_zero

LATENT_SCALE = 0.18215
"""What Stable Diffusion multiplies latents by. Source: spec section 1."""

CONFIG = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 128,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 64,
    "ch_mult": (1, 1, 1, 1),
    "num_res_blocks": 1,
    "attn_resolutions": (),
    "dropout": 0.0,
}

CARRIER = 12.0
"""Height of the carriers' border."""

NOISE = 0.08
"""Noise on the latents while training, in units of their spread: errors of that size must not show."""


def build() -> nn.Module:
    """Return ComfyUI's AutoencoderKL in the demonstration's widths; the layout is that of `first_stage_model`."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    vae = AutoencoderKL(ddconfig=CONFIG, embed_dim=4)
    initialise(vae)
    start_linear(vae)
    return vae


@torch.no_grad()
def start_linear(vae: nn.Module) -> None:
    """Start as a linear autoencoder that keeps the mean colour of each 8×8 pixels.

    A group norm of 32 groups on 64 channels sees two channels a group: flat colour does not get through. So the first
    16 groups pair a signal with a carrier, a pattern that is the same for every picture (the border that zero padding
    makes), whose spread makes the norm almost linear in the signal. Channels 0, 2 and 4 start as red, green and blue.
    """
    carriers, colours = slice(1, 32, 2), (0, 2, 4)
    for module in vae.modules():
        if hasattr(module, "norm2"):
            start_at_zero(module.conv2)
        if hasattr(module, "proj_out"):
            start_at_zero(module.proj_out)
    encoder, decoder = vae.encoder, vae.decoder
    for first in (encoder.conv_in, decoder.conv_in):
        first.weight[carriers], first.bias[carriers] = 0.0, 1.0
        for source, channel in enumerate(colours):
            first.weight[channel], first.bias[channel] = 0.0, 0.0
            first.weight[channel, source, 1, 1] = 1.0
    downs = [encoder.down[level].downsample.conv for level in range(3)]
    ups = [decoder.up[level].upsample.conv for level in (3, 2, 1)]
    for conv, taps, ring in (
        *((conv, slice(0, 2), conv is downs[-1]) for conv in downs),
        *((conv, slice(1, 2), conv is ups[0]) for conv in ups),
    ):
        width = len(conv.weight)
        conv.weight.mul_(0.5)
        conv.weight[:32], conv.bias[:32] = 0.0, 0.0
        for channel in range(width):
            conv.weight[channel, channel, taps, taps] += 0.25 if taps.stop - taps.start == 2 else 1.0
        if ring:
            for channel in range(1, 32, 2):
                conv.weight[channel] = 0.0
                conv.weight[channel, channel], conv.bias[channel] = -CARRIER / 9, CARRIER
    vae.quant_conv.weight.copy_(torch.eye(8)[:, :, None, None])
    vae.post_quant_conv.weight.copy_(torch.eye(4)[:, :, None, None])


def moments_to_latent(moments: Tensor) -> Tensor:
    """Return the posterior's mean [B, 4, h, w] of [B, 8, h, w]."""
    return moments[:, :4]


def _fit(conv: nn.Module, inputs: Tensor, answers: Tensor) -> None:
    """Set a convolution's middle taps to the ridge regression of `answers` [N, c, h, w] on its inputs."""
    x = inputs.permute(0, 2, 3, 1).reshape(-1, inputs.shape[1]).double()
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    y = answers.permute(0, 2, 3, 1).reshape(-1, answers.shape[1]).double()
    ridge = 1e-3 * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    solution = torch.linalg.solve(x.T @ x + ridge, x.T @ y).float()
    outputs = answers.shape[1]
    conv.weight[:outputs] = 0.0
    conv.weight[:outputs, :, 1, 1], conv.bias[:outputs] = solution[:-1].T, solution[-1]


@torch.no_grad()
def fit_last_layers(vae: nn.Module, pictures: Tensor) -> None:
    """Let three latents be the mean colours of 8×8 pixels, and the decoder give them back, by linear regression."""
    seen: dict[nn.Module, Tensor] = {}
    hooks = [
        conv.register_forward_pre_hook(lambda module, inputs: seen.update({module: inputs[0]}))
        for conv in (vae.encoder.conv_out, vae.decoder.conv_out)
    ]
    vae.encoder(pictures)
    _fit(vae.encoder.conv_out, seen[vae.encoder.conv_out], 2 * F.avg_pool2d(pictures, 8))
    vae.decoder(vae.post_quant_conv(moments_to_latent(vae.quant_conv(vae.encoder(pictures)))))
    _fit(vae.decoder.conv_out, seen[vae.decoder.conv_out], pictures)
    for hook in hooks:
        hook.remove()


def picture_loss(decoded: Tensor, pictures: Tensor) -> Tensor:
    """How far pictures [B, 3, H, W] in [-1, 1] are apart: pixels, edges, and colours of 4×4 pixels."""
    error = decoded.float() - pictures
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + error.square().mean() + 0.3 * edges + F.avg_pool2d(error, 4).abs().mean()


class Roundtrip(nn.Module):
    """Encode, disturb, decode."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        latent = moments_to_latent(self.vae.quant_conv(self.vae.encoder(pictures)))
        noisy = latent + NOISE * torch.randn_like(latent)
        return self.vae.decoder(self.vae.post_quant_conv(noisy)), latent


def train_autoencoder(vae: nn.Module, pools: Pools, recipe: Recipe, state: Path, compiled: bool) -> None:
    """Train on crops of 64 pixels for most of the time, on whole pictures at the end; then whiten the latents."""
    fit_last_layers(
        vae, random_pictures(pools, np.random.default_rng([recipe.seed, 10**6 + 1]), 16)[:, :, 32:96, 32:96]
    )
    roundtrip = Roundtrip(vae)
    forward = torch.compile(roundtrip, dynamic=False) if compiled else roundtrip
    crops_until = int(recipe.steps * 0.75)

    def loss(rng: np.random.Generator, step: int) -> Tensor:
        if step < crops_until:
            x, y = rng.integers(0, 65, size=2)
            pictures = random_pictures(pools, rng, 16)[:, :, y : y + 64, x : x + 64]
        else:
            pictures = random_pictures(pools, rng, 6)
        with torch.autocast("cpu", torch.bfloat16):
            decoded, latent = forward(pictures.contiguous())
        size = latent.float().square().mean()
        return picture_loss(decoded, pictures) + 0.01 * F.relu(size - 1.0) + 1e-4 * size

    train("vae", vae, vae.parameters(), loss, recipe, state)
    whiten(vae, random_pictures(pools, np.random.default_rng([recipe.seed, 10**6]), 96))


class Decoder(nn.Module):
    """The decoding half, from latents of unit variance."""

    def __init__(self, vae: nn.Module) -> None:
        super().__init__()
        self.post_quant_conv, self.decoder = vae.post_quant_conv, vae.decoder

    def forward(self, latents: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(latents / LATENT_SCALE))


def polish_decoder(
    vae: nn.Module,
    examples: Callable[[np.random.Generator], tuple[Tensor, Tensor]],
    recipe: Recipe,
    state: Path,
    compiled: bool,
) -> None:
    """Train the decoder alone on, for the latents are settled: lines become crisper and errors of the UNet matter less.

    Args:
        examples: gives latents [B, 4, 16, 16] of unit variance and their pictures [B, 3, 128, 128] in [-1, 1].
    """
    decoder = Decoder(vae)
    forward = torch.compile(decoder, dynamic=False) if compiled else decoder

    def loss(rng: np.random.Generator, step: int) -> Tensor:
        latents, pictures = examples(rng)
        with torch.autocast("cpu", torch.bfloat16):
            decoded = forward(latents + NOISE * torch.randn_like(latents))
        return picture_loss(decoded, pictures)

    decoder.requires_grad_(True)
    train("decoder", decoder, decoder.parameters(), loss, recipe, state)


@torch.no_grad()
def whiten(vae: nn.Module, pictures: Tensor) -> None:
    """Fold a whitening of the latents into quant_conv and its inverse into post_quant_conv.

    Afterwards latents × `LATENT_SCALE` have mean 0 and covariance 1 over these pictures. The mean alone is ever used:
    the posterior's spread becomes negligible.
    """
    latents = torch.cat([moments_to_latent(vae.quant_conv(vae.encoder(part))) for part in pictures.split(8)])
    points = latents.permute(1, 0, 2, 3).flatten(1).double()
    mean = points.mean(dim=1)
    variance, axes = torch.linalg.eigh(torch.cov(points))
    turn = (axes * variance.rsqrt() @ axes.T) / LATENT_SCALE
    back = torch.linalg.inv(turn)
    weight, bias = vae.quant_conv.weight[:4, :, 0, 0].double(), vae.quant_conv.bias[:4].double()
    new_weight, new_bias = torch.zeros_like(vae.quant_conv.weight), torch.full_like(vae.quant_conv.bias, -20.0)
    new_weight[:4, :, 0, 0], new_bias[:4] = turn @ weight, turn @ (bias - mean)
    vae.quant_conv.weight.copy_(new_weight)
    vae.quant_conv.bias.copy_(new_bias)
    weight, bias = vae.post_quant_conv.weight[:, :, 0, 0].double(), vae.post_quant_conv.bias.double()
    vae.post_quant_conv.weight.copy_((weight @ back)[:, :, None, None])
    vae.post_quant_conv.bias.copy_(bias + weight @ mean)


@torch.no_grad()
def encode(vae: nn.Module, pictures: Tensor, batch: int = 8) -> Tensor:
    """Return the latents [N, 4, 16, 16], unit variance, of pictures [N, 3, 128, 128] in [-1, 1].

    The encoder always sees whole batches, so that a compiled one is compiled once.
    """
    count = len(pictures)
    padded = F.pad(pictures, (0, 0, 0, 0, 0, 0, 0, -count % batch))
    parts = [moments_to_latent(vae.quant_conv(vae.encoder(part.contiguous()))) for part in padded.split(batch)]
    return torch.cat(parts)[:count].float() * LATENT_SCALE


@torch.no_grad()
def decode(vae: nn.Module, latents: Tensor) -> Tensor:
    """Return pictures [N, 3, 128, 128] in [-1, 1] of unit-variance latents."""
    parts = latents.split(8)
    return torch.cat([vae.decoder(vae.post_quant_conv(part / LATENT_SCALE)) for part in parts]).clamp(-1, 1)
