"""What follows each block of the background and style encoders: `zero_layers` in a checkpoint.

Source: spec section 4.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

#: A head's layer and the block's output h [B, c, h, w] -> what the encoder gives for this block.
Head = Callable[[nn.Module, Tensor], Tensor]


def background_head(layer: nn.Module, h: Tensor) -> Tensor:
    """Apply a 1×1 convolution and lay the result out as tokens: [B, c, h, w] -> [B, h·w, c]."""
    return layer(h).flatten(2).transpose(1, 2)


def style_head(layer: nn.Module, h: Tensor) -> Tensor:
    """Apply a linear layer to the spatial mean: [B, c, h, w] -> [B, width of the style vector]."""
    return layer(h.mean(dim=(2, 3)))


def build_heads(shapes: Sequence[Sequence[int]], operations=nn, device=None, dtype=None) -> tuple[nn.ModuleList, Head]:
    """Build the heads that the shapes of `zero_layers.{i}.weight` tell of.

    Args:
        shapes: [c, c, 1, 1] of a background encoder or [width, c] of a style encoder, one an input block.

    Returns:
        The layers and the function that applies one of them.
    """
    factory = {"device": device, "dtype": dtype}
    if len(shapes[0]) == 4:
        layers = (operations.Conv2d(c_in, c_out, 1, **factory) for c_out, c_in, *_ in shapes)
        return nn.ModuleList(layers), background_head
    layers = (operations.Linear(c_in, c_out, **factory) for c_out, c_in in shapes)
    return nn.ModuleList(layers), style_head
