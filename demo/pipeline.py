"""Colour drawings through the pack's own nodes, in a ComfyUI inside this process."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from comfy_path import PACK, ROOT, import_comfyui

STEPS, GUIDANCE = 20, 2.0
CHECKPOINT_NAME = "colorize-demo.safetensors"


@dataclass(frozen=True)
class Features:
    """What is switched on.

    Attributes:
        split: the drawing's mask parts character and background.
        injection: strength of the injected background; 0 leaves the background picture's tokens only.
        style: the style encoder, on the reference.
    """

    split: bool = False
    injection: float = 0.0
    style: bool = False


def to_image(pictures: list[np.ndarray]) -> Tensor:
    """Stack pictures [H, W, 3] or [H, W] uint8 as a ComfyUI IMAGE [B, H, W, 3] or MASK [B, H, W] in [0, 1]."""
    return torch.from_numpy(np.stack(pictures).astype(np.float32) / 255)


class Pipeline:
    """A loaded checkpoint and the nodes around it.

    Args:
        checkpoint: a v2 checkpoint with image tower and VAE inside.
        run_node: calls a node by id with its inputs and returns its outputs; None starts a ComfyUI in this process. It
            is `run` afterwards.
    """

    def __init__(self, checkpoint: Path, run_node: Any = None) -> None:
        self.run = run_node or _start_comfyui(checkpoint)
        name = CHECKPOINT_NAME
        self.model, self.colorizer, self.sketch, self.vae, self.clip_vision = self.run(
            "ColorizeCheckpointLoader", ckpt_name=name
        )

    def colour(
        self,
        drawings: Tensor,
        references: Tensor,
        backgrounds: Tensor,
        masks: Tensor,
        features: Features,
        seed: int = 0,
    ) -> Tensor:
        """Colour a batch.

        Args:
            drawings: [B, H, W, 3] in [0, 1], dark lines on white paper, H and W multiples of 64.
            references, backgrounds: [B, H, W, 3] in [0, 1]. masks: [B, H, W] in [0, 1], of the drawings' characters.

        Returns:
            [B, H, W, 3] in [0, 1].
        """
        rows, height, width, _ = drawings.shape
        size = {"width": width, "height": height}
        prepared = self.prepared(drawings, references, backgrounds, masks, features, size)
        return self.sampled("KSampler", prepared, rows, size, seed)

    def prepared(
        self,
        drawings: Tensor,
        references: Tensor,
        backgrounds: Tensor,
        masks: Tensor,
        features: Features,
        size: dict[str, int],
    ) -> tuple[Any, Any, Any]:
        """Return model, positive and negative for pictures of a size (width and height); see `colour`."""
        run = self.run
        lines, _ = run("ColorizePrepareSketch", image=drawings, **size)
        (carrier,) = run("ColorizeEncodeReference", clip_vision=self.clip_vision, image=references)
        encoders = {"colorizer": self.colorizer, "vae": self.vae, "clip_vision": self.clip_vision}
        if features.split:
            (carrier,) = run(
                "ColorizeEncodeBackground",
                carrier=carrier,
                image=backgrounds,
                strength=features.injection,
                **encoders,
                **size,
            )
        if features.style:
            (carrier,) = run("ColorizeEncodeStyle", carrier=carrier, image=references, **encoders, **size)
        mask = {"sketch_mask": masks} if features.split else {}
        model, positive, negative = run(
            "ColorizeApply", model=self.model, colorizer=self.colorizer, carrier=carrier, **mask
        )
        positive, negative = run(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=negative,
            control_net=self.sketch,
            image=lines,
            strength=1.0,
            start_percent=0.0,
            end_percent=1.0,
        )
        return model, positive, negative

    def sampled(
        self, sampler: str, prepared: tuple[Any, Any, Any], rows: int, size: dict[str, int], seed: int, **settings: Any
    ) -> Tensor:
        """Sample and decode so many pictures of a size.

        Args:
            sampler: the node, KSampler or one with its inputs; settings: what it has beside. prepared: of `prepared`.
        """
        model, positive, negative = prepared
        (latent,) = self.run("EmptyLatentImage", **size, batch_size=rows)
        (latent,) = self.run(
            sampler,
            model=model,
            positive=positive,
            negative=negative,
            latent_image=latent,
            seed=seed,
            steps=STEPS,
            cfg=GUIDANCE,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            **settings,
        )
        return self.run("VAEDecode", samples=latent, vae=self.vae)[0]

    def roundtrip(self, pictures: Tensor) -> Tensor:
        """Encode and decode pictures [B, H, W, 3]: the best that the autoencoder allows."""
        (latent,) = self.run("VAEEncode", pixels=pictures, vae=self.vae)
        return self.run("VAEDecode", samples=latent, vae=self.vae)[0]


def _start_comfyui(checkpoint: Path) -> Any:
    """Import ComfyUI, let it load the pack from a link in custom_nodes, and return a function that runs nodes."""
    base = Path(tempfile.mkdtemp(prefix="colorize-demo-"))
    for folder in ("custom_nodes", "input", "output", "temp", "user", "models/checkpoints", "models/clip_vision"):
        (base / folder).mkdir(parents=True)
    (base / "custom_nodes" / PACK).symlink_to(ROOT, target_is_directory=True)
    shutil.copy(checkpoint, base / "models" / "checkpoints" / CHECKPOINT_NAME)
    import_comfyui("--base-directory", str(base), "--disable-api-nodes", "--fp32-unet", "--fp32-vae", "--fp32-text-enc")
    nodes, execution = importlib.import_module("nodes"), importlib.import_module("execution")
    if not asyncio.run(nodes.load_custom_node(str(base / "custom_nodes" / PACK))):
        raise SystemExit("ComfyUI could not load the pack; see the messages above.")

    def run_node(node_id: str, **inputs: Any) -> tuple[Any, ...]:
        node = nodes.NODE_CLASS_MAPPINGS[node_id]
        for name, (_, *options) in node.INPUT_TYPES().get("required", {}).items():
            if name not in inputs and options and "default" in options[0]:
                inputs[name] = options[0]["default"]
        data, _, hidden = execution.get_input_data(inputs, node, "1", extra_data={})
        one = node if hasattr(node, "GET_SCHEMA") else node()
        with torch.inference_mode():
            output, *_ = asyncio.run(execution.get_output_data("demo", "1", one, data, None, None, hidden))
        return tuple(value[0] for value in output)

    return run_node
