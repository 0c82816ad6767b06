"""The attention call, as a value that the host swaps for ComfyUI's own."""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor


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
