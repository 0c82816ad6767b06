"""The UNet with what the pack adds to it, with memory or without, and the calls that a sampler makes of it."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import torch
from host import core
from torch import Tensor, nn

META, CPU = torch.device("meta"), torch.device("cpu")
#: A step's batch: all conditional rows, then all reference-free ones.
CONDITIONINGS = ("conditional", "reference-free")


@dataclass(frozen=True)
class Case:
    """What a step colours.

    Attributes:
        size: side of the square picture in pixels.
        background: its share of the picture; the characters divide the rest among them, in stripes.
        batch: pictures sampled together.
        characters: each with a reference of its own.
        injection, style: whether what the background encoder gives and the style act, beside the split.
        attention_injection: whether Attention Injection acts, too.
    """

    size: int = 768
    background: float = 0.5
    batch: int = 1
    characters: int = 1
    injection: bool = True
    style: bool = True
    attention_injection: bool = False

    def but(self, **changes: Any) -> "Case":
        """Return another case."""
        return dataclasses.replace(self, **changes)


class Step:
    """One call of the UNet with both conditionings of every picture; `run` keeps what the patch keeps for a run.

    Args:
        tokens: [1, S, D], the context of a conditional row.
        options: transformer options as a sampler hands them down.
    """

    def __init__(self, unet: nn.Module, case: Case, tokens: Tensor, options: dict, device: torch.device, dtype):
        self.unet, self.device = unet, device
        rows, latent = len(CONDITIONINGS) * case.batch, case.size // 8
        self.x = filled(torch.empty(rows, 4, latent, latent, device=device, dtype=dtype))
        self.context = filled(torch.empty(rows, *tokens.shape[1:], device=device, dtype=dtype))
        self.context[case.batch :] = 0
        self.options = options | {
            "uuids": list(CONDITIONINGS),
            "cond_or_uncond": [0, 1],
            "sigmas": torch.ones(rows, device=device),
        }
        self.run = options.get("colorize_run")

    def __call__(self) -> Tensor:
        """Call the UNet."""
        timesteps = torch.zeros(len(self.x), device=self.device)
        with torch.inference_mode():
            return self.unet(self.x, timesteps, context=self.context, transformer_options=dict(self.options))


@dataclass
class Network:
    """A MODEL, and of its COLORIZER what the patch uses; with made-up weights, or without memory.

    Attributes:
        colorizer: of which only what a step needs has to be there.
        tokens: of one reference.
        background_shapes: side of the latent -> [positions, channels] of all that the background encoder gives.
        style_widths: of the style's vectors; none without style.
        sketch_encoder: for Attention Injection, which draws the reference's own lines.
    """

    patcher: comfy.model_patcher.ModelPatcher
    colorizer: Any
    tokens: int
    background_shapes: Callable[[int], list[tuple[int, int]]]
    style_widths: Sequence[int]
    device: torch.device
    dtype: torch.dtype
    sketch_encoder: comfy.model_patcher.ModelPatcher | None = None

    @property
    def unet(self) -> nn.Module:
        """ComfyUI's UNetModel."""
        return self.patcher.model.diffusion_model

    @property
    def side_models(self) -> list[nn.Module]:
        """What ComfyUI loads together with the UNet once it is patched."""
        parts = (getattr(self.colorizer, name, None) for name in ("background_path", "style"))
        return [part.model for part in parts if part is not None]

    def plain(self, case: Case) -> Step:
        """Return a step of the UNet without the patch; XL's numbers for the size are worked out once a run, too."""
        runs = core("host.sampling.sampling_run")
        options = options_of(self.patcher) | {runs.RUN: runs.SamplingRun(runs.MaskLayout())}
        return Step(self.unet, case, self.carrier(case).tokens, options, self.device, self.dtype)

    def patched(self, case: Case) -> Step:
        """Return a step of a run with the patch."""
        patching, settings = core("host.sampling.model_patch"), core("sampling.settings").Settings()
        carrier = self.carrier(case)
        regions = [core("carrier.carrier").Region(carrier.tokens, mask) for mask in self.masks(case)]
        places = core("host.sampling.unet_layout").attention_places(self.patcher)
        recipe = self.colorizer.recipe(carrier, bool(regions), settings, places)
        context = self.colorizer.context(carrier, regions, settings)
        patch = patching.ColorizePatch(context.counts, regions, recipe, settings, [])
        patched = self.patcher.clone()
        patch.install(patched)
        run = patch.new_run()
        # As `around_run` finds it when a sampler begins.
        run.live = {name: name == "conditional" for name in CONDITIONINGS}
        runs = {patching.RUN: run}
        if case.attention_injection:
            runs |= self.inject(patched, case, run.live)
        return Step(self.unet, case, context.tokens, options_of(patched) | runs, self.device, self.dtype)

    def inject(self, patched: comfy.model_patcher.ModelPatcher, case: Case, live: dict) -> dict:
        """Add Attention Injection to a clone of the MODEL, and return its run as a transformer option."""
        injecting, lines = core("host.sampling.attention_injection"), core("host.sampling.sketch_control")
        control = lines.SketchControl(self.sketch_encoder)
        control.set_cond_hint(torch.zeros(1, 3, case.size, case.size), strength=0.0)
        latent = torch.zeros(1, 4, case.size // 8, case.size // 8)
        injecting.AttentionInjection(latent, latent, control, 0.5, math.inf).install(patched)
        return {injecting.RUN: injecting.InjectionRun(live, control)}

    def masks(self, case: Case) -> list[Tensor]:
        """Return the characters' masks [1, H, W], stripes of whole latent positions from the picture's top."""
        latent = case.size // 8
        # XL takes every eighth pixel, v2 resizes.
        scale = 8 if self.colorizer.version.own_tokens else 1
        edges = torch.linspace(0, latent * (1 - case.background), case.characters + 1).round().int().tolist()
        masks = torch.zeros(case.characters, 1, latent * scale, latent * scale)
        for mask, top, bottom in zip(masks, edges, edges[1:], strict=False):
            mask[:, top * scale : bottom * scale] = 1
        return list(masks)

    def carrier(self, case: Case) -> Any:
        """Return a carrier as the encoders would leave it: in main memory, in the dtype that they compute in."""

        def made_up(*shape: int) -> Tensor:
            tensor = torch.empty(*shape, dtype=self.dtype)
            return tensor if self.device == META else filled(tensor)

        width = self.colorizer.context_channels
        return core("carrier.carrier").Carrier(
            tokens=made_up(1, self.tokens, width),
            class_token=made_up(1, 1, width),
            background_features=tuple(
                made_up(1, *size) for size in self.background_shapes(case.size // 8) if case.injection
            ),
            style=tuple(made_up(1, width) for width in self.style_widths if case.style),
        )


def options_of(patcher: comfy.model_patcher.ModelPatcher) -> dict:
    """Return a MODEL's transformer options as a sampler prepares them, with the wrappers that it brings."""
    options = patcher.model_options["transformer_options"]
    wrappers = comfy.patcher_extension.merge_nested_dicts(options.get("wrappers", {}), patcher.wrappers)
    return {**options, "wrappers": wrappers}


def fill_weights(module: nn.Module) -> None:
    """Give a module made-up weights that keep activations of the size of one."""
    pool = torch.randn(1 << 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in module.parameters():
            pool = pool.to(weight.device)
            scale = 1 / math.sqrt(weight[0].numel()) if weight.ndim > 1 else 0.1
            flat = weight.view(-1)
            for start in range(0, len(flat), len(pool)):
                part = flat[start : start + len(pool)]
                part.copy_(pool[: len(part)] * scale)


def filled(tensor: Tensor) -> Tensor:
    """Fill a tensor with made-up values, the same on any device, if it has memory."""
    if tensor.is_meta:
        return tensor
    return tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))


def weight_bytes(*modules: nn.Module) -> int:
    """Return how many bytes weights take."""
    return sum(tensor.nbytes for module in modules for tensor in module.parameters())


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Go through the tensors of a constant that a run keeps."""
    if isinstance(value, Tensor):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from tensors_in(list(vars(value).values()))  # with what it has worked out of its fields
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
