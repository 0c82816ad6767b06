"""The attention kernel that ComfyUI has chosen, as patches call it."""

import comfy.ldm.modules.attention
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
    """Attend on projected tokens: q [B, T, C], k and v [B, S, C] -> [B, T, C].

    Args:
        extra_options: what ComfyUI hands to the attention's patches.
    """
    if not len(q):
        return q.new_empty(q.shape)
    return comfy.ldm.modules.attention.optimized_attention(
        q,
        k,
        v,
        extra_options["n_heads"],
        attn_precision=extra_options.get("attn_precision"),
        transformer_options=extra_options,
    )
