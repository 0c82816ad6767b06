"""Attention injection: every self-attention also looks at what the reference itself gives at the same noise level.

Each step first denoises the reference, its lines drawn from itself, and keeps the inputs of every self-attention. The
real call then attends to its own tokens and to the kept ones. A reference that is a frame of the shot may bring the
lines and the mask that it was coloured with; see `reference_call`.

Source: spec section 7, attention injection.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import comfy.model_patcher
import comfy.patcher_extension
import comfy.sd
import torch
from torch import Tensor

from ...carrier.carrier import fit_rows
from ...errors import ColorizeError
from ...prepare.masks import checked_mask
from ...prepare.pictures import as_rgb
from ...sampling.batches import check_pictures_fit
from ...sampling.hints import deepest_first
from ..carrier.latents import encode_with_vae, resize_to_output
from .attention import attend
from .patch_hooks import REPLACED, Hook, acts_at, ours_last, remove_hooks, replace_attention
from .reference_call import ReferenceRows, reference_options, reference_rows
from .row_indices import RowIndices
from .sampling_run import RUN as SAMPLING_RUN
from .sampling_run import Crop, SamplingRun, live_conditionings
from .sketch_control import SketchControl, checked_sketch_control
from .unet_call import Rows, live_rows, rows_of
from .unet_layout import AttentionPlace, attention_places

#: Key of our hooks, and where a run and a call keep their state in transformer options.
KEY, RUN, CALL = "colorize_injection", "colorize_injection_run", "colorize_injection_call"
#: Where an attention keeps how many of its keys are its own.
OWN = "colorize_injection_own"


@dataclass
class InjectionRun:
    """Constants of a run: conditioning id -> whether its context is not all zeros, and a control of its own.

    Attributes:
        pictures: by device and pictures of a call, the reference's latents and noise.
        rows: indices of rows on the device.
        own_runs: constants of the calls with the reference's mask.
    """

    live: dict[object, bool]
    control: SketchControl
    pictures: dict[tuple, tuple[Tensor, Tensor]] = field(default_factory=dict)
    rows: RowIndices = field(default_factory=RowIndices)
    own_runs: dict[int, SamplingRun] = field(default_factory=dict)


@dataclass
class InjectionCall:
    """One call of the UNet: kept self-attention inputs by place, and the rows that are reference-free.

    Attributes:
        places: those whose attention no other pack replaces; only they look at the reference.
        readers: for each row, the row of the reference's call that it looks at; None where it is its own number.
    """

    run: InjectionRun
    free_rows: list[int]
    places: frozenset[AttentionPlace]
    readers: list[int] | None = None
    storing: bool = True
    kept: dict[AttentionPlace, Tensor] = field(default_factory=dict)


class AttentionInjection:
    """The patch of Attention Injection; holds no state of any run.

    Args:
        latent: [R, 4, h, w], the reference's latent in the model's scale. noise: [1, 4, h, w].
        control: the sketch encoder with the reference's lines as its line map, its strength the sketch fidelity.
        fidelity: f in [0, 1]; how far the reference-free rows leave the reference's tokens out.
        start_sigma: injection acts at this sigma and below; infinite where it acts from the beginning.
        mask: [1 or R, H, W], of the reference's character; None denoises it with the drawing's mask.
    """

    def __init__(
        self,
        latent: Tensor,
        noise: Tensor,
        control: SketchControl,
        fidelity: float,
        start_sigma: float,
        mask: Tensor | None = None,
    ):
        self.latent = latent
        self.noise = noise
        self.control = control
        self.fidelity = fidelity
        self.start_sigma = start_sigma
        self.mask = mask
        self.places: tuple[AttentionPlace, ...] = ()

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register with a MODEL, which must be a clone, in place of any earlier installation."""
        remove_hooks(model.model_options["transformer_options"], KEY)
        model.set_model_attn1_patch(Hook(KEY, self.before_attention, self.control.get_models()))
        self.places = attention_places(model)
        replace_attention(model, KEY, "attn1", self.places, self.attention)
        kinds = comfy.patcher_extension.WrappersMP
        for kind, wrapper in ((kinds.SAMPLER_SAMPLE, self.around_run), (kinds.DIFFUSION_MODEL, self.around_unet)):
            comfy.patcher_extension.add_wrapper_with_key(
                kind, KEY, Hook(KEY, wrapper), model.model_options, is_model_options=True
            )

    @torch.compiler.disable(recursive=False)
    def around_run(self, executor, guider, sigmas, extra_args, *args, **kwargs):
        """Keep the run's constants for as long as it lasts."""
        shape = next((arg.shape for arg in args if isinstance(arg, Tensor)), None)  # callback, noise, …
        if shape is not None:
            check_pictures_fit("injected references", [len(self.latent)], shape[0])
        run = InjectionRun(live_conditionings(guider), self.control.copy())
        options = extra_args["model_options"]["transformer_options"]
        options[RUN] = run
        try:
            return executor(guider, sigmas, extra_args, *args, **kwargs)
        finally:
            run.control.cleanup()
            for own in run.own_runs.values():
                own.clear()
            options.pop(RUN, None)

    @torch.compiler.disable(recursive=False)
    def around_unet(self, executor, x, timesteps, context, y, control, transformer_options, **kwargs):
        """Call the UNet on the reference, then on x with the reference's tokens at hand."""
        sigmas = transformer_options.get("sigmas")
        # The device is asked for the step's sigma only where the start point is not the beginning.
        if sigmas is None or (math.isfinite(self.start_sigma) and float(sigmas[0]) > self.start_sigma):
            return executor(x, timesteps, context, y, control, transformer_options, **kwargs)
        run = transformer_options.get(RUN) or InjectionRun({}, self.control.copy())
        rows = rows_of(x, transformer_options)
        live = set(live_rows(run.live, transformer_options, rows))
        free = [row for row in range(len(x)) if row not in live]
        hooks = {place: acts_at(transformer_options, KEY, "attn1", place) for place in self.places}
        alone = frozenset(place for place, hook in hooks.items() if hook is not None and hook.alone)
        call = InjectionCall(run, free, alone)
        transformer_options = ours_last(transformer_options, KEY, "attn1_patch") | {CALL: call, REPLACED: alone}
        self.denoise_reference(executor, (x, timesteps, context, y), rows, transformer_options, **kwargs)
        call.storing = False
        return executor(x, timesteps, context, y, control, transformer_options, **kwargs)

    def denoise_reference(self, executor, inputs: tuple, rows: Rows, transformer_options: dict, **kwargs) -> None:
        """Call the UNet on the reference, so that the call's self-attentions keep what they are given.

        Args:
            inputs: x, timesteps, context and y of the real call. rows: what its rows are.
        """
        call: InjectionCall = transformer_options[CALL]
        run, (x, *_) = call.run, inputs
        if self.mask is not None:
            reference = self.own_rows(rows, transformer_options)
            index = run.rows.index(reference.sources, x.device)
            inputs = tuple(value if value is None else value[index] for value in inputs)
            call.readers = reference.readers
            transformer_options = reference_options(transformer_options, reference, self.mask, run.own_runs)
            rows = reference.rows
        pictures = rows.of(len(self.latent), "references of Attention Injection")
        noisy = self.noised(run, inputs[0], transformer_options["sigmas"], tuple(pictures))
        lines = self.lines(run, noisy, pictures)
        executor(noisy, *inputs[1:], lines, transformer_options, **kwargs)

    def own_rows(self, rows: Rows, transformer_options: dict) -> ReferenceRows:
        """Return the rows of the reference's call where it has a mask of its own."""
        batches = [(len(self.latent), "references of Attention Injection")]
        sampling: SamplingRun | None = transformer_options.get(SAMPLING_RUN)
        if sampling is not None:
            batches += sampling.batches
        return reference_rows(rows, batches, (self.latent.shape[-2], self.latent.shape[-1]))

    def noised(self, run: InjectionRun, x: Tensor, sigmas: Tensor, pictures: tuple[int, ...]) -> Tensor:
        """Noise the reference to the level of x, in the scale that the UNet takes: (z + σ·n) / √(σ² + 1)."""
        key = (x.device, pictures)
        if key not in run.pictures:
            latent = self.latent if len(self.latent) == 1 else self.latent[list(pictures)]
            run.pictures[key] = (latent.to(x.device, torch.float32), self.noise.to(x.device, torch.float32))
        latent, noise = run.pictures[key]
        sigma = sigmas[:1].float().view(1, 1, 1, 1)
        noisy = (latent + sigma * noise) / (sigma**2 + 1).sqrt()
        return fit_rows(noisy.to(x.dtype), len(x))

    def lines(self, run: InjectionRun, noisy: Tensor, pictures: Sequence[int]) -> dict[str, list]:
        """Return the control of the references' own lines, for one call.

        Args:
            pictures: the reference of each row.
        """
        control, (height, width) = run.control, noisy.shape[-2:]
        drawn = control.hints_for(Crop.whole(height, width), noisy.device)
        if len(drawn[0]) > 1:
            index = run.rows.index(pictures, noisy.device)
            drawn = [hint[index] for hint in drawn]
        hints = [(control.strength * hint).to(noisy.dtype) for hint in drawn]
        return {"input": deepest_first(hints, control.hint_blocks), "middle": [], "output": []}

    @torch.compiler.disable
    def before_attention(self, x: Tensor, context: Tensor, value: Tensor, extra_options: dict):
        """Keep the normed input of a self-attention, or put the kept one beside its own: [B, T (+ S), C]."""
        call: InjectionCall | None = extra_options.get(CALL)
        place = AttentionPlace.of(extra_options)
        # Queries cut into tiles (HyperTile) have rows of their own, which the reference's tokens do not fit.
        if call is None or place not in call.places or len(x) != len(context):
            return x, context, value
        if call.storing:
            call.kept[place] = context
            return x, context, value
        kept = call.kept.pop(place, None)
        if kept is None:
            return x, context, value
        if call.readers is not None:
            kept = kept[call.run.rows.index(call.readers, kept.device)]
        extra_options[OWN] = context.shape[1]
        return x, torch.cat([context, kept], dim=1), torch.cat([value, kept], dim=1)

    def attention(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor | None:
        """Attend; reference-free rows mix in the result without the kept tokens: f·out_c + (1 - f)·out_u.

        None where injection does not act.
        """
        call: InjectionCall | None = extra_options.get(CALL)
        if call is None or AttentionPlace.of(extra_options) not in call.places:
            return None
        own = extra_options.get(OWN)
        if own is None or not call.free_rows or not self.fidelity:
            return attend(q, k, v, extra_options)
        rows = call.run.rows.index(call.free_rows, q.device)
        without = attend(q[rows], k[rows, :own], v[rows, :own], extra_options)
        if self.fidelity == 1.0 and len(call.free_rows) == len(q):
            return without
        out = attend(q, k, v, extra_options)
        out[rows] = torch.lerp(out[rows], without, self.fidelity)
        return out


def inject_reference(
    model: comfy.model_patcher.ModelPatcher,
    control_net: SketchControl,
    vae: comfy.sd.VAE,
    image: Tensor,
    width: int,
    height: int,
    fidelity: float = 0.5,
    sketch_fidelity: float = 0.0,
    start_percent: float = 0.0,
    seed: int = 0,
    transparency: Tensor | None = None,
    reference_mask: Tensor | None = None,
    reference_lines: Tensor | None = None,
) -> comfy.model_patcher.ModelPatcher:
    """Patch a clone of the MODEL.

    Args:
        control_net: the sketch encoder, which takes the inverted reference as a line map.
        image: [R, H, W, C] in [0, 1], the reference; brought to width × height without keeping its proportions.
        fidelity, sketch_fidelity: in [0, 1]. start_percent: fraction of the sampling.
        seed: of the reference's noise.
        transparency: [R or 1, H', W'] in [0, 1], 1 = transparent; what it clears is white paper.
        reference_mask: [R or 1, H', W'] in [0, 1], 1 = character of the reference; the reference is denoised with it.
        reference_lines: [R or 1, H', W', C] in [0, 1], the reference's line map, in place of its inverse.
    """
    control = checked_sketch_control(control_net).copy()
    resized = resize_to_output(as_rgb(image, transparency=transparency), width, height)
    latent = encode_with_vae(vae, resized, model.model.latent_format)
    lines = 1.0 - resized if reference_lines is None else reference_lines
    mask = None if reference_mask is None else checked_mask(reference_mask, "reference_mask")
    for name, given in (("reference_lines", lines), ("reference_mask", mask)):
        if given is not None and len(given) not in (1, len(latent)):
            raise ColorizeError(
                f"`{name}` holds {len(given)} pictures, but `image` {len(latent)}. Give one for all references, or one "
                "for each."
            )
    control.set_cond_hint(lines.movedim(-1, 1), strength=sketch_fidelity)
    noise = torch.randn((1, *latent.shape[1:]), generator=torch.Generator().manual_seed(seed))
    sampling = model.get_model_object("model_sampling")
    start = sampling.percent_to_sigma(start_percent) if start_percent > 0 else math.inf
    patched = model.clone()
    AttentionInjection(latent, noise, control, fidelity, start, mask).install(patched)
    return patched
