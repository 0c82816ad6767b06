"""Set the frames of a shot side by side as one moving picture, what they are made from beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageSequence

#: Pixels: side of a moving picture, its margin, the height of its name.
SIDE, GAP, LABEL = 304, 14, 26
#: Side of a still picture; two with their names are as high as a moving one with its own.
STILL = (SIDE - LABEL - GAP) // 2
#: Milliseconds: of a frame, and of the first and last drawing, where the movement turns.
FRAME, TURN = 83, 333
QUALITY = 86


@dataclass(frozen=True)
class Column:
    """The frames [H, W, 3] uint8 of a moving picture, one a drawing, and its name."""

    name: str
    frames: Sequence[np.ndarray]


@dataclass(frozen=True)
class Still:
    """A picture [H, W, 3] uint8 that does not move, and its name."""

    name: str
    picture: np.ndarray


def there_and_back(count: int) -> list[int]:
    """Return the drawings' order in a loop that ends where it begins."""
    return [*range(count), *range(count - 2, 0, -1)]


def left_of(column: int) -> int:
    """Return where a moving picture begins, from the left."""
    return 2 * GAP + STILL + column * (SIDE + GAP)


def canvas_of(stills: Sequence[Still], columns: Sequence[Column], drawing: int) -> Image.Image:
    """Draw one frame of the whole: two stills one below the other, then the columns."""
    size = (left_of(len(columns)), SIDE + LABEL + GAP)
    canvas = Image.new("RGB", size, "white")
    places = [(GAP, GAP + number * (STILL + LABEL + GAP), STILL) for number in range(len(stills))]
    places += [(left_of(number), GAP, SIDE) for number in range(len(columns))]
    shown = [still.picture for still in stills] + [column.frames[drawing] for column in columns]
    names = [part.name for part in (*stills, *columns)]
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(15)
    for (x, y, side), picture, name in zip(places, shown, names, strict=True):
        canvas.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        pen.rectangle((x, y, x + side - 1, y + side - 1), outline="#2b2b33")
        pen.text((x + side / 2, y + side + LABEL / 2), name, fill="#55535b", font=font, anchor="mm")
    return canvas


def save_moving_picture(path: Path, stills: Sequence[Still], columns: Sequence[Column]) -> None:
    """Write an animated WebP file that plays for ever, there and back."""
    count = len(columns[0].frames)
    order = there_and_back(count)
    first, *rest = (canvas_of(stills, columns, drawing) for drawing in order)
    durations = [TURN if drawing in (0, count - 1) else FRAME for drawing in order]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, quality=QUALITY, method=6)


def cut_frames(path: Path, column: int) -> list[Image.Image]:
    """Return the frames of one column of such a file, as they play, without their border."""
    x, y = left_of(column) + 1, GAP + 1
    with Image.open(path) as picture:
        return [
            frame.convert("RGB").crop((x, y, x + SIDE - 2, y + SIDE - 2)) for frame in ImageSequence.Iterator(picture)
        ]
