"""The attention call, as a value that the host swaps for ComfyUI's own, and the module around it."""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(Protocol):
    """Multi-head attention on projected tokens."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        """Attend: q [B, T, H·d], k and v [B, S, H·d] -> [B, T, H·d]."""
        ...


def torch_attention(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Attend with PyTorch's fused kernel; the default where no host is present."""

    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # [B, T, H·d] -> [B, H, T, d]

    out = F.scaled_dot_product_attention(split(q), split(k), split(v))
    return out.transpose(1, 2).flatten(2)  # [B, H, T, d] -> [B, T, H·d]


class TokenAttention(nn.Module):
    """Attention of tokens to tokens: projections without bias, as in the UNet; the checkpoints' names.

    Args:
        channels: of the tokens on both sides. head_channels: of a head.
        operations: where Linear comes from (`torch.nn` or one of ComfyUI's operation sets).
    """

    def __init__(self, channels: int, head_channels: int, operations=nn, **factory):
        super().__init__()
        self.heads = channels // head_channels
        self.to_q = operations.Linear(channels, channels, bias=False, **factory)
        self.to_k = operations.Linear(channels, channels, bias=False, **factory)
        self.to_v = operations.Linear(channels, channels, bias=False, **factory)
        self.to_out = nn.Sequential(operations.Linear(channels, channels, **factory))

    def forward(self, x: Tensor, source: Tensor, attention: Attention = torch_attention) -> Tensor:
        """Let x [B, T, C] look at source [B, S, C]: [B, T, C]."""
        return self.to_out(attention(self.to_q(x), self.to_k(source), self.to_v(source), self.heads))
