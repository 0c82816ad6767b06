"""Palettes as text."""

import pytest
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish.palette import Palette, Swatch
from colorizediffusion.colorize_core.finish.palette_text import palette_of_text, palette_text, read_palette

TEXT = """
// the hero, episode 3
skin #f6d3b8 shadow #D9A88C highlight #fff
左の袖　赤: ＃ff００1e, shadow: #800   // full-width signs, three digits
red 1 #ff0000
red 1 shadow #aa0000
#123456 #123456
"""


def test_every_way_to_write_a_line():
    assert [(s.name, s.hex, s.role, s.base) for s in read_palette(TEXT).swatches] == [
        ("skin", "#f6d3b8", "base", ""),
        ("skin shadow", "#d9a88c", "shadow", "skin"),
        ("skin highlight", "#ffffff", "highlight", "skin"),
        ("左の袖 赤", "#ff001e", "base", ""),
        ("左の袖 赤 shadow", "#880000", "shadow", "左の袖 赤"),
        ("red 1", "#ff0000", "base", ""),
        ("red 1 shadow", "#aa0000", "shadow", "red 1"),
        ("#123456", "#123456", "base", ""),
    ]


def test_written_text_reads_as_the_same_palette():
    palette = read_palette(TEXT)
    assert read_palette(palette_text(palette)) == palette
    assert palette_text(Palette()) == "" and read_palette("") == Palette()


def test_changes_to_a_palette():
    palette = read_palette("skin #f6d3b8 shadow #d9a88c\nhair #7d4f9e")
    changed = palette_of_text("hair #000 shadow #111\nskin shadow #222\nboots #333", palette)
    assert [(s.name, s.hex, s.role) for s in changed.swatches] == [
        ("skin", "#f6d3b8", "base"),
        ("skin shadow", "#222222", "shadow"),
        ("hair", "#000000", "base"),
        ("hair shadow", "#111111", "shadow"),
        ("boots", "#333333", "base"),
    ]
    assert palette.swatches[1] == Swatch("skin shadow", (0xD9, 0xA8, 0x8C), "shadow", "skin")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("skin #fff\n\nhair", "line 3, is 'hair' and has no colour"),
        ("skin #12345", "line 1.*no colour at its end"),
        ("#fff", "no name"),
        ("skin #fff dark", "no colour at its end"),
        ("skin #fff #000", "more than one colour"),
        ("skin #fff\nskin #000", "line 2, names 'skin', which line 1"),
        ("skin #fff shadow #000 shadow #111", "'skin shadow'"),
    ],
)
def test_a_mistake_is_told_by_its_line(text, fault):
    with pytest.raises(ColorizeError, match=fault):
        read_palette(text)
