"""The UNet with what the pack adds to it, with memory or without, and the calls that a sampler makes of it."""

import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import comfy.model_patcher
import comfy.ops
import torch
from host import ROOT, core
from torch import Tensor, nn

META, CPU = torch.device("meta"), torch.device("cpu")
#: A step's batch: all conditional rows, then all reference-free ones.
CONDITIONINGS = ("conditional", "reference-free")
#: Level of detail of the skip that output block i takes: 0 is the latent's own size.
SKIP_LEVELS = (3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0)
#: Tokens of a reference, and their width.
TOKENS, TOKEN_WIDTH = 256, 1024


@dataclass(frozen=True)
class Case:
    """What a step colours.

    Attributes:
        size: side of the square picture in pixels.
        background: its share of the picture; the characters divide the rest among them, in stripes.
        batch: pictures sampled together.
        characters: each with a reference of its own.
        injection, style: whether the background's features and the style act, beside the split.
    """

    size: int = 768
    background: float = 0.5
    batch: int = 1
    characters: int = 1
    injection: bool = True
    style: bool = True

    def but(self, **changes: Any) -> "Case":
        """Return another case."""
        return dataclasses.replace(self, **changes)


class Step:
    """One call of the UNet with both conditionings of every picture; `run` keeps what the patch keeps for a run."""

    def __init__(self, unet: nn.Module, case: Case, regions: int, options: dict, device: torch.device, dtype):
        self.unet, self.device = unet, device
        rows, latent = len(CONDITIONINGS) * case.batch, case.size // 8
        self.x = filled(torch.empty(rows, 4, latent, latent, device=device, dtype=dtype))
        self.context = filled(torch.empty(rows, TOKENS * regions, TOKEN_WIDTH, device=device, dtype=dtype))
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
    """A MODEL, and of its COLORIZER what the patch uses; with made-up weights, or without memory."""

    patcher: comfy.model_patcher.ModelPatcher
    colorizer: Any
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def without_memory(cls, layout: str = "full", dtype: torch.dtype = torch.float32) -> "Network":
        """Build the layout of tests/golden/keys-<layout>.json on the meta device."""
        checkpoint, unet, name = core("family.checkpoint"), core("host.family.unet"), f"keys-{layout}.json"
        parts = parts_without_memory(layout)
        weights = checkpoint.squeeze_projections(parts["unet"])
        config = unet.ColorizeSD2(unet.unet_config(weights, name), "v")
        config.set_inference_dtype(dtype, None)
        patcher = comfy.model_patcher.ModelPatcher(config.get_model(weights, "", device=META), META, META, size=1)
        path = {f"injection.warp_modules.{key}": tensor for key, tensor in parts["injection"].items()}
        lora = core("sampling.split_lora").rename_split_lora(parts["split_lora"])
        path |= {f"lora.{key}": tensor for key, tensor in lora.items()}
        style = {f"style_modules.{key}": tensor for key, tensor in parts["style"].items()}
        options = {"operations": comfy.ops.manual_cast, "device": META, "dtype": dtype}
        colorizer = SimpleNamespace(
            background_path=SimpleNamespace(model=core("host.family.colorizer").BackgroundPath(path, **options)),
            style=SimpleNamespace(
                model=core("sampling.style_modulation").StyleModulation(
                    **core("sampling.style_modulation").style_sizes(style), **options
                )
            ),
        )
        return cls(patcher, colorizer, META, dtype)

    @classmethod
    def of_checkpoint(cls, loaded: Any) -> "Network":
        """Take what steps need of a loaded checkpoint, and nothing of the encoders."""
        parts = SimpleNamespace(background_path=loaded.colorizer.background_path, style=loaded.colorizer.style)
        return cls(loaded.model, parts, CPU, torch.float32)

    @property
    def unet(self) -> nn.Module:
        """ComfyUI's UNetModel."""
        return self.patcher.model.diffusion_model

    def plain(self, case: Case) -> Step:
        """Return a step of the UNet without anything of the pack."""
        options = self.patcher.model_options["transformer_options"]
        return Step(self.unet, case, 1, dict(options), self.device, self.dtype)

    def patched(self, case: Case) -> Step:
        """Return a step of a run with the patch."""
        patching, runs, settings = (
            core("host.sampling.model_patch"),
            core("host.sampling.sampling_run"),
            core("sampling.settings").Settings(),
        )
        carrier, latent = self.carrier(case), case.size // 8
        edges = torch.linspace(0, latent * (1 - case.background), case.characters + 1).round().int().tolist()
        masks = torch.zeros(case.characters, 1, latent, latent)
        for mask, top, bottom in zip(masks, edges, edges[1:], strict=False):
            mask[:, top:bottom] = 1
        regions = [core("carrier.carrier").Region(carrier.tokens, mask) for mask in masks]
        patch = patching.ColorizePatch(
            carrier, self.colorizer.background_path, self.colorizer.style, regions, settings, []
        )
        patched = self.patcher.clone()
        patch.install(patched)
        run = runs.SamplingRun(patch.masks, settings.threshold)
        # As `around_run` finds it when a sampler begins.
        run.live = {name: name == "conditional" for name in CONDITIONINGS}
        options = {**patched.model_options["transformer_options"], patching.RUN: run}
        return Step(self.unet, case, len(regions) + 1, options, self.device, self.dtype)

    def carrier(self, case: Case) -> Any:
        """Return a carrier as the encoders would leave it: in main memory, in the dtype that they compute in."""
        sides = [case.size // 8]
        for _ in range(3):
            sides.append((sides[-1] + 1) // 2)

        def made_up(*shape: int) -> Tensor:
            tensor = torch.empty(*shape, dtype=self.dtype)
            return tensor if self.device == META else filled(tensor)

        skips = [block.norm1.weight.shape[0] for block in self.colorizer.background_path.model.injection.warp_modules]
        styles = [block[0].weight.shape[0] for block in self.colorizer.style.model.style_modules]
        positions = [sides[level] ** 2 for level in SKIP_LEVELS]
        return core("carrier.carrier").Carrier(
            tokens=made_up(1, TOKENS, TOKEN_WIDTH),
            class_token=made_up(1, 1, TOKEN_WIDTH),
            background_features=tuple(
                made_up(1, *size) for size in zip(positions, skips, strict=True) if case.injection
            ),
            style=tuple(made_up(1, width) for width in styles if case.style),
        )


def parts_without_memory(layout: str) -> Any:
    """Return the parts of a checkpoint of tests/golden/keys-<layout>.json as tensors without memory."""
    tensors = {name: torch.empty(shape, device=META) for name, shape in layout_shapes(layout).items()}
    return core("family.checkpoint").split_parts(tensors, f"keys-{layout}.json")


def layout_shapes(layout: str) -> dict[str, list[int]]:
    """Return {tensor name: shape} of a checkpoint."""
    return json.loads((ROOT / "tests" / "golden" / f"keys-{layout}.json").read_text())


def write_empty_checkpoint(layout: str, path: Path) -> int:
    """Write a checkpoint of zeros that takes no room on the disk, without image tower, and return its size in bytes.

    As published: float32 with a float16 VAE, and no image tower.
    """
    header, offset = {}, 0
    for name, shape in layout_shapes(layout).items():
        if name.startswith(core("family.checkpoint").TOWER):
            continue
        dtype, width = ("F16", 2) if name.startswith("first_stage_model.") else ("F32", 4)
        end = offset + width * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    return path.stat().st_size


def fill_weights(module: nn.Module) -> None:
    """Give a module made-up weights that keep activations of the size of one."""
    pool = torch.randn(1 << 24, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in module.parameters():
            scale = 1 / math.sqrt(weight[0].numel()) if weight.ndim > 1 else 0.1
            flat = weight.view(-1)
            for start in range(0, len(flat), len(pool)):
                part = flat[start : start + len(pool)]
                part.copy_(pool[: len(part)] * scale)


def filled(tensor: Tensor) -> Tensor:
    """Fill a tensor with made-up values, if it has memory."""
    return tensor if tensor.is_meta else tensor.normal_(generator=torch.Generator().manual_seed(0))


def weight_bytes(*modules: nn.Module) -> int:
    """Return how many bytes weights take."""
    return sum(tensor.nbytes for module in modules for tensor in module.parameters())


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Go through the tensors of a constant that a run keeps."""
    if isinstance(value, Tensor):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from tensors_in([getattr(value, field.name) for field in dataclasses.fields(value)])
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
