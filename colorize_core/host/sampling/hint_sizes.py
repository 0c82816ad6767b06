"""Hints of ControlNets where another node has shrunk the feature maps that they are added to (Deep Shrink).

ComfyUI drops a hint that is not of the feature map's size. Hints of the UNet's input blocks are resized to it instead.
"""

import comfy.utils
import torch
from torch import Tensor

#: Patches of other nodes that may resize a feature map between input blocks.
RESIZING = ("input_block_patch", "input_block_patch_after_skip")


def hints_that_fit(control: dict | None, transformer_options: dict) -> tuple[dict | None, dict]:
    """Return a control and options in which the input blocks' hints are added at the size of what they meet.

    Both come back as they are where nothing resizes feature maps.

    Args:
        control: lists of hints by place, popped from the end block by block.
    """
    patches = transformer_options.get("patches", {})
    if not control or not control.get("input") or not any(patches.get(name) for name in RESIZING):
        return control, transformer_options
    hints: list[Tensor | None] = list(reversed(control["input"]))

    @torch.compiler.disable
    def add_hint(h: Tensor, options: dict) -> Tensor:
        number = options["block"][1]
        hint = hints[number] if number < len(hints) else None
        if hint is None:
            return h
        if hint.shape[-2:] != h.shape[-2:]:
            hint = comfy.utils.common_upscale(hint, h.shape[-1], h.shape[-2], "area", "disabled")
        return h + hint.to(h)

    first = RESIZING[0]
    patches = patches | {first: [add_hint, *patches.get(first, ())]}
    return control | {"input": []}, transformer_options | {"patches": patches}
