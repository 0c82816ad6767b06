"""Palettes as text, a line a swatch: `name #rrggbb [shadow #rrggbb] [highlight #rrggbb] [line #rrggbb]`."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

import torch

from ..errors import ColorizeError, told
from .color_code import CODE, levels_of, parsed_color
from .color_names import plain_names
from .palette import ROLES, Palette, Swatch

EXAMPLE = "“hair #7d4f9e shadow #5a3578”"


def read_palette(text: str, above: Palette | None = None) -> Palette:
    """Read a palette.

    A line is a name in any language, spaces included, a colour, and the colours of its shadow, highlight and line, each
    behind that word. A line of the role's own, `hair shadow #5a3578`, says the same where `hair` is known. Blank lines
    and what follows `//` are left out; colours may be in full-width signs.

    Args:
        above: names that a shadow may belong to beside those of the text.

    Raises:
        ColorizeError: names the line.
    """
    swatches: list[Swatch] = []
    where: dict[str, int] = {}
    known = above.swatches if above else ()
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("//")[0].strip(" \t\ufeff\u3000")
        for swatch in _read_line(line, number, [*known, *swatches]) if line else ():
            if swatch.name in where:
                raise ColorizeError(
                    f"`text`, line {number}, names {told(swatch.name)}, which line {where[swatch.name]} has named "
                    "already; expected each name once. Change one of the two names."
                )
            where[swatch.name] = number
            swatches.append(swatch)
    return Palette(tuple(swatches))


def _read_line(line: str, number: int, above: Iterable[Swatch]) -> list[Swatch]:
    """Read the swatches of one line; see `read_palette`."""
    roles: list[tuple[str, str]] = []
    end = line.rstrip(" ,、")
    while found := re.search(rf"(?<![^\s,、])({'|'.join(ROLES[1:])})\s*[:=：]?\s*{CODE}$", end):
        if not re.search(CODE, end[: found.start()]):  # “hair shadow #5a3578”, a line of the shadow's own
            break
        roles.insert(0, (found[1], found[2]))
        end = end[: found.start()].rstrip(" ,、\t\u3000")
    base = re.fullmatch(rf"(.*?[^\s:=：])[\s:=：]+{CODE}", end)
    if base is None or re.search(rf"\s{CODE}", base[1]):
        faults = {0: "has no colour at its end", 1: "has no name before its colour"}
        fault = "has more than one colour of its own" if base else faults[re.fullmatch(CODE, end) is not None]
        raise ColorizeError(
            f"`text`, line {number}, is {told(line)} and {fault}; expected a name, its colour, and nothing more but "
            f"{', '.join(ROLES[1:])} with a colour each, such as {EXAMPLE}. Change the line, or put // before what is "
            "to be left out."
        )
    name = " ".join(base[1].split())
    own = [Swatch(f"{name} {role}", levels_of(digits), role, name) for role, digits in roles]
    return [_of_role(name, levels_of(base[2]), above), *own]


def _of_role(name: str, color: tuple[int, int, int], above: Iterable[Swatch]) -> Swatch:
    """Return the swatch of a name, which is a shadow or the like where it ends so and its base is known."""
    base, _, role = name.rpartition(" ")
    known = role in ROLES[1:] and any(swatch.name == base and swatch.role == "base" for swatch in above)
    return Swatch(name, color, role, base) if known else Swatch(name, color)


def palette_text(palette: Palette) -> str:
    """Write a palette as `read_palette` reads it: the same swatches come back, each behind its base."""
    lines = []
    names = {swatch.name for swatch in palette.swatches}
    for swatch in palette.swatches:
        if swatch.base in names:
            continue
        own = [other for other in palette.swatches if other.base == swatch.name]
        usual = [other for other in own if other.name == f"{swatch.name} {other.role}"]
        lines.append(" ".join([f"{swatch.name} {swatch.hex}", *(f"{other.role} {other.hex}" for other in usual)]))
        lines += [f"{other.name} {other.hex}" for other in own if other not in usual]
    return "\n".join(lines)


def with_swatches(palette: Palette, changed: Palette) -> Palette:
    """Return a palette whose swatches of the same names are replaced by those of another, and others added behind.

    What is replaced keeps its place, so that pictures painted by number stay right. A shadow or the like that comes new
    goes behind its base.
    """
    new = {swatch.name: swatch for swatch in changed.swatches}
    swatches = []
    for old in palette.swatches:
        other = new.pop(old.name, old)
        swatches.append(replace(old, color=other.color) if other.role == "base" else other)
    for swatch in new.values():
        family = [i for i, other in enumerate(swatches) if swatch.base and swatch.base in (other.name, other.base)]
        swatches.insert(family[-1] + 1 if family else len(swatches), swatch)
    return Palette(tuple(swatches))


def with_colors(palette: Palette, codes: object) -> Palette:
    """Return a palette with more colours behind its own, named after what they look like.

    Args:
        codes: a list of colours as `parsed_color` reads them; what the palette has already is left out.

    Raises:
        ColorizeError: it is no such list.
    """
    if not isinstance(codes, (list, tuple)) or not all(isinstance(code, str) for code in codes):
        raise ColorizeError(
            f"`colors` is {told(codes)}; expected a list of colours as #rrggbb. Pick them on the node, or wire a node "
            "that gives COLORS."
        )
    there, names = {swatch.color for swatch in palette.swatches}, {swatch.name for swatch in palette.swatches}
    new = list(dict.fromkeys(color for code in codes if (color := parsed_color(code, "colors")) not in there))
    swatches = list(palette.swatches)
    for word, color in zip(plain_names(torch.tensor(new).reshape(-1, 3)), new, strict=True):
        name = next(name for number in count(1) if (name := f"{word} {number}") not in names)
        names.add(name)
        swatches.append(Swatch(name, color))
    return Palette(tuple(swatches))


def palette_of_text(text: str, palette: Palette | None = None, colors: object = None) -> Palette:
    """Read a palette, or the changes to another one; see `read_palette`, `with_swatches` and `with_colors`."""
    read = read_palette(text) if palette is None else with_swatches(palette, read_palette(text, palette))
    return read if colors is None else with_colors(read, colors)
