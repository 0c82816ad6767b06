"""How near a result is to its reference in the eyes of CLIP, through ComfyUI's own loader."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import torch
from host import COMFYUI, core, start_comfyui
from torch import Tensor

from .pictures import read_picture
from .weights import check_file

ColorizeError = core("errors").ColorizeError


def load_tower(file: Path, device: str = "cpu") -> Any:
    """Load a CLIP vision file as Load CLIP Vision does; starts ComfyUI in this process.

    Args:
        device: "cpu", or any other word to let ComfyUI choose.
    """
    check_file(file, "--clip-vision")
    if not (COMFYUI / "main.py").is_file():
        raise ColorizeError(
            f"No ComfyUI in {COMFYUI}, which loads the CLIP vision file; expected its folder. Run 'make setup', or "
            "set COMFYUI_PATH to yours."
        )
    start_comfyui(cpu=device == "cpu")
    tower = importlib.import_module("comfy.clip_vision").load(str(file))
    if tower is None:
        raise ColorizeError(
            f"`--clip-vision` is {file}, which ComfyUI takes for no CLIP vision model; expected one of those that Load "
            "CLIP Vision loads, such as CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors."
        )
    return tower


class ClipScore:
    """Cosine of two pictures' image embeddings, in [-1, 1].

    Pictures are prepared as CLIP's authors do: short side to the model's size, the middle cut out.

    Args:
        tower: a CLIP vision model of ComfyUI.
    """

    def __init__(self, tower: Any) -> None:
        self.tower = tower
        # A sheet may be the reference of a whole shot.
        self._embed_again = functools.lru_cache(maxsize=256)(self.embed)

    @torch.inference_mode()
    def embed(self, path: Path) -> Tensor:
        """Return the embedding [D] of a picture, float64, of length 1."""
        embedded = self.tower.encode_image(read_picture(path))["image_embeds"]
        if embedded is None or not torch.isfinite(embedded).all():
            raise ColorizeError("`--clip-vision` gives no finite image embeddings; expected a CLIP vision model.")
        return torch.nn.functional.normalize(embedded[0].flatten().cpu().double(), dim=0)

    def __call__(self, result: Path, reference: Path) -> float:
        """Return the score of a result."""
        return float(self.embed(result) @ self._embed_again(reference))
