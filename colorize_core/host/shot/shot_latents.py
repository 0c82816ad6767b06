"""The LATENT that a shot is sampled from: checked, with its frames' numbers and its mask for inpainting."""

from collections.abc import Sequence

import comfy.model_patcher
from torch import Tensor

from ...errors import ColorizeError, check_finite
from ...prepare.masks import checked_mask
from ...shot.frame_numbers import parse_numbers


def checked_latent(latent: dict) -> Tensor:
    """Return a LATENT's samples in float32, refusing what is no batch of pictures.

    ComfyUI's own latents are float32, and some samplers (sa_solver) work with nothing else.
    """
    samples = latent["samples"]
    if not isinstance(samples, Tensor) or samples.ndim != 4 or 0 in samples.shape:
        came = f"of shape {list(samples.shape)}" if isinstance(samples, Tensor) else f"a {type(samples).__name__}"
        raise ColorizeError(
            f"`latent_image` is {came}; expected frames [N, 4, h, w]. Use Empty Latent Image with batch_size = number "
            "of frames."
        )
    advice = "The node before this one made them; a VAE in half precision is the usual cause (--fp32-vae)."
    check_finite(samples, "`latent_image` holds", advice)
    return samples.float()


def check_channels(samples: Tensor, model: comfy.model_patcher.ModelPatcher) -> None:
    """Refuse latents of another kind of model; empty ones have been given the right channels before."""
    expected = model.get_model_object("latent_format").latent_channels
    if samples.shape[1] != expected:
        raise ColorizeError(
            f"`latent_image` has {samples.shape[1]} channels; `model` takes {expected}. Encode the frames with the VAE "
            "of Load Colorize Checkpoint, or use Empty Latent Image."
        )


def frame_indices(latent: dict, count: int) -> Sequence[int]:
    """Return which frames of the shot a LATENT's are, counted from its first one."""
    indices = latent.get("batch_index", range(count))
    if len(indices) != count:
        raise ColorizeError(
            f"`latent_image` says which {len(indices)} frames it holds, but holds {count}; expected one number a "
            "frame. Look at the node before Sample Sequence that cuts or repeats latents."
        )
    return indices


def shot_numbers(latent: dict, count: int, first: int, frame_numbers: str) -> list[int]:
    """Return the number that each of a LATENT's frames has in the whole shot.

    Args:
        count: frames of the LATENT. first: number of the shot's first frame here, where all follow one another.
        frame_numbers: the shot's numbers as text, in place of `first`; empty for none.
    """
    indices = frame_indices(latent, count)
    if not frame_numbers.strip():
        return [first + index for index in indices]
    numbers = parse_numbers(frame_numbers)
    if max(indices) >= len(numbers) or ("batch_index" not in latent and len(numbers) != count):
        raise ColorizeError(
            f"`frame_numbers` has {len(numbers)} numbers, but `latent_image` {count} frames; expected one number a "
            "frame. Wire frame count and frame numbers of the same Load Frames, or leave `frame_numbers` empty."
        )
    return [numbers[index] for index in indices]


def checked_noise_mask(latent: dict, count: int) -> Tensor | None:
    """Return a LATENT's mask for inpainting as [1 or N, H, W], None where there is none."""
    if latent.get("noise_mask") is None:
        return None
    mask = checked_mask(latent["noise_mask"], "latent_image's noise mask")
    if len(mask) not in (1, count):
        raise ColorizeError(
            f"The noise mask of `latent_image` holds {len(mask)} masks for {count} frames. Give Set Latent Noise Mask "
            "one mask, or one for each frame."
        )
    return mask


def finite_frames(sampled: Tensor, numbers: Sequence[int]) -> Tensor:
    """Return what was sampled [B, 4, h, w], or say which frames came out as no numbers, before more are sampled.

    Args:
        numbers: each frame's in the shot.
    """
    bad = [number for number, frame in zip(numbers, sampled, strict=True) if not frame.isfinite().all()]
    if bad:
        raise ColorizeError(
            f"Sampling has given NaN or infinite values in {len(bad)} of {len(sampled)} frames (first: {bad[0]}); "
            "expected numbers. Lower `cfg` and the strengths of Apply Colorization, or start ComfyUI with --fp32-unet."
        )
    return sampled
