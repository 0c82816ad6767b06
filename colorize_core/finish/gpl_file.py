"""Palette files of GIMP, Krita and Inkscape: text, a row `R G B name` a colour.

Source: GIMP, developer documentation, "GPL palette file format"; the variant with transparency is Aseprite's.
"""

import re
from pathlib import Path

from ..errors import ColorizeError, told
from .palette import ROLES, Palette, Swatch

SUFFIX = ".gpl"
#: Bytes of a palette file at most; a palette of 10,000 colours has a twentieth of it.
LARGEST = 8 << 20
#: Colours that a file may hold.
MOST = 4096


def write_gpl(palette: Palette, path: Path, title: str) -> None:
    """Write a palette; comments that other programs pass over tell which swatch is a shadow of which."""
    rows = ["GIMP Palette", f"Name: {_one_line(title)}", "Columns: 4"]
    for swatch in palette.swatches:
        if swatch.role != "base":
            rows.append(f"# {swatch.role} of: {_one_line(swatch.base)}")
        red, green, blue = swatch.color
        rows.append(f"{red:3} {green:3} {blue:3}\t{_one_line(swatch.name)}")
    path.write_text("\n".join([*rows, ""]), encoding="utf-8", newline="\n")


def read_gpl(path: Path) -> Palette:
    """Read a palette file.

    Colours without a name are numbered, and so are names that come again. Transparency, a fourth number, is passed
    over.

    Raises:
        ColorizeError: it is no such file, or damaged.
    """
    if path.stat().st_size > LARGEST:
        raise _refused(path, "is larger than any palette")
    rows = _text(path).splitlines()
    if not rows or rows[0].strip() != "GIMP Palette":
        raise _refused(path, f"begins with {told(rows[0] if rows else '')} in place of “GIMP Palette”")
    swatches: list[Swatch] = []
    used: set[str] = set()
    told_role: tuple[str, str] | None = None
    channels = 3
    for number, row in enumerate(rows[1:], start=2):
        row = row.strip()
        note = re.fullmatch(rf"#\s*({'|'.join(ROLES[1:])}) of:\s*(.*)", row)
        if note:
            told_role = note[1], note[2].strip()
        elif row.startswith("Channels:"):
            channels = 4 if row.partition(":")[2].strip().upper() == "RGBA" else 3
        elif row and not row.startswith(("#", "Name:", "Columns:")):
            color, name = _read_row(path, number, row, channels)
            name = _unique(name or f"color {len(swatches) + 1}", used)
            swatches.append(_of_role(name, color, told_role, swatches))
            told_role = None
            if len(swatches) > MOST:
                raise _refused(path, f"holds more than {MOST} colours")
    return Palette(tuple(swatches))


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # old files of GIMP 1 and of Windows
        return content.decode("latin-1")


def _read_row(path: Path, number: int, row: str, channels: int) -> tuple[tuple[int, int, int], str]:
    """Return colour and name of a row; the name may be empty."""
    found = re.match(r"\s+".join([r"(\d{1,3})"] * channels) + r"(?:\s+|$)", row)
    levels = [int(found[place]) for place in (1, 2, 3)] if found else [256]
    if found is None or max(levels) > 255:
        raise _refused(path, f"has {told(row)} in line {number} in place of three numbers from 0 to 255 and a name")
    red, green, blue = levels
    return (red, green, blue), " ".join(row[found.end() :].split())


def _of_role(name: str, color: tuple[int, int, int], role: tuple[str, str] | None, above: list[Swatch]) -> Swatch:
    """Return a swatch with the role that a comment or its name tells, where its base stands above it."""
    base, _, word = name.rpartition(" ")
    kind, of = role or (word, base)
    if role and role[0] == "line" and not role[1]:
        return Swatch(name, color, "line")
    known = kind in ROLES[1:] and any(swatch.name == of and swatch.role == "base" for swatch in above)
    return Swatch(name, color, kind, of) if known else Swatch(name, color)


def _unique(name: str, used: set[str]) -> str:
    number, candidate = 1, name
    while candidate in used:
        number += 1
        candidate = f"{name} {number}"
    used.add(candidate)
    return candidate


def _one_line(text: str) -> str:
    """Return a text as a file's row can hold it."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _refused(path: Path, fault: str) -> ColorizeError:
    return ColorizeError(
        f"`file` {told(path.name)} {fault}; expected a palette as GIMP, Krita, Inkscape and Save Palette write it. "
        "Save it again there, or copy it again."
    )
