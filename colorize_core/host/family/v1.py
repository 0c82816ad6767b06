"""Versions 1 and 1.5 in ComfyUI: tokens alone carry a background; 1.5 with LoRA, thresholds and gathered tokens.

Source: spec-v1 sections 2 and 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import comfy.ldm.modules.attention
import comfy.model_management
import comfy.model_patcher
from torch import Tensor, nn

from ...carrier.carrier import Carrier, Region
from ...errors import ColorizeError
from ...family.cluster_transformer import ClusterTransformer, ThresholdEmbedding, cluster_sizes, threshold_sizes
from ...family.v1 import whole_pairs
from ...family.version import Parts
from ...sampling.settings import BOTH, PUBLISHED, TRAINED, Settings, block_strengths
from ...sampling.split_lora import SIDES, SplitLora, rename_split_lora
from ..carrier.encoders import finite, onto_device
from ..loading import load_module
from ..sampling.pieces import Recipe
from ..sampling.unet_layout import AttentionPlace
from .colorizer import BackgroundPicture, Colorizer, Context
from .unet import unet_channels


@dataclass(frozen=True)
class ColorizerV1(Colorizer):
    """The COLORIZER of version 1: a reference and a background are tokens, and nothing else goes into the UNet."""

    def recipe(
        self, carrier: Carrier, has_mask: bool, settings: Settings, places: tuple[AttentionPlace, ...]
    ) -> Recipe:
        """Say what goes into the UNet: strengths alone; what reaches the threshold is foreground."""
        return Recipe(block_strengths(settings, self.version.levels), reached=True)


class SwitchParts(nn.Module):
    """What version 1.5 has beside the shared parts.

    Args:
        state_dict: weights, under `lora.`, `cluster.` and `threshold.`.
    """

    def __init__(self, state_dict: dict[str, Tensor], operations=nn, device=None, dtype=None):
        super().__init__()
        factory = {"operations": operations, "device": device, "dtype": dtype}
        lora, cluster, threshold = (
            {key.removeprefix(start): value for key, value in state_dict.items() if key.startswith(start)}
            for start in ("lora.", "cluster.", "threshold.")
        )
        self.lora = SplitLora({name: tuple(tensor.shape) for name, tensor in lora.items()}, **factory)
        self.cluster = ClusterTransformer(**cluster_sizes(cluster), **factory)
        self.threshold = ThresholdEmbedding(**threshold_sizes(threshold), **factory)


@dataclass(frozen=True)
class ColorizerV15(Colorizer):
    """The COLORIZER of version 1.5.

    Attributes:
        parts: `SwitchParts`.
    """

    parts: comfy.model_patcher.ModelPatcher

    def background_tokens(self, given: BackgroundPicture) -> Tensor:
        """Mark the background's tokens with the reference threshold, and gather those of a bleached reference."""
        model, (tokens,) = self.parts.model, onto_device(self.parts, given.tokens)
        tokens = tokens + model.threshold(given.reference_threshold, tokens)
        if given.bleached:
            tokens = model.cluster(tokens, comfy.ldm.modules.attention.optimized_attention)
        tokens = tokens.float().to(comfy.model_management.intermediate_device())
        return finite(tokens, "colorizer", "--fp32-unet")

    def recipe(
        self, carrier: Carrier, has_mask: bool, settings: Settings, places: tuple[AttentionPlace, ...]
    ) -> Recipe:
        """Say what goes into the UNet: which LoRA act in which region depends on the form of the split."""
        strengths = block_strengths(settings, self.version.levels)
        if not has_mask:
            return Recipe(strengths)
        if carrier.background_tokens is None:
            if settings.split_form != PUBLISHED:
                raise ColorizeError(
                    f"`split_form` is {settings.split_form}, which needs a background: wire Encode Background before "
                    "Apply Colorization, or choose published."
                )
            sides = {SIDES[0]}
        else:
            sides = {SIDES[1]} if settings.split_form == PUBLISHED else set(SIDES)

        def lora(block: tuple[str, int], projection: str, background: bool, x: Tensor) -> Tensor | None:
            side = SIDES[background]
            addition: Tensor | None = None
            if side in sides:
                addition = self.parts.model.lora.addition(block, projection, side, x)
            return addition

        return Recipe(strengths, lora=lora, lora_models=[self.parts])

    def context(self, carrier: Carrier, regions: Sequence[Region], settings: Settings) -> Context:
        """Lay out the tokens: those of characters marked with the sketch threshold where a background is encoded."""
        if not regions or carrier.background_tokens is None:
            return super().context(carrier, regions, settings)
        if settings.split_form != TRAINED:
            (like,) = onto_device(self.parts, carrier.tokens[:1, :1])
            marked = self.parts.model.threshold(settings.threshold, like).float().cpu()
            regions = [replace(region, tokens=region.tokens + marked.to(region.tokens)) for region in regions]
        context, counts = super().context(carrier, regions, settings)
        if settings.split_form == BOTH:
            # Every region looks at all of it.
            context, counts = context.repeat(1, len(counts), 1), (sum(counts),) * len(counts)
        return Context(context, counts)


def load_colorizer(parts: Parts, file_name: str, checkpoint: str) -> ColorizerV1 | ColorizerV15:
    """Build the COLORIZER from a checkpoint's parts."""
    common = (parts.version, file_name, checkpoint, *unet_channels(parts["unet"], 1, file_name))
    if "cluster" not in parts.tensors:
        return ColorizerV1(*common)
    weights = {f"cluster.{key}": value for key, value in parts["cluster"].items()}
    weights |= {f"threshold.{key}": value for key, value in parts["threshold_embedding"].items()}
    lora = rename_split_lora(whole_pairs(parts["split_lora"]))
    weights |= {f"lora.{key}": value for key, value in lora.items()}
    name = "split LoRA, cluster transformer and threshold embedding"
    return ColorizerV15(*common, parts=load_module(SwitchParts, weights, name, file_name))
