"""The WD v1.4 SwinV2 tagger up to its features, ColorizeDiffusion XL's second image encoder.

Source: arXiv 2111.09883 (Swin Transformer V2) for the network, spec of XL, section 2, for what is read of it. Names are
those of the published file.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .shifted_windows import cut_windows, distance_index, join_windows, log_distances, shifted_apart

#: Side in pixels of the picture that the published file was trained on.
PICTURE_SIZE = 448
#: Side in tokens of the windows inside which attention looks; no tensor's shape tells it.
WINDOW_SIZE = 14
#: The bias by position lies in 0…16.
LARGEST_BIAS = 16.0
#: The learnt factor on the cosine of query and key grows no larger than this.
LARGEST_LOGIT_SCALE = 100.0
#: The head, and tables that some versions of timm save though they follow from the sizes (and zeros: `k_bias`).
UNUSED = r"head\.|.*\.(attn_mask|k_bias|relative_position_index|relative_coords_table)$"


@dataclass(frozen=True)
class StageSizes:
    """The sizes of one stage.

    Attributes:
        channels: width of a token.
        heads: number of heads.
        blocks: number of transformer blocks.
        feed_forward: width inside the feed-forward networks.
        bias_network: width inside the networks that make the position biases.
    """

    channels: int
    heads: int
    blocks: int
    feed_forward: int
    bias_network: int


class WindowAttention(nn.Module):
    """Attention by cosine inside windows, with a bias by relative position."""

    def __init__(self, sizes: StageSizes, operations=nn, **factory):
        super().__init__()
        channels = sizes.channels
        self.heads = sizes.heads
        self.logit_scale = nn.Parameter(torch.zeros(sizes.heads, 1, 1, **factory))
        self.q_bias = nn.Parameter(torch.zeros(channels, **factory))
        self.v_bias = nn.Parameter(torch.zeros(channels, **factory))
        self.qkv = operations.Linear(channels, 3 * channels, bias=False, **factory)
        self.cpb_mlp = nn.Sequential(
            operations.Linear(2, sizes.bias_network, **factory),
            nn.ReLU(),
            operations.Linear(sizes.bias_network, sizes.heads, bias=False, **factory),
        )
        self.proj = operations.Linear(channels, channels, **factory)

    def position_bias(self, window: int, like: Tensor) -> Tensor:
        """Return what is added to the scores in a window of N = window² tokens: [heads, N, N], as `like` is kept."""
        distances = log_distances(window, like.device).to(like.dtype)
        by_distance = LARGEST_BIAS * torch.sigmoid(self.cpb_mlp(distances))  # [(2·window - 1)², heads]
        return by_distance[distance_index(window, like.device)].movedim(-1, 0)

    def forward(self, x: Tensor, window: int, apart: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: [B, W, N, C], W windows of N tokens.
            window: side of a window, √N.
            apart: [W, N, N], added to the scores of all heads.

        Returns:
            [B, W, N, C].
        """
        windows = x.shape[1]
        q, k, v = self.qkv(x).chunk(3, dim=-1)

        def split(tokens: Tensor) -> Tensor:
            # [B, W, N, C] -> [B, W, heads, N, d] -> [B, W·heads, N, d]
            return tokens.unflatten(-1, (self.heads, -1)).transpose(2, 3).flatten(1, 2)

        # These three are no layers, so nobody else brings them to where and how the tokens are.
        q, v = split(q + self.q_bias.to(q)), split(v + self.v_bias.to(v))
        scale = self.logit_scale.to(q).clamp(max=math.log(LARGEST_LOGIT_SCALE)).exp()
        bias = self.position_bias(window, q).expand(windows, -1, -1, -1)  # [W, heads, N, N]
        if apart is not None:
            bias = bias + apart.to(bias.dtype)[:, None]
        q = F.normalize(q, dim=-1) * scale.repeat(windows, 1, 1)
        k = F.normalize(split(k), dim=-1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(0, 1)[None], scale=1.0)
        # [B, W·heads, N, d] -> [B, W, N, heads, d] -> [B, W, N, C]
        return self.proj(out.unflatten(1, (windows, self.heads)).transpose(2, 3).flatten(3))


class FeedForward(nn.Module):
    """Two linear layers with a GELU between, [..., C] -> [..., C]."""

    def __init__(self, channels: int, width: int, operations=nn, **factory):
        super().__init__()
        self.fc1 = operations.Linear(channels, width, **factory)
        self.fc2 = operations.Linear(width, channels, **factory)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class SwinBlock(nn.Module):
    """A transformer block that normalises after each branch: x ← x + LN(Attn(x)); x ← x + LN(MLP(x)).

    Args:
        sizes: widths.
        shifted: move the picture by half a window first, so that windows lie across the borders of those before.
    """

    def __init__(self, sizes: StageSizes, shifted: bool, operations=nn, **factory):
        super().__init__()
        self.shifted = shifted
        self.attn = WindowAttention(sizes, operations, **factory)
        self.norm1 = operations.LayerNorm(sizes.channels, **factory)
        self.mlp = FeedForward(sizes.channels, sizes.feed_forward, operations, **factory)
        self.norm2 = operations.LayerNorm(sizes.channels, **factory)

    def forward(self, x: Tensor, window: int) -> Tensor:
        """[B, S, S, C] -> [B, S, S, C], S a multiple of the window's side."""
        x = x + self.norm1(self._attend(x, window))
        return x + self.norm2(self.mlp(x))

    def _attend(self, x: Tensor, window: int) -> Tensor:
        side = x.shape[1]
        if not self.shifted or window == side:
            return join_windows(self.attn(cut_windows(x, window), window), side)
        shift = window // 2
        x = cut_windows(x.roll((-shift, -shift), (1, 2)), window)
        x = self.attn(x, window, shifted_apart(side, window, shift, x.device))
        return join_windows(x, side).roll((shift, shift), (1, 2))


