"""Two boxes side by side that move to the right from frame to frame: the smallest shot that has regions."""

from collections.abc import Sequence

import torch

HEIGHT, WIDTH = 60, 80
#: Where the two boxes begin in the first frame.
LEFT = (6, 36)

Colors = Sequence[Sequence[float]]


def drawings(frames: int, step: int) -> torch.Tensor:
    """Black outlines of 2 pixels on white: [frames, 60, 80, 3] in [0, 1]. step: pixels from frame to frame."""
    drawing = torch.ones(frames, HEIGHT, WIDTH, 3)
    for frame, page in enumerate(drawing):
        for left in (place + step * frame for place in LEFT):
            page[8:50, left : left + 28] = 0
            page[10:48, left + 2 : left + 26] = 1
    return drawing


def colored(drawing: torch.Tensor, step: int, colors: Sequence[Colors]) -> torch.Tensor:
    """Fill the boxes of those drawings; colors: the two boxes' of each frame, 0 … 255."""
    picture = drawing.clone()
    for frame, (page, own) in enumerate(zip(picture, colors, strict=True)):
        for left, color in zip(LEFT, own, strict=True):
            left += step * frame
            page[10:48, left + 2 : left + 26] = torch.tensor(color) / 255
    return picture
