"""Sampling a shot in chunks that fit in memory, so that no frame depends on how it was cut.

Everything is wired as for KSampler; each chunk gets its own frames of the conditioning, of the ControlNets and of the
patches, and its own noise.
"""

import inspect
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import comfy.k_diffusion.sampling
import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ...shot.frame_seeds import StepNoise, frame_seeds, start_noise, step_seed
from ..sampling.guider import make_guider
from .frame_slices import Frames, check_frames, is_control
from .shot_latents import check_channels, checked_latent, checked_noise_mask, finite_frames, shot_numbers

#: Most frames in a chunk that is chosen automatically; more gain no speed and make progress coarse.
MOST_FRAMES = 16
#: ComfyUI's own margin over its estimate of what a call of the model needs.
MARGIN = 1.5
#: Samplers whose step size depends on the whole batch, so that they work frame by frame.
FRAME_BY_FRAME = ("dpm_adaptive",)


@dataclass(frozen=True)
class SequenceSettings:
    """How a shot is sampled.

    Attributes:
        seed, seed_rule: see `frame_seeds`.
        first_frame, frame_numbers: see `shot_numbers`.
        steps, sampler_name, scheduler, denoise: as in KSampler.
        cfg, cfg_sketch: guidance scales by reference and by sketch.
        chunk_size: frames sampled together; 0 for as many as fit in memory.
    """

    seed: int = 0
    seed_rule: str = "same_noise"
    first_frame: int = 0
    steps: int = 20
    cfg: float = 4.0
    cfg_sketch: float = 1.0
    sampler_name: str = "euler"
    scheduler: str = "normal"
    denoise: float = 1.0
    chunk_size: int = 0
    frame_numbers: str = ""


def sample_sequence(
    model: comfy.model_patcher.ModelPatcher,
    positive: list,
    negative: list,
    latent: dict,
    settings: SequenceSettings,
    blank_sketch: list | None = None,
) -> dict:
    """Sample all frames of a shot.

    Args:
        model, positive, negative: of Apply Colorization and Apply ControlNet; batches in them are one or N long.
        latent: LATENT of N frames; `batch_index`, where there is one, says which frames of the shot they are.
        blank_sketch: as in Colorize Guider.

    Returns:
        LATENT [N, 4, h, w].

    Raises:
        ColorizeError: batches do not fit, or the latent is none of pictures.
    """
    samples = comfy.sample.fix_empty_latent_channels(model, checked_latent(latent))
    check_channels(samples, model)
    count = len(samples)
    conditionings = {"positive": positive, "negative": negative}
    conditionings |= {} if blank_sketch is None else {"blank_sketch": blank_sketch}
    check_frames(count, model.model_options, conditionings)
    numbers = shot_numbers(latent, count, settings.first_frame, settings.frame_numbers)
    shot = Shot(model, conditionings, samples, checked_noise_mask(latent, count), numbers, settings)
    return {**latent, "samples": shot.sample()}


