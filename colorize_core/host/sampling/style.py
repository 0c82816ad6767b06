"""Style modulation of the UNet's output blocks.

Source: spec section 5 (`style_modules`).
"""

from contextlib import AbstractContextManager, contextmanager

import comfy.model_patcher
import torch
from torch import Tensor, nn

from ...sampling.style_modulation import modulate
from .patch_hooks import Hook
from .pieces import CALL, KEY, Piece
from .unet_call import UNetCall


class Style(Piece):
    """Scales and shifts what each output block gives.

    Args:
        style: one [R, 2c_i] an output block.
        heads: `StyleModulation`.
    """

    def __init__(self, style: tuple[Tensor, ...], heads: comfy.model_patcher.ModelPatcher):
        self.style = style
        self.heads = heads

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register with a MODEL."""
        model.set_model_output_block_patch(Hook(KEY, self.before_concat, [self.heads]))
        model.set_model_patch(Hook(KEY, self.time_embedding), "emb_patch")

    def batches(self) -> dict[str, int]:
        """Say how many styles there are."""
        return {"styles": len(self.style[0])}

    def around_call(self, unet: nn.Module, call: UNetCall) -> AbstractContextManager:
        """Modulate what comes before the UNet's last layers."""

        def modulate_last(module, inputs):
            return (modulate(inputs[0], *call.modulations[-1]), *inputs[1:]) if call.modulations else None

        @contextmanager
        def hooked():
            # The one place without a patch of ComfyUI's own: between the last block and `out`.
            out: nn.Module = unet.out  # type: ignore[assignment]
            handle = out.register_forward_pre_hook(modulate_last)
            try:
                yield
            finally:
                handle.remove()

        return hooked()

    @torch.compiler.disable
    def time_embedding(self, embedding: Tensor, model_channels: int, transformer_options: dict) -> Tensor:
        """Work out the style's scales and shifts from the time embedding [B, 4C], which stays as it is."""
        call: UNetCall = transformer_options[CALL]

        def vectors() -> list[Tensor]:
            pictures = call.rows.of(len(self.style[0]), "styles")
            return [s.to(embedding)[pictures] for s in self.style]

        key = ("style", call.rows.pictures, embedding.device, embedding.dtype)
        call.modulations = self.heads.model(call.run.once(key, vectors), embedding)
        return embedding

    @torch.compiler.disable
    def before_concat(self, h: Tensor, skip: Tensor, transformer_options: dict) -> tuple[Tensor, Tensor]:
        """Modulate the block before: h [B, c, h, w]."""
        call: UNetCall = transformer_options[CALL]
        number = transformer_options["block"][1]
        if call.modulations and number > 0:
            h = modulate(h, *call.modulations[number - 1])
        return h, skip
