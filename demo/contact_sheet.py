"""Lay pictures out in labelled columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

GAP, TITLE, LINE = 6, 34, 17


def contact_sheet(
    titles: Sequence[str],
    rows: Sequence[Sequence[np.ndarray | None]],
    side: int = 192,
    captions: Sequence[str] | None = None,
) -> Image.Image:
    """Return a sheet with one row of pictures for each entry of `rows`, fitted into `side` pixels, under column titles.

    Args:
        titles: one a column; line breaks start further lines.
        rows: pictures [H, W, 3] or [H, W] uint8; None leaves a place empty.
        captions: one a row, above its pictures.
    """
    top = max(TITLE, LINE * max(title.count("\n") + 1 for title in titles))
    caption = LINE if captions else 0
    width = GAP + len(titles) * (side + GAP)
    sheet = Image.new("RGB", (width, top + len(rows) * (caption + side + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for column, title in enumerate(titles):
        middle = GAP + column * (side + GAP) + side / 2
        draw.multiline_text((middle, top / 2), title, fill="black", font=font, anchor="mm", align="center")
    for number, row in enumerate(rows):
        place = top + number * (caption + side + GAP)
        if captions:
            draw.text((GAP, place), captions[number], fill="black", font=font)
        for column, picture in enumerate(row):
            if picture is None:
                continue
            image = ImageOps.pad(
                Image.fromarray(picture).convert("RGB"), (side, side), Image.Resampling.LANCZOS, color="white"
            )
            sheet.paste(image, (GAP + column * (side + GAP), place + caption))
    return sheet
