"""Draw workflows/*.jpg, the template browser's pictures, from demo/contact-sheet.png, samples/ and assets/shot.webp.

python scripts/draw_thumbnails.py
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "demo"))

from contact_sheet import GAP, TITLE  # noqa: E402
from finished_samples import finished  # noqa: E402
from moving_picture import cut_frames  # noqa: E402

CELL, SIDE = 192, 384
#: Columns of the shot's moving picture.
INK, PAINTED, FLAT = 0, 1, 2
#: Columns of the contact sheet.
DRAWING, REFERENCE, BACKGROUND, MASK, PLAIN, INJECTED, STYLED = 0, 1, 2, 3, 4, 6, 7


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


def labelled(picture: Image.Image, text: str) -> Image.Image:
    """Write what is mixed in across the foot of a picture."""
    picture, height = picture.copy(), picture.height // 7
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, picture.height - height, *picture.size), fill="#222233")
    middle = (picture.width / 2, picture.height - height / 2)
    draw.text(middle, text, fill="white", font=ImageFont.load_default(height * 0.65), anchor="mm")
    return picture


def depth_map(mask: Image.Image) -> Image.Image:
    """Make something like a depth map of a character's mask: rounded, before a ground that comes nearer."""
    near = mask.convert("L").filter(ImageFilter.GaussianBlur(5)).point(lambda level: level * 0.8 + 40)
    ground = Image.linear_gradient("L").resize(mask.size).point(lambda level: level * 0.3)
    return Image.composite(near, ground, mask.convert("L")).convert("RGB")


def painted(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Paint the lower half of a character over, as the mask editor shows it."""
    half = Image.new("L", picture.size)
    box = (0, picture.height // 2, *picture.size)
    half.paste(mask.convert("L").point(lambda level: level * 0.65).crop(box), box)
    return Image.composite(Image.new("RGB", picture.size, "#303030"), picture, half)


def enlarged(picture: Image.Image) -> Image.Image:
    """Show the middle of a picture twice as large, and all of it in a corner."""
    width, height = picture.size
    middle = picture.crop((width // 4, 0, 3 * width // 4, height // 2))
    large = middle.resize(picture.size, Image.Resampling.LANCZOS)
    small = picture.resize((width // 3, height // 3), Image.Resampling.LANCZOS)
    ImageDraw.Draw(large).rectangle((0, height - height // 3 - 3, width // 3 + 2, height), fill="white")
    large.paste(small, (0, height - height // 3))
    return large


def after_the_sampler() -> dict[str, Image.Image]:
    """Return the pictures of the workflows that need no model, from what their nodes make."""
    made = finished()
    shown = {
        "flats": [made.drawing, made.colored, made.regions, made.inked],
        "illustration_layers": [*made.layers, made.flattened],
    }
    return {
        name: grid([picture.resize((CELL, CELL), Image.Resampling.LANCZOS) for picture in pictures], 2)
        for name, pictures in shown.items()
    }


def of_the_shot(*columns: int) -> list[Image.Image]:
    """Return four pictures of the demonstration's shot: its first frame, two between and its last, a column each."""
    frames = {column: cut_frames(ROOT / "assets" / "shot.webp", column) for column in set(columns)}
    turn = len(frames[columns[0]]) // 2
    places = (0, turn // 3, 2 * turn // 3, turn)
    pictures = [frames[column][place] for column, place in zip(columns, places, strict=True)]
    return [picture.resize((CELL, CELL), Image.Resampling.LANCZOS) for picture in pictures]


def thumbnails(sheet: Image.Image) -> dict[str, Image.Image]:
    """Return one picture for each workflow."""

    def at(row: int, column: int) -> Image.Image:
        return cell(sheet, row, column)

    return {
        "try_it": grid([at(0, DRAWING), at(0, REFERENCE), at(0, BACKGROUND), at(0, INJECTED)], 2),
        "sketch_and_reference": halves(at(0, DRAWING), at(0, PLAIN)),
        "character_and_background": halves(at(0, DRAWING), at(0, INJECTED)),
        "style_transfer": grid([at(2, REFERENCE), at(2, DRAWING), at(2, MASK), at(2, STYLED)], 2),
        "xl_sketch_and_reference": labelled(halves(at(0, DRAWING), at(0, PLAIN)), "XL · 1024"),
        "xl_character_and_background": labelled(halves(at(0, DRAWING), at(0, INJECTED)), "XL · 1024"),
        "from_raw_images": grid([at(3, REFERENCE), at(3, DRAWING), at(3, MASK), at(3, INJECTED)], 2),
        "two_characters": grid([at(0, REFERENCE), at(3, REFERENCE), at(0, INJECTED), at(3, INJECTED)], 2),
        "shot": grid(of_the_shot(PAINTED, PAINTED, PAINTED, PAINTED), 2),
        "anchored_shot": labelled(grid(of_the_shot(PAINTED, PAINTED, PAINTED, PAINTED), 2), "+ anchor"),
        "shot_to_cels": grid(of_the_shot(INK, PAINTED, FLAT, FLAT), 2),
        "mix_lora": labelled(halves(at(1, DRAWING), at(1, INJECTED)), "+ LoRA"),
        "mix_controlnet": labelled(
            grid([at(1, DRAWING), depth_map(at(1, MASK)), at(1, REFERENCE), at(1, INJECTED)], 2), "+ ControlNet"
        ),
        "mix_model_patches": labelled(halves(at(3, DRAWING), at(3, INJECTED)), "+ FreeU, PAG"),
        "inpaint": painted(at(0, INJECTED), at(0, MASK)),
        "upscale_and_refine": enlarged(at(0, INJECTED)),
        **after_the_sampler(),
    }


def main() -> None:
    sheet = Image.open(ROOT / "demo" / "contact-sheet.png").convert("RGB")
    for name, picture in thumbnails(sheet).items():
        path = ROOT / "workflows" / f"{name}.jpg"
        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(path, quality=88, optimize=True)
        print(f"thumbnails: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
