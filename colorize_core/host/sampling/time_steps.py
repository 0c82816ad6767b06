"""The published program's default sampler: its time steps as SIGMAS, and where it starts from.

Source: spec-v1 section 5.
"""

import comfy.model_patcher
import comfy.samplers
import torch
from torch import Tensor

from ...errors import ColorizeError
from ...sampling.time_steps import SCHEDULE, published_time_steps


def published_sigmas(model: comfy.model_patcher.ModelPatcher, steps: int, denoise: float = 1.0) -> Tensor:
    """Return the sigmas of the published default sampler, [steps + 1], with 0 at the end.

    Args:
        denoise: in [0, 1]; below 1 the steps are the last ones of a longer run, as in ComfyUI's Basic Scheduler.
    """
    if denoise <= 0:
        return torch.empty(0)
    if (whole := steps / denoise) >= SCHEDULE:
        raise ColorizeError(
            f"`steps` is {steps} and `denoise` is {denoise:g}: the last of {whole:.0f} steps, of which there are "
            f"fewer than {SCHEDULE}. Lower `steps` or raise `denoise`."
        )
    times = published_time_steps(int(whole))[-steps:]
    sigma = model.get_model_object("model_sampling").sigma(torch.tensor(times, dtype=torch.float32))
    return torch.cat([sigma.float().cpu(), torch.zeros(1)])


class FromFullNoise(comfy.samplers.KSAMPLER):
    """A sampler that starts from noise·√(1 + σ²) also where its first sigma is not the schedule's largest."""

    def max_denoise(self, model_wrap, sigmas) -> bool:
        """Say that the start is noise alone."""
        return True


def published_sampler(denoise: float = 1.0) -> comfy.samplers.KSAMPLER:
    """Return DPM-Solver++ 2M, from full noise unless the steps are the last ones of a longer run."""
    stock = comfy.samplers.ksampler("dpmpp_2m")
    if denoise < 1:
        return stock
    return FromFullNoise(stock.sampler_function, stock.extra_options, stock.inpaint_options)
