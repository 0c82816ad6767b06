"""Palettes as text of the GIMP palette format, which most programs for painting read."""

from .palette import Palette


def gpl_text(palette: Palette, name: str) -> str:
    """Write a palette, a swatch a line.

    Args:
        name: of the palette, for people.
    """
    rows = ["{:3} {:3} {:3}\t{}".format(*swatch.color, _line(swatch.name)) for swatch in palette.swatches]
    return "\n".join(["GIMP Palette", f"Name: {_line(name)}", "Columns: 8", "#", *rows, ""])


def _line(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
