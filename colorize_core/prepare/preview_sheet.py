"""A sheet of labelled pictures with a legend: one large panel and smaller ones beside it."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

MARGIN = 28
GAP = 24
TITLE_SIZE = 28
NOTE_SIZE = 22
LEAST_CELL_WIDTH = 330
SHEET_COLOR = (30, 32, 36)
TITLE_COLOR = (245, 245, 245)
NOTE_COLOR = (190, 194, 202)
FRAME_COLOR = (92, 96, 104)
WIDE = 1.6


@dataclass(frozen=True)
class Panel:
    """A picture [h, w, 3] in [0, 1] with a title and a note above it."""

    picture: torch.Tensor
    title: str
    note: str


@dataclass(frozen=True)
class LegendEntry:
    """A colour, RGB in [0, 1], and what it means."""

    color: tuple[float, float, float]
    meaning: str


def draw_sheet(panels: list[Panel], legend: list[LegendEntry]) -> torch.Tensor:
    """Lay out the first panel large, the others in two columns of smaller ones, and the legend below.

    Args:
        panels: the first one of any size, the others of `small_size` of it.
        legend: entries from left to right, wrapped where the sheet ends.

    Returns:
        [H, W, 3] in [0, 1].
    """
    places, width, height = place_panels(panels)
    rows = wrap_legend(legend, width)
    sheet = Image.new("RGB", (width, height + len(rows) * legend_height() + MARGIN), SHEET_COLOR)
    draw = ImageDraw.Draw(sheet)
    for panel, (left, top) in zip(panels, places, strict=True):
        draw_panel(sheet, draw, panel, left, top)
    for index, row in enumerate(rows):
        draw_legend_row(draw, row, height + index * legend_height())
    return torch.from_numpy(np.asarray(sheet).astype(np.float32) / 255)


def is_wide(height: int, width: int) -> bool:
    """Whether the small panels go below the large one instead of beside it."""
    return width > WIDE * height


def small_size(height: int, width: int) -> tuple[int, int]:
    """Return the size of the small panels that lines two of them up with a large panel of height×width."""
    across, down = (width - GAP) / 2 / width, (height - GAP - caption_height()) / 2 / height
    scale = across if is_wide(height, width) else down
    return max(1, round(height * scale)), max(1, round(width * scale))


def place_panels(panels: list[Panel]) -> tuple[list[tuple[int, int]], int, int]:
    """Return the upper left corner of each panel's cell, and the width and height that they take up."""
    main, small = panels[0].picture, panels[1].picture
    wide = is_wide(*main.shape[:2])
    main_width, small_width = (max(picture.shape[1], LEAST_CELL_WIDTH) for picture in (main, small))
    main_height, small_height = (picture.shape[0] + caption_height() for picture in (main, small))
    left = MARGIN if wide else MARGIN + main_width + GAP
    top = MARGIN + main_height + GAP if wide else MARGIN
    places = [(MARGIN, MARGIN)]
    for index in range(len(panels) - 1):
        row, column = divmod(index, 2)
        places.append((left + column * (small_width + GAP), top + row * (small_height + GAP)))
    right = max(MARGIN + main_width, left + 2 * small_width + GAP)
    bottom = max(MARGIN + main_height, places[-1][1] + small_height)
    return places, right + MARGIN, bottom + GAP


def draw_panel(sheet: Image.Image, draw: ImageDraw.ImageDraw, panel: Panel, left: int, top: int) -> None:
    """Draw title, note and picture of one panel."""
    draw.text((left, top), panel.title, fill=TITLE_COLOR, font=font(TITLE_SIZE))
    draw.text((left, top + round(1.3 * TITLE_SIZE)), panel.note, fill=NOTE_COLOR, font=font(NOTE_SIZE))
    top += caption_height()
    picture = Image.fromarray((panel.picture.clamp(0, 1) * 255).round().byte().cpu().numpy())
    sheet.paste(picture, (left, top))
    draw.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=FRAME_COLOR)


def wrap_legend(legend: list[LegendEntry], width: int) -> list[list[tuple[int, LegendEntry]]]:
    """Return rows of (left edge, entry), as many in a row as fit the sheet."""
    rows: list[list[tuple[int, LegendEntry]]] = [[]]
    left = MARGIN
    for entry in legend:
        length = round(2.6 * NOTE_SIZE + font(NOTE_SIZE).getlength(entry.meaning))
        if rows[-1] and left + length > width - MARGIN:
            rows.append([])
            left = MARGIN
        rows[-1].append((left, entry))
        left += length + GAP
    return rows


def draw_legend_row(draw: ImageDraw.ImageDraw, row: list[tuple[int, LegendEntry]], top: int) -> None:
    """Draw swatches and their meanings side by side."""
    for left, entry in row:
        swatch = (left, top, left + 2 * NOTE_SIZE, top + round(1.2 * NOTE_SIZE))
        draw.rectangle(swatch, fill=tuple(round(255 * part) for part in entry.color), outline=FRAME_COLOR)
        draw.text((left + round(2.6 * NOTE_SIZE), top), entry.meaning, fill=TITLE_COLOR, font=font(NOTE_SIZE))


def caption_height() -> int:
    """Return the height of a panel's title and note."""
    return round(1.3 * TITLE_SIZE + 1.6 * NOTE_SIZE)


def legend_height() -> int:
    """Return the height of a row of the legend."""
    return round(1.8 * NOTE_SIZE)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow."""
    return ImageFont.load_default(size)
