"""Colours as pages and people write them: `#rrggbb` or `#rgb`, in full-width signs, too."""

import re
import unicodedata

from ..errors import ColorizeError, told

_DIGIT = "[0-9a-fA-F０-９ａ-ｆＡ-Ｆ]"
_DIGITS = rf"{_DIGIT}{{6}}|{_DIGIT}{{3}}"
#: A regular expression of a colour's code, whose one group is its digits.
CODE = rf"[#＃]({_DIGITS})(?!\w)"


def code_of(color: tuple[int, int, int]) -> str:
    """Return `#rrggbb` of levels in 0 … 255."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def levels_of(digits: str) -> tuple[int, int, int]:
    """Return red, green and blue, each in 0 … 255, of the six or three digits of `CODE`."""
    narrow = unicodedata.normalize("NFKC", digits)
    pairs = [narrow[i : i + 2] for i in (0, 2, 4)] if len(narrow) == 6 else [2 * digit for digit in narrow]
    red, green, blue = (int(pair, 16) for pair in pairs)
    return red, green, blue


def parsed_color(text: str, name: str = "color") -> tuple[int, int, int]:
    """Read a code that stands alone; its sign may be left out.

    Args:
        name: the input's name on the node, for the message.

    Returns:
        red, green, blue, each in 0 … 255.
    """
    found = re.fullmatch(rf"\s*[#＃]?({_DIGITS})\s*", text)
    if found is None:
        raise ColorizeError(
            f"`{name}` is {told(text)}; expected a colour as #rrggbb, such as #402020 for a dark brown: write two "
            "hexadecimal digits each for red, green and blue."
        )
    return levels_of(found[1])
