"""Background injection: the background's positions of each skip look up the background encoder's features.

Source: spec section 5 (`warp_modules`); arXiv 2504.06895, the background encoder.
"""

import comfy.ldm.modules.attention
import comfy.model_patcher
import torch
from torch import Tensor

from .patch_hooks import Hook
from .pieces import CALL, KEY, Piece
from .row_indices import positions_of, put_positions
from .unet_call import UNetCall


class SkipInjection(Piece):
    """Injects a background into the skips of the output blocks.

    Args:
        features: one [R, h_i·w_i, c_i] an output block.
        path: a module with `injection`, the `InjectionBlocks`.
    """

    def __init__(self, features: tuple[Tensor, ...], path: comfy.model_patcher.ModelPatcher):
        self.features = features
        self.path = path

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register with a MODEL."""
        model.set_model_output_block_patch(Hook(KEY, self.before_concat, [self.path]))

    def batches(self) -> dict[str, int]:
        """Say how many backgrounds there are."""
        return {"backgrounds": len(self.features[0])}

    @torch.compiler.disable
    def before_concat(self, h: Tensor, skip: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor]:
        """Let the background's positions of a skip [B, c, h, w] look up the features."""
        call: UNetCall = transformer_options[CALL]
        number = transformer_options["block"][1]
        block = self.path.model.injection.warp_modules[number]
        size = (skip.shape[-2], skip.shape[-1])
        features = self.features[number]

        def keys_values() -> tuple[Tensor, Tensor]:
            return block.keys_values(features.to(skip))

        keys, values = call.run.once(("injection", number, skip.device, skip.dtype), keys_values)
        out = skip.flatten(2).transpose(1, 2).clone(memory_format=torch.contiguous_format)  # [B, h·w, c]
        masks, backgrounds = (call.run.pictures, "masks"), (len(features), "backgrounds")
        groups = call.by_layout(range(len(call.rows)), masks, backgrounds)
        for (crop, picture, source), places in groups.items():
            rows = call.run.rows.index(places, skip.device)
            background = call.layout(crop, picture, size, skip.device).positions[-1]
            if background is not None and not len(background):
                continue
            part = positions_of(out, rows, background)
            k, v = (t[source].expand(len(part), -1, -1) for t in (keys, values))
            part = block(part, k, v, comfy.ldm.modules.attention.optimized_attention)
            put_positions(out, rows, background, part)
        return h, out.transpose(1, 2).unflatten(2, skip.shape[-2:])
