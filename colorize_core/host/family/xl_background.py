"""The background encoder of XL's v2-style model: what its decoder's transformers begin with is kept, the rest is not.

Source: spec-xl section 6; arXiv 2603.05971.
"""

from collections.abc import Callable

import comfy.model_management
import comfy.model_patcher
import torch
from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from torch import Tensor, nn

from ...carrier.carrier import check_batches, fit_rows
from ..carrier.encoders import encode_rows
from ..loading import Build

#: Latent, sketch mask, mask of the picture.
IN_CHANNELS = 6
#: Four numbers of 256 each.
LABELS = 1024
#: Output blocks whose transformers' states are read.
OUTPUT_BLOCKS = 6


class NoAttention(nn.Module):
    """Stands in ComfyUI's transformer blocks for a cross-attention that this network has not."""

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """Return zeros like x."""
        return torch.zeros_like(x)


class XLBackgroundEncoder(nn.Module):
    """SDXL's UNet without cross-attention at timestep 0; names as in the checkpoint.

    Args:
        unet_config: sizes of the denoising UNet, which it has in common.
    """

    def __init__(self, unet_config: dict, operations, device=None, dtype=None):
        super().__init__()
        config = unet_config | {"in_channels": IN_CHANNELS, "adm_in_channels": LABELS}
        unet = UNetModel(**config, device=torch.device("meta"), dtype=dtype, operations=operations)
        for layer in unet.modules():
            if isinstance(layer, SpatialTransformer):
                for block in layer.transformer_blocks:
                    block.attn2, block.norm2 = NoAttention(), nn.Identity()
        self.model_channels: int = unet.model_channels
        self.time_embed = unet.time_embed.to_empty(device=device or "cpu")
        self.label_emb = unet.label_emb.to_empty(device=device or "cpu")
        self.input_blocks = unet.input_blocks.to_empty(device=device or "cpu")
        self.middle_block = unet.middle_block.to_empty(device=device or "cpu")
        self.output_blocks = unet.output_blocks[:OUTPUT_BLOCKS].to_empty(device=device or "cpu")

    @property
    def steps(self) -> int:
        """How often `on_block` is called."""
        return len(self.input_blocks) + 1 + len(self.output_blocks)

    def forward(self, x: Tensor, y: Tensor, on_block: Callable[[], None] = lambda: None) -> list[Tensor]:
        """Encode.

        Args:
            x: [B, 6, h, w]: latent, sketch mask and picture's mask. y: [B, 1024], from `background_embedding`.
            on_block: called after each block, so that the host may report progress or stop.

        Returns:
            The normed input of each self-attention of output blocks 0 to 5, [B, h_i·w_i, c_i], in their order.
        """
        embedding = timestep_embedding(torch.zeros(len(x), device=x.device), self.model_channels).to(x.dtype)
        embedding = self.time_embed(embedding) + self.label_emb(y)
        h, skips = x, []
        for block in self.input_blocks:
            h = block(h, embedding, None, {})
            skips.append(h)
            on_block()
        h = self.middle_block(h, embedding, None, {})
        on_block()
        states: list[Tensor] = []

        def keep(n: Tensor, context: Tensor, value: Tensor, options: dict):
            states.append(n)
            return n, context, value

        keeping = {"patches": {"attn1_patch": [keep]}}
        for block in self.output_blocks[:-1]:
            h = torch.cat([h, skips.pop()], dim=1)
            h = block(h, embedding, None, keeping, skips[-1].shape)
            on_block()
        residual, transformer, *_ = self.output_blocks[-1]
        h = residual(torch.cat([h, skips.pop()], dim=1), embedding)
        states.append(last_state(transformer, h, keeping))
        on_block()
        return states


def last_state(transformer: SpatialTransformer, h: Tensor, options: dict) -> Tensor:
    """Run a transformer on h [B, c, h, w] up to what its last block's self-attention is given, [B, h·w, c]."""
    x = transformer.proj_in(transformer.norm(h).flatten(2).transpose(1, 2).contiguous())
    for block in transformer.transformer_blocks[:-1]:
        x = block(x, transformer_options=options)
    state: Tensor = transformer.transformer_blocks[-1].norm1(x)
    return state


def build_background_encoder(unet_config: dict) -> Build:
    """Return what builds the encoder beside a UNet of these sizes, for `load_module`."""

    def build(state_dict: dict[str, Tensor], operations, device, dtype) -> XLBackgroundEncoder:
        return XLBackgroundEncoder(unet_config, operations, device, dtype)

    return build


def encode_states(
    encoder: comfy.model_patcher.ModelPatcher, latent: Tensor, sketch_mask: Tensor, image_mask: Tensor, y: Tensor
) -> list[Tensor]:
    """Encode a background.

    Args:
        latent: [R, 4, h, w] of the background picture, in the model's scale.
        sketch_mask: [B or 1, h, w], the drawing's characters.
        image_mask: [R or 1, h, w], what is painted white in the picture. y: [1, 1024].

    Returns:
        The states, each [B or R, h_i·w_i, c_i].
    """
    check_batches(len(latent), len(sketch_mask), ("image", "sketch_mask"))
    check_batches(max(len(latent), len(sketch_mask)), len(image_mask), ("image", "image_mask"))
    rows = max(len(latent), len(sketch_mask), len(image_mask))
    masks = [fit_rows(mask.to(latent), rows)[:, None] for mask in (sketch_mask, image_mask)]
    x = torch.cat([fit_rows(latent, rows), *masks], dim=1)
    return encode_rows(encoder, [x], y, encoder.model.steps)
