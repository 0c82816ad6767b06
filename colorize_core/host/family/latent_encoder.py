"""The background and the style encoder: the encoding half of ComfyUI's own UNet, with a head after each block.

Source: spec section 4.
"""

from collections.abc import Callable

import comfy.model_detection
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.ldm.modules.diffusionmodules.util import timestep_embedding
from torch import Tensor, nn

from ...family.latent_heads import Head, build_heads


class LatentEncoder(nn.Module):
    """A UNet encoder at timestep 0 whose blocks each feed a head; names as in the checkpoint.

    Args:
        unet_config: sizes for ComfyUI's `UNetModel`, from `latent_encoder_config`.
        heads: one layer an input block.
        apply_head: what to do with a layer and the block's output.
    """

    def __init__(self, unet_config: dict, heads: nn.ModuleList, apply_head: Head, operations, device=None, dtype=None):
        super().__init__()
        unet = UNetModel(**unet_config, device=torch.device("meta"), dtype=dtype, operations=operations)
        self.in_channels: int = unet.in_channels
        self.model_channels: int = unet.model_channels
        self.time_embed = unet.time_embed.to_empty(device=device or "cpu")
        self.label_emb = unet.label_emb.to_empty(device=device or "cpu")
        self.input_blocks = unet.input_blocks.to_empty(device=device or "cpu")
        self.zero_layers = heads
        self.apply_head = apply_head

    def forward(
        self, latent: Tensor, context: Tensor, y: Tensor, on_block: Callable[[], None] = lambda: None
    ) -> list[Tensor]:
        """Encode.

        Args:
            latent: [B, 4, h, w], posterior mean times the latent scale.
            context: [B, N, D], reference tokens.
            y: [B, 512], from `size_embedding`.
            on_block: called after each block, so that the host may report progress or stop.

        Returns:
            One tensor an *output* block of the UNet, that is deepest first: [B, h_i·w_i, c_i] from background
            heads, [B, 2c_i] from style heads.
        """
        timesteps = torch.zeros(latent.shape[0], device=latent.device)
        embedding = timestep_embedding(timesteps, self.model_channels).to(latent.dtype)
        embedding = self.time_embed(embedding) + self.label_emb(y)
        h = latent
        outputs: list[Tensor] = []
        options: dict[str, object] = {}
        for block, head in zip(self.input_blocks, self.zero_layers, strict=True):
            h = block(h, embedding, context, options)
            outputs.append(self.apply_head(head, h))
            on_block()
        return outputs[::-1]


def latent_encoder_config(state_dict: dict[str, Tensor]) -> dict:
    """Derive ComfyUI's `UNetModel` sizes from an encoder's weights (keys without its prefix, projections squeezed)."""
    config = comfy.model_detection.detect_unet_config(state_dict, "")
    blocks = sum(count + 1 for count in config["num_res_blocks"])
    config |= {"transformer_depth_middle": -2, "transformer_depth_output": [0] * blocks}
    config |= {"num_heads": -1, "num_head_channels": 64, "attn_precision": torch.float32}
    return config


def build_latent_encoder(state_dict: dict[str, Tensor], operations, device=None, dtype=None) -> LatentEncoder:
    """Build the background or the style encoder, whichever the heads' weights (2 or 4 dimensions) belong to."""
    count = sum(key.startswith("zero_layers.") and key.endswith(".weight") for key in state_dict)
    shapes = [tuple(state_dict[f"zero_layers.{i}.weight"].shape) for i in range(count)]
    heads, apply_head = build_heads(shapes, operations, device, dtype)
    return LatentEncoder(latent_encoder_config(state_dict), heads, apply_head, operations, device, dtype)
