"""Split LoRA: low-rank additions to q, k and v that differ for foreground and background.

Source: spec sections 1 and 5; arXiv 2504.06895, split LoRA.
"""

import re
from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

#: What the checkpoint calls the two sides.
SIDES = ("fg", "bg")
PROJECTIONS = ("to_q", "to_k", "to_v")

_NAME = r"""(?x) (?: (input|output)_blocks\.(\d+) | (middle)_block )
    \.1\.transformer_blocks\.0\.attn2\. (to_[qkv]) \.lora_(down|up) _(fg|bg) \.weight"""


class LowRank(nn.Module):
    """up(down(x)), without bias."""

    def __init__(self, c_in: int, rank: int, c_out: int, operations=nn, **factory):
        super().__init__()
        self.down = operations.Linear(c_in, rank, bias=False, **factory)
        self.up = operations.Linear(rank, c_out, bias=False, **factory)

    def forward(self, x: Tensor) -> Tensor:
        """[…, c_in] -> […, c_out], to be added to the projection of the same x."""
        return self.up(self.down(x))


class SplitLora(nn.Module):
    """The low-rank additions of all output blocks, reached by block, projection and side.

    Args:
        shapes: of every weight, with the names of `rename_split_lora`.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], operations=nn, device=None, dtype=None):
        super().__init__()
        layers: dict[str, dict[str, dict[str, nn.Module]]] = {}
        for name, (rank, c_in) in shapes.items():
            _, block, projection, side, half, _ = name.split(".")
            if half == "down":
                c_out = shapes[name.replace(".down.", ".up.")][0]
                layer = LowRank(c_in, rank, c_out, operations, device=device, dtype=dtype)
                layers.setdefault(block, {}).setdefault(projection, {})[side] = layer
        self.blocks = nn.ModuleDict(
            {
                block: nn.ModuleDict({name: nn.ModuleDict(sides) for name, sides in projections.items()})
                for block, projections in layers.items()
            }
        )

    def addition(self, block: tuple[str, int], projection: str, side: str, x: Tensor) -> Tensor | None:
        """Return what `projection` of `side` adds for input x in a UNet block, or None where there is no LoRA."""
        module: nn.Module = self.blocks
        for name in (block_name(*block), projection, side):
            named = cast(nn.ModuleDict, module)
            if name not in named:
                return None
            module = named[name]
        return cast(Tensor, module(x))


def block_name(half: str, number: int) -> str:
    """Return what a block of the UNet is called here: an output block by its number, input_1 or middle_0 in full."""
    return str(number) if half == "output" else f"{half}_{number}"


def rename_split_lora(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename `output_blocks.3.1.….to_q.lora_down_fg.weight` to `blocks.3.to_q.fg.down.weight`; see `block_name`.

    Keys that are not of this form keep their names, so that a strict load reports them.
    """
    renamed = {}
    for key, value in state_dict.items():
        match = re.fullmatch(_NAME, key)
        if match:
            half, number, middle, projection, direction, side = match.groups()
            key = f"blocks.{block_name(half or middle, int(number or 0))}.{projection}.{side}.{direction}.weight"
        renamed[key] = value
    return renamed
