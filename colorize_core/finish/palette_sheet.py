"""A palette as a picture that a person can check: a field of each colour with its name, code and share."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..prepare.preview_sheet import (
    FRAME_COLOR,
    MARGIN,
    NOTE_COLOR,
    NOTE_SIZE,
    SHEET_COLOR,
    TITLE_COLOR,
    font,
)
from .palette import Palette

CELL_WIDTH, FIELD_HEIGHT, GAP = 300, 110, 24
COLUMNS = 4
EMPTY = "The palette is empty."
#: Swatches that a sheet draws at most; the rest are counted in words.
MOST = 256
#: The first sign of Chinese and Japanese in Unicode; Pillow's font has none of what follows.
FIRST_WIDE = "\u2e80"
#: Fonts with Japanese and Chinese letters that systems come with.
WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "YuGothM.ttc", "meiryo.ttc", "msyh.ttc", "msgothic.ttc",
    "Hiragino Sans GB.ttc", "PingFang.ttc", "ヒラギノ角ゴシック W3.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "ipag.ttf", "DroidSansFallbackFull.ttf",
)  # fmt: skip


def draw_palette(palette: Palette, shares: Sequence[float] | None = None, empty: str = EMPTY) -> Tensor:
    """Draw the swatches in rows of four.

    Args:
        shares: of the picture, in [0, 1], one a swatch; None where they are not known.
        empty: said in place of swatches where there are none.

    Returns:
        IMAGE [1, H, W, 3] in [0, 1].
    """
    drawn = palette.swatches[:MOST]
    rows = -(-len(drawn) // COLUMNS)
    line = round(1.35 * NOTE_SIZE)
    cell = FIELD_HEIGHT + 3 * line + GAP
    left_over = len(palette) - len(drawn)
    height = 2 * MARGIN + (rows * cell - GAP if rows else line) + (line + GAP if left_over else 0)
    width = 2 * MARGIN + COLUMNS * CELL_WIDTH + (COLUMNS - 1) * GAP
    sheet = Image.new("RGB", (width, height), SHEET_COLOR)
    draw = ImageDraw.Draw(sheet)
    if not drawn:
        draw.text((MARGIN, MARGIN), empty, fill=TITLE_COLOR, font=font(NOTE_SIZE))
    for index, swatch in enumerate(drawn):
        row, column = divmod(index, COLUMNS)
        x, y = MARGIN + column * (CELL_WIDTH + GAP), MARGIN + row * cell
        draw.rectangle((x, y, x + CELL_WIDTH - 1, y + FIELD_HEIGHT), fill=swatch.color, outline=FRAME_COLOR)
        y += FIELD_HEIGHT + line // 4
        name = f"{index + 1}  {swatch.name}"
        write = font_for(name)
        draw.text((x, y), _cut(name, write), fill=TITLE_COLOR, font=write)
        code = swatch.hex if shares is None else f"{swatch.hex}   {100 * shares[index]:.1f} %"
        draw.text((x, y + line), code, fill=NOTE_COLOR, font=font(NOTE_SIZE))
    if left_over:
        draw.text((MARGIN, height - MARGIN - line), f"and {left_over} more", fill=TITLE_COLOR, font=font(NOTE_SIZE))
    return torch.from_numpy(np.asarray(sheet).astype(np.float32) / 255)[None]


def font_for(text: str) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font for a name: Pillow's own, or the system's where the name is Japanese or Chinese and it has one."""
    wide = any(sign >= FIRST_WIDE for sign in text)
    return (_wide_font() if wide else None) or font(NOTE_SIZE)


@lru_cache(maxsize=1)
def _wide_font() -> ImageFont.FreeTypeFont | None:
    for name in WIDE_FONTS:
        try:
            return ImageFont.truetype(name, NOTE_SIZE)
        except OSError:  # this system has another
            continue
    return None


def _cut(text: str, write: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Cut a text to the width of a cell."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\n", " ")
    if write.getlength(text) <= CELL_WIDTH:
        return text
    while text and write.getlength(text + "…") > CELL_WIDTH:
        text = text[:-1]
    return text + "…"
