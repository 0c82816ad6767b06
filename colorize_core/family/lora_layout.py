"""What a LoRA inside a checkpoint looks like."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def lora_layout(
    lora: Mapping[str, Tensor], unet: Mapping[str, Tensor], sides: Sequence[str], inside: str = ""
) -> dict[str, Tensor]:
    """Return the layout of a LoRA on q, k and v of cross-attentions, without memory: down [r, c_in], up [c_out, r].

    Args:
        lora: the weights, of which the smallest rank counts. unet: the UNet's own.
        sides: what the file calls them, `….lora_down_{side}.weight`.
        inside: beginning of the names of the attentions that have one.
    """
    rank = min((v.shape[0] for k, v in lora.items() if ".lora_down_" in k), default=0)
    layout = {}
    for key, weight in unet.items():
        if key.startswith(inside) and re.search(r"\.attn2\.to_[qkv]\.weight$", key):
            c_out, c_in = weight.shape
            start = key.removesuffix("weight")
            for side in sides:
                layout[f"{start}lora_down_{side}.weight"] = torch.empty(rank, c_in, device="meta")
                layout[f"{start}lora_up_{side}.weight"] = torch.empty(c_out, rank, device="meta")
    return layout
