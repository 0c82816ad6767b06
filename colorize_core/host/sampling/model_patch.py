"""The patch: split cross-attention on a clone of the MODEL, and the pieces that a version adds to it.

How a call of the UNet goes:

    around_run       SAMPLER_SAMPLE wrapper    makes the `SamplingRun`, drops it when the run ends or is interrupted
    (call_wrappers)  three wrappers of the calls   which picture, and which part of it, each row of a call is
    around_unet      DIFFUSION_MODEL wrapper   makes the `UNetCall`: which rows are live, the regions, the window
      before_attention attn2_patch             keeps the projections' inputs, narrows them to the rows that matter
      attention        attn2 replace           split attention on projected tokens
      (pieces)         what a version adds: style, background injection, stored states of a background

Source: spec section 5.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from ...carrier.carrier import Region
from ...prepare.regions import RegionIndex
from ...sampling.batches import check_pictures_fit
from ...sampling.settings import Settings
from ...sampling.split_attention import Projected, split_attention, tokens_by_region
from .attention import attend
from .call_wrappers import around_conditionings, around_model, around_prediction
from .hint_sizes import hints_that_fit
from .patch_hooks import Hook, acts_at, ours_last, remove_hooks, replace_attention
from .pieces import CALL, KEY, Recipe
from .sampling_run import RUN, Crop, MaskLayout, SamplingRun, areas, live_conditionings, references
from .unet_call import UNetCall, live_rows, rows_of
from .unet_layout import AttentionPlace, attention_places
from .weight_lora import remove_lora

#: Where an attention keeps its inputs in transformer options.
INPUTS = "colorize_inputs"
#: (largest, smallest) sigma of a part of the sampling.
SigmaWindow = tuple[float, float]
#: How far off, relatively, a sigma still is the end of such a part: schedulers and windows round differently.
ROUNDING = 1e-4


class ColorizePatch:
    """Everything that Apply Colorization adds to a MODEL; holds no state of any run.

    Args:
        token_counts: how many tokens each region looks at, the characters' and the background.
        regions: the characters in the order of their tokens; none for plain reference attention.
        recipe: what the version makes of the carrier.
        windows: from `sigma_windows`, used where a run's own model is not known.
    """

    def __init__(
        self,
        token_counts: Sequence[int],
        regions: Sequence[Region],
        recipe: Recipe,
        settings: Settings,
        windows: Sequence[SigmaWindow],
    ):
        self.masks = tuple(region.mask for region in regions)
        self.strengths = (*(settings.foreground * region.strength for region in regions), settings.background)
        self.settings = settings
        self.windows = tuple(windows)
        self.token_counts = tuple(token_counts)
        self.recipe = recipe
        self.pieces = tuple(recipe.pieces)
        self.places: tuple[AttentionPlace, ...] = ()

    # --- installation ---

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register with a MODEL, which must be a clone; only what is needed, in place of any earlier installation."""
        remove_hooks(model.model_options["transformer_options"], KEY)
        remove_lora(model)
        self.places = attention_places(model)
        scaled = any(self.recipe.strength(place) != 1.0 for place in self.places)
        if self.masks or scaled:
            model.set_model_attn2_patch(Hook(KEY, self.before_attention, self.recipe.lora_models))
            replace_attention(model, KEY, "attn2", self.places, self.attention)
        for piece in self.pieces:
            piece.install(model)
        kinds = comfy.patcher_extension.WrappersMP
        # A run is always known: the sketch encoder asks it which parts of which pictures the model is called with.
        wrappers: dict[str, Callable] = {
            kinds.SAMPLER_SAMPLE: self.around_run,
            kinds.PREDICT_NOISE: around_prediction,
            kinds.CALC_COND_BATCH: around_conditionings,
            kinds.APPLY_MODEL: around_model,
            kinds.DIFFUSION_MODEL: self.around_unet,
        }
        for kind, wrapper in wrappers.items():
            # In the options themselves, so that they act wherever the other patches do.
            comfy.patcher_extension.add_wrapper_with_key(
                kind, KEY, Hook(KEY, wrapper), model.model_options, is_model_options=True
            )

    # --- around a run and a call ---

    def new_run(self) -> SamplingRun:
        """Return a run that nothing is known of but the masks."""
        return SamplingRun(
            MaskLayout(self.masks, self.settings.threshold, self.recipe.reached, self.recipe.latent_mask)
        )

    @torch.compiler.disable(recursive=False)
    def around_run(self, executor, guider, sigmas, extra_args, *args, **kwargs):
        """Keep the run's constants for as long as it lasts."""
        run = self.new_run()
        sampling = guider.model_patcher.get_model_object("model_sampling")
        run.windows = sigma_windows(sampling, self.settings)
        run.live, run.areas = live_conditionings(guider), areas(guider)
        run.shape = next((tuple(arg.shape) for arg in args if isinstance(arg, Tensor)), None)  # callback, noise, …
        run.references = references(guider)
        run.batches = [(count, what) for piece in self.pieces for what, count in piece.batches().items()]
        run.batches += [(len(tokens), "references") for tokens in run.references.values()]
        if run.shape is not None:
            check_pictures_fit("references", [len(tokens) for tokens in run.references.values()], run.shape[0])
            self.check_batches(run.shape[0])
        options = extra_args["model_options"]["transformer_options"]
        options[RUN] = run
        try:
            return executor(guider, sigmas, extra_args, *args, **kwargs)
        finally:
            run.clear()
            options.pop(RUN, None)

    def check_batches(self, images: int) -> None:
        """Refuse masks, backgrounds and styles that are neither one nor one for each of the run's pictures."""
        check_pictures_fit("masks", [len(mask) for mask in self.masks], images)
        for piece in self.pieces:
            for what, count in piece.batches().items():
                check_pictures_fit(what, [count], images)

    @torch.compiler.disable(recursive=False)
    def around_unet(self, executor, x, timesteps, context, y, control, transformer_options, **kwargs):
        """Prepare one call of the UNet."""
        run = transformer_options.get(RUN) or self.new_run()
        if not self.settings.whole_run and context is not None:
            context = context * self.counts_now(run, transformer_options).to(context.dtype)
        # Where another pack changes what is attended to, a context of zeros is no sign of a result of zeros.
        live = run.live if inputs_are_ours(transformer_options) else {}
        rows = rows_of(x, transformer_options)
        call = UNetCall(
            run=run,
            rows=rows,
            tokens=0 if context is None else context.shape[1],
            live=live_rows(live, transformer_options, rows),
            narrow=self.narrow_places(transformer_options),
        )
        if run.shape is None:
            self.check_batches(max(rows.pictures) + 1)
        control, transformer_options = hints_that_fit(control, transformer_options)
        transformer_options = ours_last(transformer_options, KEY, "attn2_patch") | {CALL: call}
        with ExitStack() as around:
            for piece in self.pieces:
                around.enter_context(piece.around_call(executor.class_obj, call))
            return executor(x, timesteps, context, y, control, transformer_options, **kwargs)

    def counts_now(self, run: SamplingRun, transformer_options: dict) -> Tensor:
        """Return 1 where the tokens count at this step, 0 where not; on the device, without asking it."""
        sigmas, windows = transformer_options.get("sigmas"), run.windows or self.windows
        if sigmas is None or not windows:
            return torch.ones(1, 1, 1)
        inside, *ignored = (
            (sigmas[:1] <= largest * (1 + ROUNDING)) & (sigmas[:1] >= smallest * (1 - ROUNDING))
            for largest, smallest in windows
        )
        for part in ignored:
            inside = inside & ~part
        return inside.view(1, 1, 1)

    def narrow_places(self, transformer_options: dict) -> frozenset[AttentionPlace]:
        """Find the places at which the attention is ours alone: no other attn2 patch, our replacement in place."""
        if not inputs_are_ours(transformer_options):
            return frozenset()
        ours = {place: acts_at(transformer_options, KEY, "attn2", place) for place in self.places}
        return frozenset(place for place, hook in ours.items() if hook is not None and hook.alone)

    # --- inside a call ---

    @torch.compiler.disable
    def before_attention(self, x: Tensor, context: Tensor, value: Tensor, extra_options: dict):
        """Keep the inputs of the projections for the LoRA, and leave out the rows whose result is known."""
        call: UNetCall = extra_options[CALL]
        if AttentionPlace.of(extra_options) in call.narrow and len(call.live) < len(call.rows):
            rows = call.run.rows.index(call.live, x.device)
            x, context, value = x[rows], context[rows], value[rows]
        extra_options[INPUTS] = (x, context, value)
        return x, context, value

    def attention(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict) -> Tensor:
        """Attend, region by region where there is a mask, and fill in zeros for the rows left out.

        q [B or live rows, T, C], k and v [B or live rows, S, C] -> [B, T, C].
        """
        call: UNetCall = extra_options[CALL]
        x, context, value = extra_options[INPUTS]
        inputs = Projected(x, context, value, q, k, v)
        if len(q) > len(call.live):
            inputs = inputs.rows(call.run.rows.index(call.live, q.device))
        if len(call.live) == len(call.rows):
            return self.attend_rows(call, inputs, extra_options)
        out = q.new_zeros(len(call.rows), *q.shape[1:])
        live = call.run.rows.index(call.live, q.device)
        if self.masks and isinstance(live, slice):
            self.split(call, inputs, extra_options, out[live])  # a view: the result comes into its place at once
        else:
            out[live] = self.attend_rows(call, inputs, extra_options)
        return out

    def attend_rows(self, call: UNetCall, inputs: Projected, extra_options: dict) -> Tensor:
        """Attend, region by region where there is a mask."""
        if self.masks:
            return self.split(call, inputs, extra_options)
        result = attend(inputs.q, inputs.k, inputs.v, extra_options)
        return result * self.recipe.strength(AttentionPlace.of(extra_options))

    def split(self, call: UNetCall, inputs: Projected, extra_options: dict, out: Tensor | None = None) -> Tensor:
        """Attend by region, the live rows of each mask picture together; into zeros `out`, if given."""
        place = AttentionPlace.of(extra_options)
        size = call.feature_size(inputs.q.shape[1], extra_options.get("activations_shape"))
        device = inputs.q.device
        tokens = self.tokens_of_regions(call, inputs.k.shape[1], device)
        strengths = [self.recipe.strength(place) * strength for strength in self.strengths]

        def layout_of(crop: Crop, picture: int) -> RegionIndex:
            regions = call.run.soft_regions if self.recipe.soft_split else call.run.regions
            return regions(crop, size, device)[picture]

        lora = None if self.recipe.lora is None else functools.partial(self.lora, place)

        def attend_to(part: Projected, layout: RegionIndex, out: Tensor | None) -> Tensor:
            return split_attention(
                part,
                layout,
                tokens,
                strengths,
                lambda q, k, v: attend(q, k, v, extra_options),
                lora,
                self.settings.merge,
                out,
            )

        groups = call.by_layout(call.live, (call.run.pictures, "masks"))
        if len(groups) == 1:
            (crop, picture) = next(iter(groups))
            return attend_to(inputs, layout_of(crop, picture), out)
        out = torch.zeros_like(inputs.q) if out is None else out
        for (crop, picture), places in groups.items():
            rows = call.run.rows.index(places, device)
            if isinstance(rows, slice):
                attend_to(inputs.rows(rows), layout_of(crop, picture), out[rows])
            else:
                out[rows] = attend_to(inputs.rows(rows), layout_of(crop, picture), None)
        return out

    def tokens_of_regions(self, call: UNetCall, keys: int, device: torch.device) -> list[slice] | list[Tensor]:
        """Say which of the keys each region attends to; what another pack has appended is for all of them."""
        count = min(keys, call.tokens or keys)
        own = tokens_by_region(count, self.token_counts)
        if own[0] == slice(None) or (count == keys and isinstance(own[0], slice)):
            return own

        def positions() -> list[Tensor]:
            parts = [range(count)[part] if isinstance(part, slice) else part for part in own]
            return [torch.tensor([*part, *range(count, keys)], device=device) for part in parts]

        return call.run.once(("tokens", keys, count, device), positions)

    def lora(self, place: AttentionPlace, projection: str, region: int, x: Tensor) -> Tensor | None:
        """Return what the LoRA of a region adds to a projection."""
        assert self.recipe.lora is not None
        return self.recipe.lora(place.block, projection, region == len(self.masks), x)


# --- functions of the patch ---


def inputs_are_ours(transformer_options: dict) -> bool:
    """Whether no other pack changes what the cross-attentions are given."""
    return len(transformer_options.get("patches", {}).get("attn2_patch", ())) == 1


def sigma_windows(model_sampling, settings: Settings) -> list[SigmaWindow]:
    """Turn fractions of the sampling into sigmas, as Apply ControlNet does: the window, and its ignored part if any."""
    sigma = model_sampling.percent_to_sigma
    parts = [settings.window, *([] if settings.ignored is None else [settings.ignored])]
    return [(sigma(start), sigma(end)) for start, end in parts]
