"""What encoders of pictures share: how many at once, memory, progress, and numbers that are none."""

from collections.abc import Iterator

import comfy.model_management
import comfy.model_patcher
import comfy.utils
from torch import Tensor

from ...errors import check_finite

#: Pictures encoded at once, so that a long shot does not need the memory of all its frames.
CHUNK = 4


def finite(encoded: Tensor, name: str, option: str) -> Tensor:
    """Return what an encoder gives, or say that it is not finite.

    Args:
        name: the input that the encoder came in. option: of ComfyUI's command line, that gives it full precision.
    """
    advice = "Its file is damaged, or its precision does not suffice: download the file again, or start ComfyUI with"
    check_finite(encoded, f"`{name}` makes", f"{advice} {option}.")
    return encoded


def memory_for(encoder: comfy.model_patcher.ModelPatcher, latent: Tensor) -> int:
    """Estimate the bytes that encoding latents [B, 4, h, w] needs beside the weights: 32 maps of the model's width."""
    positions = latent.shape[0] * latent.shape[2] * latent.shape[3]
    size = comfy.model_management.dtype_size(encoder.model.compute_dtype)
    return 32 * positions * encoder.model.model_channels * size


def progress_and_cancel(steps: int) -> Iterator[None]:
    """Move a progress bar one step each time it is advanced, and stop there when the user cancels."""
    progress = comfy.utils.ProgressBar(steps)
    while True:
        comfy.model_management.throw_exception_if_processing_interrupted()
        progress.update(1)
        yield
