"""Background injection: skip tokens look up the background encoder's features.

Source: spec section 5 (`warp_modules`); arXiv 2504.06895, the background encoder.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from .attention import Attention, TokenAttention, torch_attention

#: Channels of an attention head, in the UNet and here alike.
HEAD_CHANNELS = 64


class BackgroundInjection(nn.Module):
    """One block of background injection, for one output block of the UNet.

    x ← x + Attn(LN(x); keys and values from the features); x ← x + W₂ SiLU(W₁ LN(x)).
    """

    def __init__(self, channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.attn = TokenAttention(channels, HEAD_CHANNELS, operations, **factory)
        self.ff = nn.Sequential(
            operations.Linear(channels, 4 * channels, **factory),
            nn.SiLU(),
            operations.Linear(4 * channels, channels, **factory),
        )
        self.norm1 = operations.LayerNorm(channels, **factory)
        self.norm2 = operations.LayerNorm(channels, **factory)

    def keys_values(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Project the features once; the result serves every step of a run.

        Args:
            features: [B, S, C], the background encoder's output for this block.

        Returns:
            Keys and values, each [B, S, C].
        """
        return self.attn.to_k(features), self.attn.to_v(features)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, attention: Attention = torch_attention) -> Tensor:
        """Inject the background into skip tokens.

        Args:
            x: [B, T, C], tokens of the skip; any subset of its positions, for each is treated alone.
            keys, values: [B, S, C] from `keys_values`.

        Returns:
            [B, T, C].
        """
        x = x + self.attn.to_out(attention(self.attn.to_q(self.norm1(x)), keys, values, self.attn.heads))
        return x + self.ff(self.norm2(x))


class InjectionBlocks(nn.Module):
    """The blocks of all output blocks, with the checkpoint's names (`warp_modules.0` … `warp_modules.11`)."""

    def __init__(self, channels: Sequence[int], operations=nn, device=None, dtype=None):
        super().__init__()
        self.warp_modules = nn.ModuleList(BackgroundInjection(c, operations, device, dtype) for c in channels)


def injection_sizes(state_dict: dict[str, Tensor]) -> tuple[int, ...]:
    """Read the channels of each block off the weights (`warp_modules.{i}.…`)."""
    count = sum(key.endswith(".norm1.weight") and key.startswith("warp_modules.") for key in state_dict)
    return tuple(state_dict[f"warp_modules.{i}.norm1.weight"].shape[0] for i in range(count))
