"""A UNet that is told the picture's size, by numbers of its own in place of ComfyUI's.

ComfyUI's own numbers go to the ControlNets, which are SDXL's; these reach the UNet alone.

Source: spec-xl sections 5 and 12.
"""

from collections.abc import Callable

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from .sampling_run import PIXELS_PER_LATENT, RUN

#: Key of the wrapper.
KEY = "colorize_size"


def tell_size(model: comfy.model_patcher.ModelPatcher, labels: Callable[[int, int], Tensor]) -> None:
    """Let a MODEL's UNet be told the size of the whole picture that is sampled.

    Args:
        labels: (height, width) in pixels -> [1, n].
    """

    @torch.compiler.disable(recursive=False)
    def around_unet(executor, x: Tensor, timesteps, context, y, control, transformer_options, **kwargs):
        """Call the UNet on x [B, 4, h, w] with its own labels."""
        run = transformer_options.get(RUN)
        shape = x.shape if run is None or run.shape is None else run.shape
        height, width = (size * PIXELS_PER_LATENT for size in shape[-2:])

        def make() -> Tensor:
            return labels(height, width).to(x)

        told = make() if run is None else run.once(("labels", height, width, x.device, x.dtype), make)
        return executor(x, timesteps, context, told.expand(len(x), -1), control, transformer_options, **kwargs)

    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, KEY, around_unet)
