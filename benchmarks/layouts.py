"""The published layouts of tests/golden as networks, of any width, with memory or without."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import comfy.model_patcher
import comfy.ops
import torch
from host import ROOT, core
from network import CPU, META, Network, fill_weights
from torch import Tensor, nn

#: Level of detail of the skip that v2's output block i takes: 0 is the latent's own size.
SKIP_LEVELS = (3, 3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0)
#: Tokens of a reference in v2 and in XL.
V2_TOKENS, XL_TOKENS = 256, 196


def parts_without_memory(layout: str) -> Any:
    """Return the parts of a checkpoint of tests/golden/keys-<layout>.json as tensors without memory."""
    return core("family.checkpoint").split_parts(weights_without_memory(layout), f"keys-{layout}.json")


def weights_without_memory(layout: str) -> dict[str, Tensor]:
    """Return the tensors of a file of tests/golden/keys-<layout>.json, without memory."""
    return {name: torch.empty(shape, device=META) for name, shape in layout_shapes(layout).items()}


def layout_shapes(layout: str) -> dict[str, list[int]]:
    """Return {tensor name: shape} of a checkpoint."""
    return json.loads((ROOT / "tests" / "golden" / f"keys-{layout}.json").read_text())


def write_empty_checkpoint(layout: str, path: Path) -> int:
    """Write a checkpoint of zeros that takes no room on the disk, without image tower, and return its size in bytes.

    As published: float32 with a float16 VAE, and no image tower.
    """
    header, offset = {}, 0
    for name, shape in layout_shapes(layout).items():
        if name.startswith(core("family.v2").TOWER):
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


def without_memory(module: nn.Module) -> comfy.model_patcher.ModelPatcher:
    """Wrap a module on the meta device as ComfyUI wraps it."""
    return on_device(module, META)


def on_device(module: nn.Module, device: torch.device) -> comfy.model_patcher.ModelPatcher:
    """Wrap a module as ComfyUI wraps it; what of it is elsewhere comes to the device."""
    if device != META:
        module.to(device)
    return comfy.model_patcher.ModelPatcher(module, device, device, size=1)


def v2_without_memory(layout: str = "full", dtype: torch.dtype = torch.float32) -> Network:
    """Build version 2 on the meta device."""
    return v2_made_up(layout, META, dtype)


def v2_made_up(layout: str, device: torch.device, dtype: torch.dtype) -> Network:
    """Build version 2, with made-up weights where the device has memory; they are nowhere else before."""
    checkpoint, unet, name = core("family.checkpoint"), core("host.family.unet"), f"keys-{layout}.json"
    v2, modulation = core("host.family.v2"), core("sampling.style_modulation")
    parts = parts_without_memory(layout)
    weights = checkpoint.squeeze_projections(parts["unet"])
    config = unet.ColorizeSD2(unet.unet_config(weights, name), "v")
    config.set_inference_dtype(dtype, None)
    path = {f"injection.warp_modules.{key}": tensor for key, tensor in parts["injection"].items()}
    lora = core("sampling.split_lora").rename_split_lora(parts["split_lora"])
    path |= {f"lora.{key}": tensor for key, tensor in lora.items()}
    style = modulation.style_sizes({f"style_modules.{key}": tensor for key, tensor in parts["style"].items()})
    options = {"operations": comfy.ops.manual_cast, "device": device, "dtype": dtype}
    side = [v2.BackgroundPath(path, **options), modulation.StyleModulation(**style, **options)]
    model = config.get_model(weights, "", device=device)
    if device != META:
        for module in (model.diffusion_model, *side):
            fill_weights(module)
    background_path, styling = (on_device(module, device) for module in side)
    colorizer = v2.ColorizerV2(
        **facts_of(parts, name, "input_blocks.1.1"),
        background_encoder=None,
        style_encoder=None,
        background_path=background_path,
        style=styling,
    )
    return v2_network(on_device(model, device), colorizer, device, dtype)


def v2_of_checkpoint(loaded: Any) -> Network:
    """Take what steps need of a loaded checkpoint of version 2, and nothing of the encoders."""
    colorizer = dataclasses.replace(loaded.colorizer, background_encoder=None, style_encoder=None)
    return v2_network(loaded.model, colorizer, CPU, torch.float32)


def v2_network(patcher: Any, colorizer: Any, device: torch.device, dtype: torch.dtype) -> Network:
    """Say how long and wide version 2's features are."""
    skips = [block.norm1.weight.shape[0] for block in colorizer.background_path.model.injection.warp_modules]
    styles = [block[0].weight.shape[0] for block in colorizer.style.model.style_modules]

    def background_shapes(side: int) -> list[tuple[int, int]]:
        sides = [side]
        for _ in range(3):
            sides.append((sides[-1] + 1) // 2)
        return [(sides[level] ** 2, width) for level, width in zip(SKIP_LEVELS, skips, strict=True)]

    return Network(patcher, colorizer, V2_TOKENS, background_shapes, styles, device, dtype)


def facts_of(parts: Any, name: str, first_transformer: str) -> dict[str, Any]:
    """Return what any COLORIZER says of its checkpoint."""
    unet = parts["unet"]
    return {
        "version": parts.version,
        "file_name": name,
        "checkpoint": "",
        "model_channels": unet["input_blocks.0.0.weight"].shape[0],
        "context_channels": unet[f"{first_transformer}.transformer_blocks.0.attn2.to_k.weight"].shape[1],
    }


def xl_network(
    model: str,
    device: torch.device = META,
    dtype: torch.dtype = torch.float32,
    channels: int | None = None,
    layout: str = "full",
) -> Network:
    """Build XL, with made-up weights where the device has memory.

    The v2-style model's LoRA is no part of it: it is added to the weights before a run.

    Args:
        model: "base" or "v2". channels: C of the UNet, all else staying as published; None for the layout's own.
        layout: "full" as published, or "tiny" as in the golden data.
    """
    unet, xl, encoder = core("host.family.unet"), core("host.family.xl"), core("family.xl_sketch_encoder")
    name = f"keys-xl-{model}-{layout}.json"
    parts = parts_without_memory(f"xl-{model}-{layout}")
    facts = facts_of(parts, name, "input_blocks.4.1")
    sizes = unet.unet_config(parts["unet"], name) | ({"model_channels": channels} if channels else {})
    config = unet.ColorizeSDXL(sizes, "v")
    config.set_inference_dtype(dtype, None)
    patcher = on_device(config.get_model({}, "", device=device), device)
    core("host.sampling.size_labels").tell_size(patcher, core("family.xl_sizes").unet_embedding)
    lines = encoder.XLSketchEncoder(
        **encoder.xl_sketch_encoder_sizes(parts["sketch_encoder"]),
        operations=comfy.ops.manual_cast,
        device=META,
        dtype=dtype,
    )
    lines.compute_dtype = dtype
    if device != META:
        fill_weights(patcher.model.diffusion_model)
    colorizer = xl.ColorizerXL(
        **facts | {"model_channels": sizes["model_channels"]},
        projection=None,
        tagger=None,
        # What makes the model a v2-style one; no step computes with it.
        background_encoder=without_memory(nn.Module()) if model == "v2" else None,
        lora={},
    )
    widths = state_levels(patcher.model.diffusion_model) if model == "v2" else []

    def background_shapes(side: int) -> list[tuple[int, int]]:
        sides = [side, (side + 1) // 2, ((side + 1) // 2 + 1) // 2]
        return [(sides[level] ** 2, width) for level, width in widths]

    lines = without_memory(lines) if device == META else None
    return Network(patcher, colorizer, XL_TOKENS, background_shapes, (), device, dtype, lines)


def state_levels(unet: nn.Module) -> list[tuple[int, int]]:
    """Return (level of detail, channels) of each self-attention that looks at stored states."""
    blocks = core("host.family.xl_background").OUTPUT_BLOCKS
    places = core("host.sampling.unet_layout").transformers(unet)
    # The decoder's first three blocks work at the coarsest level, the next three at the one above it.
    return [
        (2 - place.number // 3, block.norm1.weight.shape[0])
        for place, block in places
        if place.half == "output" and place.number < blocks
    ]
