"""Lay pictures out in labelled columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP, TITLE = 6, 34


def contact_sheet(titles: Sequence[str], rows: Sequence[Sequence[np.ndarray]], side: int = 192) -> Image.Image:
    """Return a sheet with one row of pictures for each entry of `rows`, scaled to `side` pixels, under column titles.

    Args:
        titles: one a column; a line break starts a second line.
        rows: pictures [H, W, 3] or [H, W] uint8.
    """
    width = GAP + len(titles) * (side + GAP)
    sheet = Image.new("RGB", (width, TITLE + len(rows) * (side + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for column, title in enumerate(titles):
        middle = GAP + column * (side + GAP) + side / 2
        draw.multiline_text((middle, TITLE / 2), title, fill="black", font=font, anchor="mm", align="center")
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            image = Image.fromarray(picture).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(image, (GAP + column * (side + GAP), TITLE + number * (side + GAP)))
    return sheet
