"""Style modulation: a style vector scales and shifts what each output block gives.

Source: spec section 5 (`style_modules`); arXiv 2504.06895, the style encoder.
"""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from torch import Tensor, nn


class StyleModulation(nn.Module):
    """The style modulation of all output blocks, with the checkpoint's names (`style_modules.{i}.{0,1,2}`).

    (scale ‖ shift) = style_i.2(LN_i(s_i + style_i.1(e))); h ← h·(1 + scale) + shift.

    Args:
        widths: length 2c of each block's style vector, c being the block's output channels.
        embed_channels: channels of the time embedding, 4·model_channels.
    """

    def __init__(self, widths: Sequence[int], embed_channels: int, operations=nn, device=None, dtype=None):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.style_modules = nn.ModuleList(
            nn.ModuleList(
                [
                    operations.LayerNorm(width, **factory),
                    operations.Linear(embed_channels, width, **factory),
                    operations.Linear(width, width, **factory),
                ]
            )
            for width in widths
        )

    def forward(self, style: Sequence[Tensor], embedding: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Work out scale and shift of every output block.

        Args:
            style: one [B, 2c_i] (or [1, 2c_i]) an output block.
            embedding: [B, 4C], the time embedding after `time_embed`.

        Returns:
            (scale, shift) of each output block, each [B, c_i, 1, 1].
        """
        modulations = []
        for block, s in zip(self.style_modules, style, strict=True):
            norm, embed, out = cast(Iterable[nn.Module], block)
            scale, shift = out(norm(s + embed(embedding)))[:, :, None, None].chunk(2, dim=1)
            modulations.append((scale, shift))
        return modulations


def modulate(h: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Apply a modulation: h [B, c, h, w], scale and shift [B, c, 1, 1]."""
    return h * (1 + scale) + shift


def style_sizes(state_dict: dict[str, Tensor]) -> dict[str, Any]:
    """Read the constructor's sizes off the weights (`style_modules.{i}.1.weight` is [2c_i, 4C])."""
    count = sum(key.startswith("style_modules.") and key.endswith(".1.weight") for key in state_dict)
    shapes = [state_dict[f"style_modules.{i}.1.weight"].shape for i in range(count)]
    return {"widths": tuple(shape[0] for shape in shapes), "embed_channels": shapes[0][1]}
