"""IS-Net, the segmentation network: a U of small Us.

Source: arXiv 2203.03041 (DIS) for the network, arXiv 2005.09007 (U²-Net) for its blocks, spec section 7 for the files.
"""

import re

import torch
import torch.nn.functional as F
from torch import nn

from .batch_norm import fold_all

# name: (levels, channels in, inside, out, dilated instead of pooled)
ENCODER = {
    "stage1": (7, 64, 32, 64, False),
    "stage2": (6, 64, 32, 128, False),
    "stage3": (5, 128, 64, 256, False),
    "stage4": (4, 256, 128, 512, False),
    "stage5": (4, 512, 256, 512, True),
    "stage6": (4, 512, 256, 512, True),
}
DECODER = {
    "stage5d": (4, 1024, 256, 512, True),
    "stage4d": (4, 1024, 128, 256, False),
    "stage3d": (5, 512, 64, 128, False),
    "stage2d": (6, 256, 32, 64, False),
    "stage1d": (7, 128, 16, 64, False),
}
NORM_EPS = 1e-5
UNUSED = r"side[2-6]\.|.*\.num_batches_tracked$"


def halve(x: torch.Tensor) -> torch.Tensor:
    """Halve both sides, rounding up, by 2×2 maxima."""
    return F.max_pool2d(x, 2, stride=2, ceil_mode=True)


def match(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Resize to another tensor's height and width."""
    return F.interpolate(x, size=other.shape[-2:], mode="bilinear", align_corners=False)


class ResidualU(nn.Module):
    """A small U-shaped network whose input, once convolved, is added to its output (RSU-L; RSU-4F when dilated).

    Args:
        levels: number of encoding convolutions.
        channels_in, channels_inside, channels_out: widths.
        dilated: keep the size and dilate the convolutions by 1, 2, 4, 8, instead of pooling between them.
    """

    def __init__(self, levels, channels_in, channels_inside, channels_out, dilated, operations=nn, **factory) -> None:
        super().__init__()

        def conv(width_in: int, width_out: int, dilation: int) -> nn.Module:
            return operations.Conv2d(width_in, width_out, 3, padding=dilation, dilation=dilation, **factory)

        inside = channels_inside
        dilations = [2**level for level in range(levels)] if dilated else [1] * (levels - 1) + [2]
        self.dilated = dilated
        self.enter = conv(channels_in, channels_out, 1)
        self.encode = nn.ModuleList(
            conv(inside if level else channels_out, inside, dilation) for level, dilation in enumerate(dilations)
        )
        self.decode = nn.ModuleList(
            conv(2 * inside, inside if level else channels_out, dilations[level] if dilated else 1)
            for level in range(levels - 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, channels_in, H, W] -> [B, channels_out, H, W]."""
        entered = F.relu(self.enter(x))
        features = [F.relu(self.encode[0](entered))]
        for level, conv in enumerate(self.encode[1:], start=1):
            # The lowest level widens its view by dilation alone.
            pooled = not self.dilated and level < len(self.encode) - 1
            features.append(F.relu(conv(halve(features[-1]) if pooled else features[-1])))
        x = features.pop()
        for conv in reversed(self.decode):
            skip = features.pop()
            x = F.relu(conv(torch.cat([match(x, skip), skip], dim=1)))
        return x + entered


class ISNet(nn.Module):
    """IS-Net with its first output; batch normalisations are folded into the convolutions.

    Args:
        operations: where Conv2d comes from, `torch.nn` or an equivalent.
        factory: `device` and `dtype` of the layers.
    """

    def __init__(self, operations=nn, **factory) -> None:
        super().__init__()
        self.conv_in = operations.Conv2d(3, 64, 3, stride=2, padding=1, **factory)
        for name, shape in (ENCODER | DECODER).items():
            setattr(self, name, ResidualU(*shape, operations=operations, **factory))
        self.side1 = operations.Conv2d(64, 1, 3, padding=1, **factory)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return how much of each pixel is character.

        Args:
            image: [B, 3, H, W] in the range that the file was trained for (see `segmentation`).

        Returns:
            [B, 1, H, W] in [0, 1].
        """
        x = self.conv_in(image)
        features: list[torch.Tensor] = []
        for name in ENCODER:
            x = getattr(self, name)(halve(x) if features else x)
            features.append(x)
        x = features.pop()
        for name in DECODER:
            skip = features.pop()
            x = getattr(self, name)(torch.cat([match(x, skip), skip], dim=1))
        return torch.sigmoid(match(self.side1(x), image))


def convert_state_dict(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Turn a published file's tensors into those of `ISNet`: unused heads dropped, normalisations folded.

    Args:
        state_dict: names as in the published files, without prefixes.

    Returns:
        float32 tensors for `ISNet.load_state_dict`.
    """
    used = {key: value for key, value in state_dict.items() if not re.match(UNUSED, key)}
    convs = sorted({key.rsplit(".", 1)[0] for key in used if ".conv_s1." in key})
    folded = fold_all(used, {conv: conv.replace("conv_s1", "bn_s1") for conv in convs}, NORM_EPS)
    return {_our_name(key): value for key, value in folded.items()}


def _our_name(key: str) -> str:
    """Translate a name: `stage1.rebnconv2d.conv_s1.weight` -> `stage1.decode.1.weight`."""
    key = key.replace(".conv_s1", "").replace("rebnconvin", "enter")
    return re.sub(r"rebnconv(\d)(d?)", lambda found: f"{'decode' if found[2] else 'encode'}.{int(found[1]) - 1}", key)