class PatchMerging(nn.Module):
    """Halve the picture: the four tokens of each 2×2 cell become one of twice the width."""

    def __init__(self, channels: int, operations=nn, **factory):
        super().__init__()
        self.reduction = operations.Linear(4 * channels, 2 * channels, bias=False, **factory)
        self.norm = operations.LayerNorm(2 * channels, **factory)

    def forward(self, x: Tensor) -> Tensor:
        """[B, S, S, C] -> [B, S/2, S/2, 2C]."""
        cells = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # [B, S/2, row, S/2, column, C]
        # A cell's tokens stand column by column, as trained.
        return self.norm(self.reduction(cells.permute(0, 1, 3, 4, 2, 5).flatten(3)))


class PatchEmbedding(nn.Module):
    """Cut the picture into patches, one token each: [B, 3, H, W] -> [B, H/p, W/p, C]."""

    def __init__(self, channels: int, patch: int, operations=nn, **factory):
        super().__init__()
        self.proj = operations.Conv2d(3, channels, patch, stride=patch, **factory)
        self.norm = operations.LayerNorm(channels, **factory)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.norm(self.proj(pixels).movedim(1, -1))


class Stage(nn.Module):
    """Blocks of one size; every stage but the first halves the picture before."""

    def __init__(self, sizes: StageSizes, halves: bool, operations=nn, **factory):
        super().__init__()
        self.downsample = PatchMerging(sizes.channels // 2, operations, **factory) if halves else nn.Identity()
        self.blocks = nn.ModuleList(
            SwinBlock(sizes, number % 2 == 1, operations, **factory) for number in range(sizes.blocks)
        )

    def forward(self, x: Tensor, window: int) -> Tensor:
        """[B, S, S, C] -> [B, S, S, C]; where it halves, from [B, 2S, 2S, C/2]."""
        x = self.downsample(x)
        window = min(window, x.shape[1])
        for block in self.blocks:
            x = block(x, window)
        return x


class Tagger(nn.Module):
    """The tagger without its head: a picture in, feature tokens out.

    Args:
        patch: side in pixels of the patch that becomes a token.
        stages: sizes of the stages; each has twice the channels of the one before.
        window: side of the windows in tokens.
        operations: where Conv2d, Linear and LayerNorm come from (`torch.nn` or one of ComfyUI's operation sets).
    """

    def __init__(
        self,
        patch: int,
        stages: Sequence[StageSizes],
        window: int = WINDOW_SIZE,
        operations=nn,
        device=None,
        dtype=None,
    ):
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.window = window
        self.patch_embed = PatchEmbedding(stages[0].channels, patch, operations, **factory)
        self.layers = nn.ModuleList(
            Stage(sizes, number > 0, operations, **factory) for number, sizes in enumerate(stages)
        )
        self.norm = operations.LayerNorm(stages[-1].channels, **factory)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return a picture's features.

        Args:
            pixels: [B, 3, 448, 448], blue, green and red in [-1, 1], see `normalise_for_tagger`.

        Returns:
            [B, 196, C], 14×14 tokens row by row.
        """
        x = self.patch_embed(pixels)
        for stage in self.layers:
            x = stage(x, self.window)
        return self.norm(x).flatten(1, 2)


def tagger_weights(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a published file's tensors that `Tagger` has: without the head and without tables."""
    return {key: value for key, value in state_dict.items() if not re.match(UNUSED, key)}


def tagger_sizes(state_dict: dict[str, Tensor]) -> dict:
    """Read the constructor's sizes off a file's weights; KeyError where a tensor is missing."""
    counts: dict[int, int] = {}
    for key in state_dict:
        if found := re.match(r"layers\.(\d+)\.blocks\.(\d+)\.", key):
            stage, block = int(found[1]), int(found[2])
            counts[stage] = max(counts.get(stage, 0), block + 1)
    stages = []
    for stage in range(len(counts)):
        first = f"layers.{stage}.blocks.0"
        stages.append(
            StageSizes(
                channels=state_dict[f"{first}.norm1.weight"].shape[0],
                heads=state_dict[f"{first}.attn.logit_scale"].shape[0],
                blocks=counts[stage],
                feed_forward=state_dict[f"{first}.mlp.fc1.weight"].shape[0],
                bias_network=state_dict[f"{first}.attn.cpb_mlp.0.weight"].shape[0],
            )
        )
    return {"patch": state_dict["patch_embed.proj.weight"].shape[-1], "stages": tuple(stages)}


def normalise_for_tagger(image: Tensor) -> Tensor:
    """Resize a picture to the tagger's square, without keeping its proportions and without cropping.

    Args:
        image: [B, H, W, 3] in [0, 1].

    Returns:
        [B, 3, 448, 448], float32, blue, green and red in [-1, 1] (bicubic overshoot stays).
    """
    pixels = image.movedim(-1, 1).float()
    size = (PICTURE_SIZE, PICTURE_SIZE)
    pixels = F.interpolate(pixels, size=size, mode="bicubic", align_corners=True, antialias=True)
    return pixels.flip(1) * 2.0 - 1.0
