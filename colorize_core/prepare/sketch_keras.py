"""sketchKeras, the network that draws the lines of a picture, and the high-pass that it looks at.

Source: spec section 7; the published network is a PyTorch port of lllyasviel's sketchKeras.
"""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .batch_norm import fold_all
from .blur import gaussian_blur
from .pictures import resize_picture

# name: (kernel, stride) of its convolutions, and widths from the input to the output
DOWN = {
    "downblock_1": ([(3, 1)], (1, 32)),
    "downblock_2": ([(4, 2), (3, 1)], (32, 64, 64)),
    "downblock_3": ([(4, 2), (3, 1)], (64, 128, 128)),
    "downblock_4": ([(4, 2), (3, 1)], (128, 256, 256)),
    "downblock_5": ([(4, 2)], (256, 512)),
    "downblock_6": ([(3, 1)], (512, 512)),
}
UP = {
    "upblock_1": ([(4, 1), (3, 1)], (1024, 512, 256)),
    "upblock_2": ([(4, 1), (3, 1)], (512, 256, 128)),
    "upblock_3": ([(4, 1), (3, 1)], (256, 128, 64)),
    "upblock_4": ([(4, 1), (3, 1)], (128, 64, 32)),
}
NORM_EPS = 1e-3
#: Both sides of the network's input are multiples of this: it halves the picture four times, and mirrors what is left.
GRID = 32

# Source: spec section 7, line extraction. A kernel for u8 pictures reaches three standard deviations.
BLUR_SIGMA = 3.0
BLUR_RADIUS = 9
FAINTEST = 0.1


def padded(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """Convolve after mirroring the border; a 4×4 kernel at stride 1 is given the extra pixel on its far sides."""
    far = 2 if conv.kernel_size[0] == 4 and conv.stride[0] == 1 else 1
    return conv(F.pad(x, (1, far, 1, far), mode="reflect"))


class SketchKeras(nn.Module):
    """The line network; batch normalisations are folded into the convolutions.

    Args:
        operations: where Conv2d comes from, `torch.nn` or an equivalent.
        factory: `device` and `dtype` of the layers.
    """

    def __init__(self, operations=nn, **factory) -> None:
        super().__init__()
        for name, (kernels, widths) in (DOWN | UP).items():
            convs = [
                operations.Conv2d(width_in, width_out, kernel, stride=stride, **factory)
                for (kernel, stride), width_in, width_out in zip(kernels, widths, widths[1:], strict=False)
            ]
            setattr(self, name, nn.ModuleList(convs))
        self.last_conv = operations.Conv2d(64, 1, 3, **factory)

    def forward(self, high_pass: torch.Tensor) -> torch.Tensor:
        """Return the strength of lines.

        Args:
            high_pass: [B, 1, H, W], see `high_pass`; H and W multiples of `GRID`.

        Returns:
            [B, 1, H, W]; lines towards 1, no line about 0.
        """
        x, features = high_pass, []
        for name in DOWN:
            x = self._block(name, x)
            features.append(x)
        x = features.pop()
        for name in UP:
            x = torch.cat([features.pop(), x], dim=1)
            x = self._block(name, F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False))
        return padded(self.last_conv, torch.cat([features.pop(), x], dim=1))

    def _block(self, name: str, x: torch.Tensor) -> torch.Tensor:
        for conv in getattr(self, name):
            x = F.relu(padded(conv, x))
        return x


def convert_state_dict(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Turn a published file's tensors into those of `SketchKeras`: normalisations folded, layers counted from 0.

    Args:
        state_dict: names as in the published file, without prefixes.

    Returns:
        float32 tensors for `SketchKeras.load_state_dict`.
    """
    used = {key: value for key, value in state_dict.items() if not key.endswith("num_batches_tracked")}
    convs = sorted({key.removesuffix(".weight") for key, value in used.items() if value.ndim == 4} - {"last_conv"})
    folded = fold_all(used, {conv: re.sub(r"\d+$", lambda n: str(int(n[0]) + 1), conv) for conv in convs}, NORM_EPS)
    # Within a block, the first convolution is layer 1 (or 2, after the upsampling) and the second is layer 5 (or 6).
    return {re.sub(r"\.([1256])\.", lambda n: f".{int(n[1]) // 5}.", key): value for key, value in folded.items()}


def high_pass(rgb: torch.Tensor) -> torch.Tensor:
    """Return what a picture holds beyond its own blur, the input of the network.

    Args:
        rgb: [1, H, W, 3] in [0, 1].

    Returns:
        [3, 1, H, W], one entry a colour channel; at most 1, and about ±1 along edges.

    Source: spec section 7, line extraction.
    """
    levels = (rgb.movedim(-1, 1) * 255).round()
    detail = (levels - gaussian_blur(levels, BLUR_SIGMA, BLUR_RADIUS).round()) / 127.5
    peak = detail.max()
    return (detail / peak if peak > 0 else detail).movedim(1, 0)


def line_strength(raw: torch.Tensor) -> torch.Tensor:
    """Merge the lines of the colour channels and drop the faintest.

    Args:
        raw: [3, 1, H, W], the network's output.

    Returns:
        [1, H, W] in [0, 1], lines white on black (the published program maps it to [-1, 1]).

    Source: spec section 7, line extraction.
    """
    lines = raw.amax(dim=0)
    return torch.where(lines < FAINTEST, 0, lines).clamp(max=1)


def extract_lines(
    network: Callable[[torch.Tensor], torch.Tensor], rgb: torch.Tensor, longest_side: int = 0
) -> torch.Tensor:
    """Draw the lines of one picture, in its own size.

    Args:
        network: [3, 1, H, W] -> [3, 1, H, W], H and W multiples of `GRID`.
        rgb: [1, H, W, 3] in [0, 1].
        longest_side: a larger picture is reduced to it before the network sees it; 0 = never.

    Returns:
        [1, H, W, 3] in [0, 1], lines white on black.
    """
    height, width = rgb.shape[1:3]
    scale = min(1.0, longest_side / max(height, width)) if longest_side else 1.0
    detail = high_pass(resize_picture(rgb, max(1, round(height * scale)), max(1, round(width * scale))))
    seen_height, seen_width = detail.shape[-2:]
    # Beyond the picture there is no detail, so the filling adds no lines.
    filled = F.pad(detail, (0, -seen_width % GRID, 0, -seen_height % GRID))
    lines = line_strength(network(filled)[..., :seen_height, :seen_width])
    return resize_picture(lines[..., None], height, width).expand(-1, -1, -1, 3)
