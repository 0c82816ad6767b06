"""What follows each block of the background and style encoders.

Source: spec section 4.
"""

from collections.abc import Sequence

from torch import Tensor, nn


class BackgroundHeads(nn.Module):
    """A 1×1 convolution after each input block; the result as tokens."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], operations=nn, device=None, dtype=None):
        """Build from the shapes of the checkpoint's `zero_layers.{i}.weight`: [c, c, 1, 1]."""
        super().__init__()
        self.zero_layers = nn.ModuleList(
            operations.Conv2d(c_in, c_out, 1, device=device, dtype=dtype) for c_out, c_in, *_ in shapes
        )

    def forward(self, index: int, h: Tensor) -> Tensor:
        """Head `index`: h [B, c, h, w] -> [B, h·w, c]."""
        return self.zero_layers[index](h).flatten(2).transpose(1, 2)


class StyleHeads(nn.Module):
    """The spatial mean after each input block, then a linear layer."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], operations=nn, device=None, dtype=None):
        """Build from the shapes of the checkpoint's `zero_layers.{i}.weight`: [2c, c], at downsampling blocks wider."""
        super().__init__()
        self.zero_layers = nn.ModuleList(
            operations.Linear(c_in, c_out, device=device, dtype=dtype) for c_out, c_in in shapes
        )

    def forward(self, index: int, h: Tensor) -> Tensor:
        """Head `index`: h [B, c, h, w] -> [B, c_style]."""
        return self.zero_layers[index](h.mean(dim=(2, 3)))
