"""What can be read off a MODEL's UNet."""

from collections.abc import Iterator
from typing import NamedTuple

import comfy.model_patcher
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import nn


class AttentionPlace(NamedTuple):
    """A transformer block of the UNet, each of which has one self- and one cross-attention.

    Attributes:
        half: "input", "middle" or "output". number: of the block. layer: of the transformer block in it.
    """

    half: str
    number: int
    layer: int

    @property
    def block(self) -> tuple[str, int]:
        """What ComfyUI calls the block."""
        return self.half, self.number

    @classmethod
    def of(cls, extra_options: dict) -> "AttentionPlace":
        """Return the place that a patch of ComfyUI's attention is called at."""
        half, number = extra_options["block"][:2]
        return cls(half, number, extra_options["block_index"])


def transformers(unet: UNetModel) -> Iterator[tuple[AttentionPlace, nn.Module]]:
    """Go through the transformer blocks of a UNet in the order in which they run."""
    halves = {"input": unet.input_blocks, "middle": [unet.middle_block], "output": unet.output_blocks}
    for half, blocks in halves.items():
        for number, block in enumerate(blocks):
            for layer in block:
                if isinstance(layer, SpatialTransformer):
                    for layer_number, transformer in enumerate(layer.transformer_blocks):
                        yield AttentionPlace(half, number, layer_number), transformer


def attention_places(model: comfy.model_patcher.ModelPatcher) -> tuple[AttentionPlace, ...]:
    """List the places of a MODEL's attentions in the order in which they run."""
    return tuple(place for place, _ in transformers(model.model.diffusion_model))


def context_channels(model: comfy.model_patcher.ModelPatcher) -> int | None:
    """Return how many channels the tokens have that a MODEL's cross-attentions take, None where it has none."""
    unet = getattr(model.model, "diffusion_model", None)
    attentions = unet.named_modules() if isinstance(unet, UNetModel) else ()
    return next((m.to_k.in_features for name, m in attentions if name.endswith("attn2")), None)
