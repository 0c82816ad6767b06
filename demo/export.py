"""Write the trained parts as one checkpoint file in the v2 layout."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model import DemoModel

UNET = "model.diffusion_model."


def _convolutions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn the transformers' linear projections into the layout's 1×1 convolutions: [C, C] -> [C, C, 1, 1]."""
    names = (".proj_in.weight", ".proj_out.weight")
    return {k: v[:, :, None, None] if k.endswith(names) and v.ndim == 2 else v for k, v in state.items()}


def checkpoint(model: DemoModel, vae: nn.Module) -> dict[str, Tensor]:
    """Return every tensor under its name in a v2 checkpoint, float16."""
    lora = re.compile(r"blocks\.(\d+)\.(to_[qkv])\.(fg|bg)\.(down|up)\.weight")
    tensors: dict[str, Tensor] = {}
    for prefix, state in (
        (UNET, _convolutions(model.unet.state_dict())),
        (UNET, model.injection.state_dict()),
        (UNET, model.modulation.state_dict()),
        ("bg_encoder.", _convolutions(model.background.state_dict())),
        ("style_encoder.", _convolutions(model.style.state_dict())),
        ("control_encoder.", model.sketch.state_dict()),
        ("cond_stage_model.visual.model.", model.tower.state_dict()),
        ("first_stage_model.", vae.state_dict()),
    ):
        tensors |= {prefix + key: value for key, value in state.items()}
    for key, value in model.lora.state_dict().items():
        block, projection, side, half = lora.fullmatch(key).groups()
        name = f"output_blocks.{block}.1.transformer_blocks.0.attn2.{projection}.lora_{half}_{side}.weight"
        tensors[UNET + name] = value
    return {key: value.detach().to(torch.float16).contiguous() for key, value in tensors.items()}


def write(model: DemoModel, vae: nn.Module, path: Path) -> None:
    """Save the checkpoint."""
    metadata = {"modelspec.title": "ColorizeDiffusion v2 demonstration model", "modelspec.prediction_type": "v"}
    save_file(checkpoint(model, vae), str(path), metadata)
