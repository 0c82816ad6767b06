"""Starting weights: ComfyUI's layers come without any."""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Fill convolutions and linear layers as torch does, norms with one and zero; uses torch's global generator."""
    for part in module.modules():
        weight, bias = getattr(part, "weight", None), getattr(part, "bias", None)
        if not isinstance(weight, nn.Parameter):
            continue
        if weight.ndim > 1:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
            if bias is not None:
                bound = 1 / math.sqrt(weight[0].numel())
                nn.init.uniform_(bias, -bound, bound)
        else:
            nn.init.ones_(weight)
            if bias is not None:
                nn.init.zeros_(bias)


@torch.no_grad()
def start_at_zero(*layers: nn.Module) -> None:
    """Zero the last layers of residual branches, so that a new branch changes nothing at first."""
    for layer in layers:
        for parameter in layer.parameters():
            parameter.zero_()
