"""A small image tower in OpenCLIP's layout: what `cond_stage_model.visual.model` holds, trainable.

ComfyUI's own tower changes its input in place, which gradients cannot pass; the mathematics is the same.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 14
HEAD = 64


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = projected.unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 2 * width), "c_proj": nn.Linear(2 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x))))


class ImageTower(nn.Module):
    """Turn normalised pictures into tokens.

    Args:
        size: side of the pictures in pixels, a multiple of 14.
        width: channels inside, a multiple of 64.
        layers: transformer blocks.
        tokens_width: channels of the tokens.
    """

    def __init__(self, size: int, width: int, layers: int, tokens_width: int) -> None:
        super().__init__()
        count = (size // PATCH) ** 2 + 1
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(count, width) * width**-0.5)
        self.proj = nn.Parameter(torch.randn(width, tokens_width) * width**-0.5)
        self.conv1 = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(_Block(width) for _ in range(layers))})

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pixels: [B, 3, size, size], normalised as CLIP does.

        Returns:
            [B, (size / 14)², tokens_width], all tokens but the class's.
        """
        x = self.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1).to(x.dtype), x], dim=1) + self.positional_embedding
        x = self.ln_pre(x)
        for block in self.transformer["resblocks"]:
            x = block(x)
        return self.ln_post(x[:, 1:]) @ self.proj
