"""The sketch encoder: a line map in, five hints for the UNet's input blocks out.

Source: spec section 3; arXiv 2504.06895, section 3 (the sketch encoder).
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

#: The UNet's input blocks after which hint 0…4 are added.
HINT_BLOCKS = (0, 3, 6, 9, 11)
#: Output channels and stride of the eight convolutions of the stem; the last one ends at the UNet's own width.
STEM_CHANNELS = (16, 16, 32, 32, 96, 96, 256)
STEM_STRIDES = (1, 1, 2, 1, 2, 1, 2, 1)
#: Stride of the first convolution of each of the four stages.
STAGE_STRIDES = (2, 2, 2, 1)


def stem(channels: Sequence[int], operations=nn, **factory) -> nn.Sequential:
    """Build the convolutions that bring lines [B, 3, H, W] to [B, channels[-1], H/8, W/8]; see `STEM_STRIDES`."""
    layers: list[nn.Module] = []
    for c_in, c_out, stride in zip((3, *channels[:-1]), channels, STEM_STRIDES, strict=True):
        layers += [operations.Conv2d(c_in, c_out, 3, padding=1, stride=stride, **factory), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def stem_sizes(state_dict: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Read the output channels of the stem's convolutions off the weights (`model.{2i}.weight`)."""
    return tuple(state_dict[f"model.{2 * i}.weight"].shape[0] for i in range(len(STEM_STRIDES)))


class SketchEncoder(nn.Module):
    """Encode a line map into hints, one for each of `HINT_BLOCKS`.

    Args:
        stem_channels: output channels of the eight convolutions of the stem; the last is the UNet's own width.
        stage_channels: channels of hints 1…4.
        operations: where Conv2d comes from (`torch.nn` or one of ComfyUI's operation sets).
    """

    hint_blocks = HINT_BLOCKS

    def __init__(
        self, stem_channels: Sequence[int], stage_channels: Sequence[int], operations=nn, device=None, dtype=None
    ):
        super().__init__()
        factory = {"device": device, "dtype": dtype}

        def conv3(c_in: int, c_out: int, stride: int = 1) -> nn.Module:
            return operations.Conv2d(c_in, c_out, 3, padding=1, stride=stride, **factory)

        def conv1(channels: int) -> nn.Module:
            return nn.Sequential(operations.Conv2d(channels, channels, 1, **factory))

        self.model = stem(stem_channels, operations, **factory)
        c_in = stem_channels[-1]
        self.zero_layer = conv1(c_in)

        self.output_blocks = nn.ModuleList()
        self.zero_blocks = nn.ModuleList()
        for c_out, stride in zip(stage_channels, STAGE_STRIDES, strict=True):
            self.output_blocks.append(
                nn.Sequential(nn.SiLU(), conv3(c_in, c_out, stride), nn.SiLU(), conv3(c_out, c_out))
            )
            self.zero_blocks.append(conv1(c_out))
            c_in = c_out

    def forward(self, lines: Tensor) -> list[Tensor]:
        """Encode lines.

        Args:
            lines: [B, 3, H, W] in [-1, 1], lines +1 on blank -1.

        Returns:
            Five hints [B, C_i, h_i, w_i], for input blocks 0, 3, 6, 9, 11 of the UNet.
        """
        h = self.model(lines)
        hints = [self.zero_layer(h)]
        for stage, zero in zip(self.output_blocks, self.zero_blocks, strict=True):
            h = stage(h)
            hints.append(zero(h))
        return hints


def sketch_encoder_sizes(state_dict: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Read the constructor's sizes off the weights (keys without the `control_encoder.` prefix)."""
    return {
        "stem_channels": stem_sizes(state_dict),
        "stage_channels": tuple(state_dict[f"output_blocks.{i}.1.weight"].shape[0] for i in range(len(STAGE_STRIDES))),
    }
