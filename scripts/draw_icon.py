"""Draw assets/icon.png and assets/banner.png for the Comfy registry: a line drawing that turns into colour.

python scripts/draw_icon.py
"""

import math
import re
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from draw_help_pictures import BODY, COLOURS, DAY, HAIR, INK

FOLDER = Path(__file__).resolve().parent.parent / "assets"
ICON = (400, 400)
BANNER = (1260, 540)  # 21:9
FINE = 4  # drawn so many times larger, then reduced
CURVE_STEPS = 24

Point = tuple[float, float]


def outline(element: str) -> list[Point]:
    """Return the points along a path of the pictograms: M, C, H, V and Z."""
    path = re.search(r' d="([^"]+)"', element)
    assert path
    points: list[Point] = []
    for command, numbers in re.findall(r"([MCHVZ])([^MCHVZ]*)", path.group(1)):
        values = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        if command == "M":
            points.append((values[0], values[1]))
        elif command == "H":
            points.append((values[0], points[-1][1]))
        elif command == "V":
            points.append((points[-1][0], values[0]))
        elif command == "C":
            (x0, y0), (x1, y1, x2, y2, x3, y3) = points[-1], values
            for t in (i / CURVE_STEPS for i in range(1, CURVE_STEPS + 1)):
                a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                points.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return [*points, points[0]]


def paint(size: tuple[int, int], unit: float, left: float, top: float, coloured: bool) -> Image.Image:
    """Paint the scene, as a line drawing or in colour.

    Args:
        size: in pixels. unit: pixels of one unit of the pictograms. left, top: where their origin lies, in pixels.
    """
    sky, hill, sun = DAY if coloured else ("white",) * 3
    skin, hair, top_colour = COLOURS if coloured else ("white",) * 3
    image = Image.new("RGB", size, sky)
    pen = ImageDraw.Draw(image)
    line = round(2.2 * unit)

    def shape(points: list[Point], fill: str) -> None:
        placed = [(left + x * unit, top + y * unit) for x, y in points]
        pen.polygon(placed, fill=fill)
        pen.line(placed, fill=INK, width=line, joint="curve")

    def disc(x: float, y: float, radius: float, fill: str) -> None:
        box = [left + (x - radius) * unit, top + (y - radius) * unit, left + (x + radius) * unit]
        pen.ellipse([*box, top + (y + radius) * unit], fill=fill, outline=INK, width=line)

    disc(80, 18, 9, sun)
    far = round(max(size) / unit)
    hills = [(float(x), 68 + 9 * math.cos((x - 6) / 27)) for x in range(-far, far)]
    shape([*hills, (far, 300), (-far, 300)], hill)
    shape([(x, y if y < 99 else 300) for x, y in outline(BODY)], top_colour)
    disc(48, 42, 17, skin)
    shape(outline(HAIR), hair)
    for x in (41.5, 54.5):
        pen.ellipse([left + (x - 1.6) * unit, top + 43 * unit, left + (x + 1.6) * unit, top + 48 * unit], fill=INK)
    smile = [left + 43 * unit, top + 46 * unit, left + 53 * unit, top + 53.5 * unit]
    pen.arc(smile, 25, 155, fill=INK, width=round(1.3 * unit))
    return image


def turn_to_colour(size: tuple[int, int], unit: float, left: float, top: float) -> Image.Image:
    """Blend from the line drawing on the left to the coloured one on the right of the figure's slanted middle."""
    large = (size[0] * FINE, size[1] * FINE)
    place = (unit * FINE, left * FINE, top * FINE)
    middle, slant = (left + 48 * unit) * FINE, large[1] * 0.16
    mask = Image.new("L", large, 0)
    corners = [(middle + slant, 0), (large[0] + 1, 0), (large[0] + 1, large[1]), (middle - slant, large[1])]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    mask = mask.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(unit * 1.2))
    drawn, coloured = (
        paint(large, *place, coloured=colour).resize(size, Image.Resampling.LANCZOS) for colour in (False, True)
    )
    return Image.composite(coloured, drawn, mask)


def icon() -> Image.Image:
    """The square picture with rounded corners."""
    image = turn_to_colour(ICON, unit=4.35, left=-9, top=-8)
    corners = Image.new("L", (ICON[0] * FINE, ICON[1] * FINE), 0)
    ImageDraw.Draw(corners).rounded_rectangle([0, 0, ICON[0] * FINE - 1, ICON[1] * FINE - 1], 72 * FINE, fill=255)
    image.putalpha(corners.resize(ICON, Image.Resampling.LANCZOS))
    return image


def banner() -> Image.Image:
    """The wide picture with the name."""
    image = turn_to_colour(BANNER, unit=5.2, left=BANNER[0] / 2 - 250 + 330, top=10)
    pen = ImageDraw.Draw(image)
    pen.text((72, 150), "ColorizeDiffusion", font=ImageFont.load_default(76), fill=INK)
    pen.text((76, 250), "colours your line art like a reference", font=ImageFont.load_default(34), fill=INK)
    return image


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, picture in (("icon", icon()), ("banner", banner())):
        path = FOLDER / f"{name}.png"
        picture.quantize(256, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)
        print(f"{path}: {picture.size[0]}×{picture.size[1]}, {path.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
