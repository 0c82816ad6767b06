"""The sketch encoder of ColorizeDiffusion XL: a line map in, four hints for the UNet's input blocks out.

Four scales of features and their mean look at each other once, the finer at all the coarser.

Source: spec of XL, section 4; arXiv 2603.05971; arXiv 2104.09864 for rotary positions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..sampling.attention import Attention, torch_attention
from .sketch_encoder import stem, stem_sizes

#: The UNet's input blocks after which hint 0…3 are added.
HINT_BLOCKS = (0, 3, 6, 8)
#: Stride of the convolutions that make each scale out of the one before.
SCALE_STRIDES = (2, 2, 1)
#: Channels of an attention head; no tensor's shape tells it.
HEAD_CHANNELS = 128
NORM_EPS = 1e-6
#: The slowest pair of channels turns by a little more than a radian in so many rows.
ROTARY_BASE = 10000.0


class ScaleAttention(nn.Module):
    """Self-attention over the tokens of all scales, coarse to fine, each scale blind to the finer ones."""

    def __init__(self, channels: int, operations=nn, **factory):
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.to_q = operations.Linear(channels, channels, bias=False, **factory)
        self.to_k = operations.Linear(channels, channels, bias=False, **factory)
        self.to_v = operations.Linear(channels, channels, bias=False, **factory)
        self.to_out = nn.Sequential(operations.Linear(channels, channels, **factory))
        self.q_norm = operations.RMSNorm(channels, eps=NORM_EPS, **factory)
        self.k_norm = operations.RMSNorm(channels, eps=NORM_EPS, **factory)

    def forward(self, x: Tensor, angles: Tensor, scales: Sequence[int], attention: Attention) -> Tensor:
        """Attend.

        Args:
            x: [B, T, A], the tokens of all scales, the coarsest first.
            angles: [T, 64], what each pair of a head's channels is turned by, in radians.
            scales: tokens of each scale, T in all.
            attention: called once a scale.

        Returns:
            [B, T, A].
        """
        # Queries, keys and values are gone before the last projection: 115 MB each at 1024×1024 pixels in float32.
        return self.to_out(self._attend(x, angles, scales, attention))

    def _attend(self, x: Tensor, angles: Tensor, scales: Sequence[int], attention: Attention) -> Tensor:
        cos, sin = angles.cos(), angles.sin()
        q = turn(self.q_norm(self.to_q(x)), cos, sin, self.heads)
        k = turn(self.k_norm(self.to_k(x)), cos, sin, self.heads)
        v = self.to_v(x)
        seen, results = 0, []
        for queries in q.split(list(scales), dim=1):
            seen += queries.shape[1]  # no mask: what a scale sees is the beginning of the sequence
            results.append(attention(queries, k[:, :seen], v[:, :seen], self.heads))
        return torch.cat(results, dim=1)


def turn(x: Tensor, cos: Tensor, sin: Tensor, heads: int) -> Tensor:
    """Turn neighbouring channels by angles, each head alike.

    Args:
        x: [B, T, heads·d].
        cos, sin: [T, d/2], float32, in which it is done.

    Returns:
        [B, T, heads·d] in the dtype of x.
    """
    first, second = x.unflatten(-1, (heads, -1, 2)).unbind(-1)  # [B, T, heads, d/2]
    cos, sin = cos[:, None], sin[:, None]
    turned = torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1)
    return turned.flatten(2).to(x.dtype)


def rotary_angles(height: int, width: int, device: torch.device) -> Tensor:
    """Return the angles of a grid's tokens: the first half of the pairs turn with the row, the others with the column.

    Returns:
        [height·width, 64], float32, in radians, row by row.
    """
    half = HEAD_CHANNELS // 4
    frequencies = ROTARY_BASE ** (-torch.arange(half, device=device, dtype=torch.float32) / half)
    rows, columns = (torch.arange(side, device=device)[:, None] * frequencies for side in (height, width))
    by_row = rows[:, None].expand(-1, width, -1)  # [height, width, 32]
    by_column = columns[None].expand(height, -1, -1)
    return torch.cat([by_row, by_column], dim=-1).flatten(0, 1)


class XLSketchEncoder(nn.Module):
    """Encode a line map into hints, one for each of `HINT_BLOCKS`.

    Args:
        stem_channels: output channels of the eight convolutions of the stem; the last is the UNet's own width.
        scale_channels: channels of hints 1…3.
        attention_channels: width of the tokens that look at each other, a multiple of 128.
        attention: the attention call; at 1024×1024 pixels it meets up to 16384 queries and 22529 keys.
        operations: where Conv2d, Linear and RMSNorm come from (`torch.nn` or one of ComfyUI's operation sets).
    """

    hint_blocks = HINT_BLOCKS

    def __init__(
        self,
        stem_channels: Sequence[int],
        scale_channels: Sequence[int],
        attention_channels: int,
        attention: Attention = torch_attention,
        operations=nn,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.attention = attention
        factory = {"device": device, "dtype": dtype}

        def conv3(c_in: int, c_out: int, stride: int) -> nn.Module:
            return operations.Conv2d(c_in, c_out, 3, padding=1, stride=stride, **factory)

        def conv1(c_in: int, c_out: int) -> nn.Module:
            return operations.Conv2d(c_in, c_out, 1, **factory)

        self.model = stem(stem_channels, operations, **factory)

        channels = [stem_channels[-1], *scale_channels]
        self.downsample_layers = nn.ModuleList(
            nn.Sequential(nn.SiLU(), conv3(c_in, c_out, stride))
            for c_in, c_out, stride in zip(channels[:-1], scale_channels, SCALE_STRIDES, strict=True)
        )
        self.proj_ins = nn.ModuleList(conv1(c, attention_channels) for c in (*channels, channels[-1]))
        self.attn_layer = ScaleAttention(attention_channels, operations, **factory)
        self.proj_outs = nn.ModuleList(conv1(attention_channels, c) for c in channels)

    def forward(self, lines: Tensor) -> list[Tensor]:
        """Encode lines.

        Args:
            lines: [B, 3, H, W] in [-1, 1], lines +1 on blank -1.

        Returns:
            Four hints [B, C_i, h_i, w_i], for input blocks 0, 3, 6, 8 of the UNet.
        """
        features = [self.model(lines)]
        for downsample in self.downsample_layers:
            features.append(downsample(features[-1]))
        grids = [(feature.shape[2], feature.shape[3]) for feature in reversed(features)]  # coarse to fine, as all below
        tokens = [height * width for height, width in grids]
        features.append(features[-1].mean((2, 3), keepdim=True))

        finest_last = zip(reversed(self.proj_ins), reversed(features), strict=True)
        x = torch.cat([project(feature).flatten(2) for project, feature in finest_last], dim=2).mT  # [B, T, A]
        angles = [rotary_angles(height, width, x.device) for height, width in grids]
        no_place = torch.zeros_like(angles[0][:1])  # the mean is not turned
        # The mean and the coarsest scale see each other.
        x = x + self.attn_layer(x, torch.cat([no_place, *angles]), [1 + tokens[0], *tokens[1:]], self.attention)

        scales = x[:, 1:].mT.split(tokens, dim=2)
        maps = [scale.unflatten(2, grid) for scale, grid in zip(scales, grids, strict=True)]  # [B, A, h_i, w_i]
        return [project(scale) for project, scale in zip(self.proj_outs, reversed(maps), strict=True)]


def xl_sketch_encoder_sizes(state_dict: dict[str, Tensor]) -> dict:
    """Read the constructor's sizes off the weights (keys without the `control_encoder.` prefix)."""
    return {
        "stem_channels": stem_sizes(state_dict),
        "scale_channels": tuple(
            state_dict[f"downsample_layers.{i}.1.weight"].shape[0] for i in range(len(SCALE_STRIDES))
        ),
        "attention_channels": state_dict["attn_layer.to_q.weight"].shape[0],
    }
