"""Draw workflows/*.jpg, the pictures of the template browser, from the cells of demo/contact-sheet.png.

python scripts/draw_thumbnails.py
"""

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "demo"))

from contact_sheet import GAP, TITLE  # noqa: E402

CELL, SIDE = 192, 384
#: Columns of the contact sheet.
DRAWING, REFERENCE, MASK, PLAIN, INJECTED, STYLED = 0, 1, 3, 4, 6, 7


def cell(sheet: Image.Image, row: int, column: int) -> Image.Image:
    """Cut one picture out of the sheet."""
    left, top = GAP + column * (CELL + GAP), TITLE + row * (CELL + GAP)
    return sheet.crop((left, top, left + CELL, top + CELL))


def halves(first: Image.Image, second: Image.Image) -> Image.Image:
    """Show the left half of one picture and the right half of another."""
    joined = first.copy()
    joined.paste(second.crop((CELL // 2, 0, CELL, CELL)), (CELL // 2, 0))
    return joined


def grid(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Lay pictures out in rows."""
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (columns * CELL, rows * CELL), "white")
    for place, picture in enumerate(pictures):
        canvas.paste(picture, (place % columns * CELL, place // columns * CELL))
    return canvas


def thumbnails(sheet: Image.Image) -> dict[str, Image.Image]:
    """Return one picture for each workflow."""

    def at(row: int, column: int) -> Image.Image:
        return cell(sheet, row, column)

    return {
        "sketch_and_reference": halves(at(0, DRAWING), at(0, PLAIN)),
        "character_and_background": halves(at(0, DRAWING), at(0, INJECTED)),
        "style_transfer": grid([at(2, REFERENCE), at(2, DRAWING), at(2, MASK), at(2, STYLED)], 2),
        "from_raw_images": grid([at(3, REFERENCE), at(3, DRAWING), at(3, MASK), at(3, INJECTED)], 2),
        "two_characters": grid([at(0, REFERENCE), at(3, REFERENCE), at(0, INJECTED), at(3, INJECTED)], 2),
        "shot": grid([at(row, INJECTED) for row in range(4)], 2),
    }


def main() -> None:
    sheet = Image.open(ROOT / "demo" / "contact-sheet.png").convert("RGB")
    for name, picture in thumbnails(sheet).items():
        path = ROOT / "workflows" / f"{name}.jpg"
        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(path, quality=88, optimize=True)
        print(f"thumbnails: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
