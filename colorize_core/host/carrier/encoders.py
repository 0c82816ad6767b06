"""What encoders of pictures share: how many at once, memory, progress, and numbers that are none."""

from collections.abc import Iterator, Sequence

import comfy.model_management
import comfy.model_patcher
import comfy.utils
import torch
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


def onto_device(module: comfy.model_patcher.ModelPatcher, *tensors: Tensor) -> list[Tensor]:
    """Load a module of ours, and bring tensors to it in the dtype that it computes in."""
    comfy.model_management.load_models_gpu([module])
    return [tensor.to(module.load_device, module.model.compute_dtype) for tensor in tensors]


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


def encode_rows(
    encoder: comfy.model_patcher.ModelPatcher, inputs: Sequence[Tensor], y: Tensor, blocks: int
) -> list[Tensor]:
    """Run an encoder of latents over rows, a few at a time, with a progress bar, until the user cancels.

    Args:
        inputs: what the encoder takes, each [R, …], the latent first. y: [1, n], the same for all rows.
        blocks: how often the encoder tells of one.

    Returns:
        What it gives, each [R, …], on ComfyUI's intermediate device.
    """
    comfy.model_management.load_models_gpu([encoder], memory_required=memory_for(encoder, inputs[0][:CHUNK]))
    device, dtype = encoder.load_device, encoder.model.compute_dtype
    starts = range(0, len(inputs[0]), CHUNK)
    advance = progress_and_cancel(blocks * len(starts))
    outputs: list[list[Tensor]] = []
    for start in starts:
        batch = [rows[start : start + CHUNK].to(device=device, dtype=dtype) for rows in inputs]
        labels = y.to(device=device, dtype=dtype).expand(len(batch[0]), -1)
        encoded = encoder.model(*batch, labels, on_block=lambda: next(advance))
        outputs.append([out.to(comfy.model_management.intermediate_device()) for out in encoded])
    return [finite(torch.cat(parts), "colorizer", "--fp32-unet") for parts in zip(*outputs, strict=True)]
