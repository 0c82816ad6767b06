"""The cluster transformer of version 1.5: a background's tokens gathered into a learned set of tokens.

Source: spec-v1 section 3; arXiv 2502.19937.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from ..sampling.attention import Attention, TokenAttention, torch_attention
from .size_embedding import sinusoidal_embedding

HEAD_CHANNELS = 64


class ClusterTransformer(nn.Module):
    """e ← e + Attn(LN₀(e); x), e ← e + W₂ SiLU(W₁ LN₁(e)), layer by layer; named as in the checkpoint.

    Args:
        tokens: M, how many learned tokens there are. channels: D. layers: how many.
    """

    def __init__(self, tokens: int, channels: int, layers: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.embedding = nn.Parameter(torch.empty(tokens, channels, **factory))
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    operations.LayerNorm(channels, **factory),
                    operations.LayerNorm(channels, **factory),
                    TokenAttention(channels, HEAD_CHANNELS, operations, **factory),
                    nn.Sequential(
                        operations.Linear(channels, 4 * channels, **factory),
                        nn.SiLU(),
                        operations.Linear(4 * channels, channels, **factory),
                    ),
                ]
            )
            for _ in range(layers)
        )

    def forward(self, x: Tensor, attention: Attention = torch_attention) -> Tensor:
        """Gather a picture's tokens [B, N, D] into [B, M, D]."""
        e = self.embedding.to(x).expand(len(x), -1, -1)
        for layer in self.layers:
            norm, norm_before, gather, feed_forward = cast(Iterable[nn.Module], layer)
            e = e + gather(norm(e), x, attention)
            e = e + feed_forward(norm_before(e))
        return e


def cluster_sizes(state_dict: dict[str, Tensor]) -> dict[str, int]:
    """Read the constructor's sizes off the weights (keys without `transformer.`)."""
    tokens, channels = state_dict["embedding"].shape
    layers = sum(key.startswith("layers.") and key.endswith(".0.weight") and key.count(".") == 3 for key in state_dict)
    return {"tokens": tokens, "channels": channels, "layers": layers}


class ThresholdEmbedding(nn.Module):
    """A threshold as a vector that is added to tokens; the checkpoint's names (`embed_layer.{0,2}`)."""

    def __init__(self, width: int, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.width = width
        self.embed_layer = nn.Sequential(
            operations.Linear(width, channels, **factory),
            nn.SiLU(),
            operations.Linear(channels, channels, **factory),
        )

    def forward(self, threshold: float, like: Tensor) -> Tensor:
        """Embed a threshold in [0, 1] as [D], on the device and in the dtype of `like`."""
        return self.embed_layer(sinusoidal_embedding(threshold, self.width).to(like))


def threshold_sizes(state_dict: dict[str, Tensor]) -> dict[str, int]:
    """Read the constructor's sizes off the weights (keys without `thresh_embedder.`)."""
    channels, width = state_dict["embed_layer.0.weight"].shape
    return {"width": width, "channels": channels}