class Shot:
    """The sampling of one shot.

    Args:
        conditionings: `positive`, `negative` and perhaps `blank_sketch`.
        samples: [N, 4, h, w]. noise_mask: of ComfyUI's inpainting, for one or N frames, or None.
        numbers: each frame's number in the shot.
    """

    def __init__(
        self,
        model: comfy.model_patcher.ModelPatcher,
        conditionings: dict[str, list],
        samples: Tensor,
        noise_mask: Tensor | None,
        numbers: Sequence[int],
        settings: SequenceSettings,
    ):
        self.model_options = model.model_options
        # One clone for all chunks, so that ComfyUI does not load the model again for each.
        self.model = model.clone()
        self.conditionings = conditionings
        self.samples, self.noise_mask = samples, noise_mask
        self.settings, self.numbers = settings, numbers
        self.seeds = frame_seeds(settings.seed, settings.seed_rule, numbers)
        device = model.load_device
        schedule = comfy.samplers.KSampler(
            model,
            steps=settings.steps,
            device=device,
            sampler=settings.sampler_name,
            scheduler=settings.scheduler,
            denoise=settings.denoise,
            model_options=model.model_options,
        )
        self.sigmas: Tensor = schedule.sigmas
        self.progress = comfy.utils.ProgressBar(len(samples) * max(1, len(self.sigmas) - 1))
        self.previewer = latent_preview.get_previewer(device, model.model.latent_format)

    def sample(self) -> Tensor:
        """Sample chunk after chunk, in smaller ones when memory that was estimated to suffice does not."""
        if not len(self.sigmas):
            return self.samples
        count, chunk = len(self.samples), self.chunk_size()
        done: list[Tensor] = []
        start = 0
        while start < count:
            comfy.model_management.throw_exception_if_processing_interrupted()
            frames = Frames(start, min(count, start + chunk), count)
            try:
                done.append(finite_frames(self.sample_frames(frames), self.numbers[start : frames.stop]))
            except out_of_memory_error():
                if self.settings.chunk_size or chunk == 1:
                    raise
                chunk = (frames.stop - start + 1) // 2
                logging.info("Sample Sequence: out of memory, going on with %d frames at a time", chunk)
            else:
                start = frames.stop
            comfy.model_management.soft_empty_cache()
        return torch.cat(done)

    def sample_frames(self, frames: Frames) -> Tensor:
        """Sample some frames [start … stop) together."""
        settings, latent = self.settings, frames.of(self.samples)
        seeds = self.seeds[frames.start : frames.stop]
        self.model.model_options = frames.of_model_options(self.model_options)
        conds = {name: frames.of_conditioning(cond) for name, cond in self.conditionings.items()}
        guider = make_guider(
            self.model,
            conds["positive"],
            conds["negative"],
            conds.get("blank_sketch"),
            settings.cfg,
            settings.cfg_sketch,
        )
        sampled = guider.sample(
            start_noise(seeds, latent.shape[1:], latent.dtype),
            latent,
            sampler_for(settings.sampler_name, self.sigmas, seeds, latent.to(self.model.load_device)),
            self.sigmas,
            denoise_mask=None if self.noise_mask is None else frames.of(self.noise_mask),
            callback=self.on_step(frames),
            disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
            seed=settings.seed,
        )
        return sampled.to(comfy.model_management.intermediate_device())

    def on_step(self, frames: Frames) -> Callable:
        """Return the callback that moves the bar, which counts the steps of all frames, and shows a preview."""

        def callback(step: int, x0: Tensor, x: Tensor, steps: int) -> None:
            preview = self.previewer and self.previewer.decode_latent_to_preview_image("JPEG", x0)
            done = frames.start * steps + (step + 1) * (frames.stop - frames.start)
            self.progress.update_absolute(done, frames.count * steps, preview)

        return callback

    def chunk_size(self) -> int:
        """Return how many frames are sampled together."""
        count = len(self.samples)
        if self.settings.sampler_name in FRAME_BY_FRAME:
            return 1
        if self.settings.chunk_size:
            return min(count, self.settings.chunk_size)
        rows, size = len(self.conditionings), list(self.samples.shape[1:])
        needed = [self.model.model.memory_required([rows * n, *size]) * MARGIN for n in range(1, MOST_FRAMES + 1)]
        comfy.model_management.load_models_gpu([self.model, *self.control_models()], memory_required=needed[0])
        free = comfy.model_management.get_free_memory(self.model.load_device)
        chunk = max(1, sum(memory < free for memory in needed))
        # Even parts: 17 frames as 9 + 8, not as 16 + 1.
        return -(-count // -(-count // chunk))

    def control_models(self) -> list[comfy.model_patcher.ModelPatcher]:
        """List the models of the ControlNets, each once."""
        conds = itertools.chain.from_iterable(self.conditionings.values())
        controls = [options.get("control") for _, options in conds]
        models = itertools.chain.from_iterable(control.get_models() for control in controls if is_control(control))
        return list({id(model): model for model in models}.values())


def sampler_for(name: str, sigmas: Tensor, seeds: Sequence[int], like: Tensor) -> comfy.samplers.Sampler:
    """Build a sampler whose own noise, if it adds any, is each frame's own.

    Args:
        seeds: one a frame. like: [B, 4, h, w], what is sampled, on its device.
    """
    sampler = comfy.samplers.sampler_object(name)
    sampler.inpaint_options = {}  # ddim's noise of a whole batch, for inpainting; the start noise takes its place
    if "noise_sampler" not in inspect.signature(sampler.sampler_function).parameters:
        return sampler
    noise: Callable = StepNoise(seeds, like)
    if name.startswith("dpmpp") and "sde" in name:  # these ask for one path of noise at overlapping intervals
        positive = sigmas[sigmas > 0]
        own = [step_seed(seed) for seed in seeds]
        noise = comfy.k_diffusion.sampling.BrownianTreeNoiseSampler(
            like, positive.min().to(like.device), sigmas.max().to(like.device), seed=own, cpu=True
        )
    sampler.extra_options = {**sampler.extra_options, "noise_sampler": noise}
    return sampler


def sampler_names() -> list[str]:
    """List KSampler's samplers, those of other packs included."""
    return list(comfy.samplers.KSampler.SAMPLERS)


def scheduler_names() -> list[str]:
    """List KSampler's schedulers."""
    return list(comfy.samplers.KSampler.SCHEDULERS)


def out_of_memory_error() -> type[Exception]:
    """Return the error that this version of ComfyUI knows as a lack of memory."""
    return getattr(comfy.model_management, "OOM_EXCEPTION", torch.OutOfMemoryError)
