"""From the two image encoders' features to the reference tokens of ColorizeDiffusion XL.

Source: spec of XL, section 3; arXiv 2603.05971.
"""

import torch
from torch import Tensor, nn

from ..sampling.attention import Attention, TokenAttention, torch_attention

#: Channels of an attention head; no tensor's shape tells it.
HEAD_CHANNELS = 128


class ReferenceProjection(nn.Module):
    """Join CLIP's tokens and the tagger's features into the UNet's context.

    Token i of the one meets token i of the other, although CLIP's first is the class token and the two grids differ:
    the model is trained so.

    Args:
        clip_channels: width of CLIP's projected tokens, a multiple of 128.
        tagger_channels: width of the tagger's features.
        context_channels: width of the UNet's context.
        operations: where Linear and LayerNorm come from (`torch.nn` or one of ComfyUI's operation sets).
    """

    def __init__(
        self,
        clip_channels: int,
        tagger_channels: int,
        context_channels: int,
        operations=nn,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.clip_channels, self.tagger_channels = clip_channels, tagger_channels
        factory = {"device": device, "dtype": dtype}
        self.attn = TokenAttention(clip_channels, HEAD_CHANNELS, operations, **factory)
        self.norm = operations.LayerNorm(clip_channels, **factory)
        self.proj = nn.Sequential(
            operations.Linear(clip_channels + tagger_channels, context_channels, **factory),
            nn.SiLU(),
            operations.Linear(context_channels, context_channels, **factory),
            operations.LayerNorm(context_channels, **factory),
        )

    def forward(self, clip_tokens: Tensor, tagger_features: Tensor, attention: Attention = torch_attention) -> Tensor:
        """Make reference tokens.

        Args:
            clip_tokens: [B, 257, D], CLIP's class token and 16×16 patches, after its projection.
            tagger_features: [B, 196, E], see `xl_tagger`.
            attention: the attention call.

        Returns:
            [B, 196, C].
        """
        kept = clip_tokens[:, : tagger_features.shape[1]]
        attended = self.norm(self.attn(kept, clip_tokens, attention))
        return self.proj(torch.cat([attended, tagger_features], dim=-1))


def reference_projection_sizes(state_dict: dict[str, Tensor]) -> dict[str, int]:
    """Read the constructor's sizes off the weights (keys without the first `proj.`)."""
    context, joined = state_dict["proj.0.weight"].shape
    clip = state_dict["attn.to_q.weight"].shape[0]
    return {"clip_channels": clip, "tagger_channels": joined - clip, "context_channels": context}
