"""The demonstration model: every part of a v2 checkpoint, narrow enough for a repository.

The UNet and the latent encoders are ComfyUI's, the sketch encoder, injection, style modulation and split LoRA are
`colorize_core`'s: what is trained is what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import comfy.ops
import torch
import torch.nn.functional as F
from colorizediffusion.colorize_core.family.latent_heads import build_heads
from colorizediffusion.colorize_core.family.sketch_encoder import HINT_BLOCKS, SketchEncoder
from colorizediffusion.colorize_core.host.family.latent_encoder import LatentEncoder
from colorizediffusion.colorize_core.prepare.masks import resize_mask
from colorizediffusion.colorize_core.sampling.background_injection import InjectionBlocks
from colorizediffusion.colorize_core.sampling.hints import deepest_first
from colorizediffusion.colorize_core.sampling.split_lora import SplitLora
from colorizediffusion.colorize_core.sampling.style_modulation import StyleModulation, modulate
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from torch import Tensor, nn

from image_tower import ImageTower
from weights import initialise, start_at_zero

CHANNELS = 64
CONTEXT = 128
TOWER_SIZE, TOWER_WIDTH, TOWER_LAYERS = 112, 128, 4
STEM = (16, 16, 32, 32, 64, 64, 64, CHANNELS)
OUTPUT_BLOCKS = 12
ATTENDING = range(3, 12)
"""Output blocks with a transformer."""

LORA_RANK = 4
THRESHOLD = 0.05
"""Above it a mask means character. Source: spec section 5."""

UNET_CONFIG = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": CHANNELS,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": (1, 1, 1, 1),
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "transformer_depth_middle": 1,
    "use_linear_in_transformer": True,
    "use_spatial_transformer": True,
    "context_dim": CONTEXT,
    "num_head_channels": 64,
    "use_checkpoint": False,
}

ENCODER_CONFIG = UNET_CONFIG | {
    "transformer_depth_middle": -2,
    "transformer_depth_output": [0] * 12,
    "num_classes": "sequential",
    "adm_in_channels": 512,
}


@dataclass
class Conditions:
    """All that conditions one call of the UNet, for B rows.

    Attributes:
        context: [B, 2N, D]: the reference's tokens, then the background's (plain rows: the reference's twice).
        hints: the sketch encoder's five.
        mask: [B, 16, 16], the character's mask at the latent's size.
        split: [B] bool, rows that use the mask; the others attend to everything.
        inject: [B] in {0, 1}, rows with background injection and split LoRA; None for none at all.
        features: the background encoder's outputs, one an output block.
        style: the style encoder's outputs, one an output block.
        style_on: [B] in {0, 1}, rows that they modulate; None for all.
    """

    context: Tensor
    hints: Sequence[Tensor]
    mask: Tensor
    split: Tensor
    inject: Tensor | None = None
    features: Sequence[Tensor] | None = None
    style: Sequence[Tensor] | None = None
    style_on: Tensor | None = None


def _encoder(style: bool) -> LatentEncoder:
    shapes = [(2 * CHANNELS, CHANNELS) if style else (CHANNELS, CHANNELS, 1, 1)] * OUTPUT_BLOCKS
    heads, apply_head = build_heads(shapes)
    encoder = LatentEncoder(ENCODER_CONFIG, heads, apply_head, comfy.ops.disable_weight_init, dtype=torch.float32)
    initialise(encoder)
    return encoder


def _zero_residuals(unet: nn.Module) -> None:
    for module in unet.modules():
        if hasattr(module, "out_layers"):
            start_at_zero(module.out_layers[-1])
        if hasattr(module, "proj_out"):
            start_at_zero(module.proj_out)


class DemoModel(nn.Module):
    """All parts beside the VAE."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = UNetModel(**UNET_CONFIG, dtype=torch.float32, operations=comfy.ops.disable_weight_init)
        initialise(self.unet)
        _zero_residuals(self.unet)
        start_at_zero(self.unet.out[-1])
        self.sketch = SketchEncoder(STEM, (CHANNELS,) * 4)
        self.tower = ImageTower(TOWER_SIZE, TOWER_WIDTH, TOWER_LAYERS, CONTEXT)
        self.background, self.style = _encoder(style=False), _encoder(style=True)
        self.injection = InjectionBlocks((CHANNELS,) * OUTPUT_BLOCKS)
        self.modulation = StyleModulation((2 * CHANNELS,) * OUTPUT_BLOCKS, 4 * CHANNELS)
        for block in self.injection.warp_modules:
            start_at_zero(block.attn.to_out, block.ff[-1])
        for block in self.modulation.style_modules:
            start_at_zero(block[2])
        self.lora = SplitLora(dict(_lora_shapes()))
        for name, parameter in self.lora.named_parameters():
            if ".up." in name:
                nn.init.zeros_(parameter)

    def denoise(self, x: Tensor, timesteps: Tensor, given: Conditions) -> tuple[Tensor, list[Tensor]]:
        """Predict v.

        Args:
            x: [B, 4, 16, 16], noised latents of unit variance. timesteps: [B] in 0 … 999.

        Returns:
            v [B, 4, 16, 16], and the injected skips (none without injection), one [B, c, h, w] an output block.
        """
        regions = Regions(given)
        attention = SplitAttention(self, given, regions)
        options = {"patches": {"attn2_patch": [attention.keep]}, "patches_replace": {"attn2": attention.replacements()}}
        embedding = self.unet.time_embed(timestep_embedding(timesteps, CHANNELS))
        modulations = self._modulations(given, embedding) if given.style is not None else None
        h, skips, injected = x, [], []
        for number, (block, hint) in enumerate(
            zip(self.unet.input_blocks, deepest_first(given.hints, HINT_BLOCKS)[::-1], strict=True)
        ):
            options["block"] = ("input", number)
            h = block(h, embedding, given.context, options)
            h = h if hint is None else h + hint
            skips.append(h)
        options["block"] = ("middle", 0)
        h = self.unet.middle_block(h, embedding, given.context, options)
        for number, block in enumerate(self.unet.output_blocks):
            options["block"] = ("output", number)
            skip = skips.pop()
            if given.features is not None:
                skip, warped = self._inject(number, skip, given, regions)
                injected.append(warped)
            h = block(torch.cat([h, skip], dim=1), embedding, given.context, options)
            if modulations is not None:
                h = modulate(h, *modulations[number])
        return self.unet.out(h), injected

    def _modulations(self, given: Conditions, embedding: Tensor) -> list[tuple[Tensor, Tensor]]:
        modulations = self.modulation(given.style, embedding)
        if given.style_on is None:
            return modulations
        on = given.style_on[:, None, None, None]
        return [(scale * on, shift * on) for scale, shift in modulations]

    def _inject(self, number: int, skip: Tensor, given: Conditions, regions: Regions) -> tuple[Tensor, Tensor]:
        """Return the skip with its background positions injected, and the injection at all positions."""
        warp, features = self.injection.warp_modules[number], given.features[number]
        tokens = skip.flatten(2).transpose(1, 2)  # [B, c, h, w] -> [B, h·w, c]
        warped = warp(tokens, *warp.keys_values(features))
        behind = ~regions.character(tokens.shape[1]) & (given.inject > 0)[:, None]
        result = torch.where(behind[:, :, None], warped.to(tokens.dtype), tokens)
        back = (skip.shape[0], skip.shape[1], *skip.shape[2:])
        return result.transpose(1, 2).reshape(back), warped.transpose(1, 2).reshape(back)


@torch.no_grad()
def start_from_unet(encoder: LatentEncoder, unet: nn.Module) -> None:
    """Let a latent encoder begin as a copy of the UNet's encoding half, which at timestep 0 reads clean latents."""
    encoder.input_blocks.load_state_dict(unet.input_blocks.state_dict())
    encoder.time_embed.load_state_dict(unet.time_embed.state_dict())
    start_at_zero(encoder.label_emb[0][2])


@torch.no_grad()
def start_injection(model: DemoModel) -> None:
    """Let injection begin by comparing skips with what the background encoder gives for the same block, as they are."""
    start_from_unet(model.background, model.unet)
    same = torch.eye(CHANNELS)
    for head, block in zip(model.background.zero_layers, model.injection.warp_modules, strict=True):
        head.weight.copy_(same[:, :, None, None])
        head.bias.zero_()
        for layer in (block.attn.to_q, block.attn.to_k, block.attn.to_v):
            layer.weight.copy_(same)


class Regions:
    """Where the character is at each block's size, worked out once a call."""

    def __init__(self, given: Conditions) -> None:
        self._given = given
        self._characters: dict[int, Tensor] = {}
        self._biases: dict[int, Tensor] = {}

    def character(self, count: int) -> Tensor:
        """Return [B, count] bool: which of the tokens of a square feature map belong to the character."""
        if count not in self._characters:
            side = round(count**0.5)
            self._characters[count] = (resize_mask(self._given.mask, side, side) > THRESHOLD).flatten(1)
        return self._characters[count]

    def bias(self, count: int) -> Tensor:
        """Return [B, 1, count, 2N]: 0 where a token may attend, a large negative number elsewhere."""
        if count not in self._biases:
            character, plain = self.character(count), ~self._given.split[:, None]
            half = self._given.context.shape[1] // 2
            allowed = torch.stack([character | plain, ~character | plain], dim=-1).repeat_interleave(half, dim=-1)
            self._biases[count] = torch.where(allowed, 0.0, -1e4)[:, None]
        return self._biases[count]


class SplitAttention:
    """Split cross-attention for training: one dense attention with a bias, so that shapes never change.

    It gives what `colorize_core.sampling.split_attention` gives by gathering; plain rows see the same tokens twice,
    which changes nothing.
    """

    def __init__(self, model: DemoModel, given: Conditions, regions: Regions) -> None:
        self._lora, self._given, self._regions = model.lora, given, regions
        self._x: Tensor | None = None

    def keep(self, n: Tensor, context: Tensor, value: Tensor, extra_options: dict) -> tuple[Tensor, Tensor, Tensor]:
        """Remember the queries' input, which the LoRA needs."""
        self._x = n
        return n, context, value

    def replacements(self) -> dict:
        """Return this attention for all 16 places, as ComfyUI's replace patches."""
        places = [("input", i) for i in (1, 2, 4, 5, 7, 8)] + [("middle", 0)] + [("output", i) for i in ATTENDING]
        return {place: self for place in places}

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        block, count = extra_options["block"], q.shape[1]
        if self._given.inject is not None and block[0] == "output":
            q, k, v = self._with_lora(block, q, k, v)
        heads = extra_options["n_heads"]
        q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v, self._regions.bias(count).to(q.dtype))
        return out.transpose(1, 2).flatten(2)

    def _with_lora(self, block: tuple[str, int], q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        on = self._given.inject[:, None, None]

        def add(projection: str, side: str, x: Tensor) -> Tensor:
            return self._lora.addition(block, projection, side, x) * on

        character = self._regions.character(q.shape[1])[:, :, None]
        q = q + torch.where(character, add("to_q", "fg", self._x), add("to_q", "bg", self._x))
        front, back = self._given.context.chunk(2, dim=1)
        k = k + torch.cat([add("to_k", "fg", front), add("to_k", "bg", back)], dim=1)
        v = v + torch.cat([add("to_v", "fg", front), add("to_v", "bg", back)], dim=1)
        return q, k, v


def _lora_shapes() -> list[tuple[str, tuple[int, int]]]:
    shapes = []
    for block in ATTENDING:
        for projection, width in (("to_q", CHANNELS), ("to_k", CONTEXT), ("to_v", CONTEXT)):
            for side in ("fg", "bg"):
                shapes.append((f"blocks.{block}.{projection}.{side}.down.weight", (LORA_RANK, width)))
                shapes.append((f"blocks.{block}.{projection}.{side}.up.weight", (CHANNELS, LORA_RANK)))
    return shapes
