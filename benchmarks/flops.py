"""How many floating point operations a step of the patched UNet needs, against the plain one, at the published size.

    .venv/bin/python benchmarks/flops.py [--sizes 512 768 1024] [--backgrounds 0.25 0.5 0.75] [--regions 2]

Counted by PyTorch on tensors without memory, for two rows: conditional and reference-free. The published
implementation needs 1.285 times the plain UNet at 768² with split, background injection and style.
"""

import argparse
import json
from types import SimpleNamespace
from typing import Any

from host import ROOT, core, start_comfyui

start_comfyui("--fp32-unet", "--use-pytorch-cross-attention")

import comfy.model_patcher  # noqa: E402
import comfy.ops  # noqa: E402
import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

META = torch.device("meta")
ROWS = {"uuids": ["conditional", "reference-free"], "cond_or_uncond": [0, 1]}
#: Level of detail of the skip that output block i takes: 0 is the latent's own size.
SKIP_LEVELS = (3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0)


class FullSize:
    """The published layout on the meta device."""

    def __init__(self) -> None:
        checkpoint, unet = core("checkpoint"), core("host.unet")
        keys = json.loads((ROOT / "tests" / "golden" / "keys-full.json").read_text())
        tensors = {name: torch.empty(shape, device=META) for name, shape in keys.items()}
        parts = checkpoint.split_parts(tensors, "keys-full.json")
        weights = checkpoint.squeeze_projections(parts.unet)
        config = unet.ColorizeSD2(unet.unet_config(weights, "keys-full.json"), "v")
        config.set_inference_dtype(torch.float32, None)
        self.model = config.get_model(weights, "", device=META)
        path = {f"injection.warp_modules.{name}": tensor for name, tensor in parts.injection.items()}
        path |= {
            f"lora.{name}": tensor for name, tensor in core("split_lora").rename_split_lora(parts.split_lora).items()
        }
        style = core("style").style_sizes({f"style_modules.{name}": tensor for name, tensor in parts.style.items()})
        options = {"operations": comfy.ops.manual_cast, "device": META, "dtype": torch.float32}
        background = core("host.colorizer").BackgroundPath(path, **options)
        self.skip_widths = [block.norm1.weight.shape[0] for block in background.injection.warp_modules]
        self.style_widths = style["widths"]
        # What the patch uses of a COLORIZER; nothing is loaded, for nothing has memory.
        self.colorizer = SimpleNamespace(
            background_path=SimpleNamespace(model=background),
            style=SimpleNamespace(model=core("style").StyleModulation(**style, **options)),
        )

    def carrier(self, latent: int, background: bool, style: bool) -> Any:
        """Return a carrier for a square latent."""
        sides = [latent]
        for _ in range(3):
            sides.append((sides[-1] + 1) // 2)
        features = (
            torch.empty(1, sides[level] ** 2, width, device=META)
            for level, width in zip(SKIP_LEVELS, self.skip_widths, strict=True)
        )
        return core("carrier").Carrier(
            tokens=torch.empty(1, 256, 1024, device=META),
            class_token=torch.empty(1, 1, 1024, device=META),
            background_features=tuple(features) if background else (),
            style=tuple(torch.empty(1, width, device=META) for width in self.style_widths) if style else (),
        )

    def patch_options(self, latent: int, share: float, characters: int, background: bool, style: bool) -> dict:
        """Return the transformer options of a run with the patch, the given share of the picture being background."""
        patching, runs, settings = core("host.model_patch"), core("host.sampling_run"), core("settings").Settings()
        carrier = self.carrier(latent, background, style)
        rows = torch.linspace(0, latent * (1 - share), characters + 1).round().int().tolist()
        masks = torch.zeros(characters, 1, latent, latent)
        for mask, top, bottom in zip(masks, rows, rows[1:], strict=False):
            mask[:, top:bottom] = 1
        regions = [core("carrier").Region(carrier.tokens, mask) for mask in masks]
        patch = patching.ColorizePatch(carrier, self.colorizer, regions, settings, [])
        patcher = comfy.model_patcher.ModelPatcher(self.model, META, META, size=1)
        patch.install(patcher)
        run = runs.SamplingRun(patch.masks, settings.threshold)
        run.live = {"conditional": True, "reference-free": False}
        return {**patcher.model_options["transformer_options"], patching.RUN: run}

    def teraflops(self, latent: int, options: dict, regions: int) -> float:
        """Count a step after the first, which has worked out the run's constants."""
        x, context = torch.empty(2, 4, latent, latent, device=META), torch.empty(2, 256 * regions, 1024, device=META)

        def step() -> None:
            to = {**options, **ROWS, "sigmas": torch.ones(2)}
            with torch.no_grad():
                self.model.diffusion_model(x, torch.zeros(2, device=META), context=context, transformer_options=to)

        step()
        with FlopCounterMode(display=False) as counter:
            step()
        return counter.get_total_flops() / 1e12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 768, 1024])
    parser.add_argument("--backgrounds", type=float, nargs="+", default=[0.25, 0.5, 0.75])
    parser.add_argument("--regions", type=int, default=2, help="characters and background together")
    arguments = parser.parse_args()
    full, regions = FullSize(), arguments.regions
    print(f"{'size':>6} {'background':>10} {'plain TFLOP':>12} {'split':>8} {'+ injection':>12} {'+ style':>8}")
    for size in arguments.sizes:
        latent = size // 8
        plain = full.teraflops(latent, {}, 1)
        for share in arguments.backgrounds:
            ratios = [
                full.teraflops(latent, full.patch_options(latent, share, regions - 1, *parts), regions) / plain
                for parts in ((False, False), (True, False), (True, True))
            ]
            print(f"{size:>6} {share:>10.0%} {plain:>12.3f} {ratios[0]:>7.4f}x {ratios[1]:>11.4f}x {ratios[2]:>7.4f}x")


if __name__ == "__main__":
    main()
