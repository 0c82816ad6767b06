"""Palette files of this pack and of other programs."""

import pytest
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish.gpl_file import read_gpl, write_gpl
from colorizediffusion.colorize_core.finish.palette import Palette, Swatch

GIMP = "GIMP Palette\nName: Hero\nColumns: 16\n#\n255   0  16\tUntitled\n  0   0   0\tUntitled\n 10 200   3\n"
KRITA = "GIMP Palette\r\nName: ヒーロー\r\nColumns: 8\r\n#comment\r\n34 52 69 髪\r\n20 30 40 髪 shadow\r\n\r\n"
INKSCAPE = "\ufeffGIMP Palette\nName: Hero\n#\n# made by hand\n  0   0   0 Black\n 26  26  26 90% Gray\n"
ASEPRITE = "GIMP Palette\nChannels: RGBA\n#\n255   0   0 128\tglass\n  1   2   3 255\t4 leaves\n"


def swatches(path):
    return [(swatch.name, swatch.color, swatch.role) for swatch in read_gpl(path).swatches]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (GIMP, [("Untitled", (255, 0, 16)), ("Untitled 2", (0, 0, 0)), ("color 3", (10, 200, 3))]),
        (INKSCAPE, [("Black", (0, 0, 0)), ("90% Gray", (26, 26, 26))]),
        (ASEPRITE, [("glass", (255, 0, 0)), ("4 leaves", (1, 2, 3))]),
    ],
)
def test_files_of_other_programs(tmp_path, text, right):
    path = tmp_path / "hero.gpl"
    path.write_bytes(text.encode())
    assert swatches(path) == [(name, color, "base") for name, color in right]


def test_a_shadow_by_its_name_alone(tmp_path):
    path = tmp_path / "hero.gpl"
    path.write_bytes(KRITA.encode())
    assert swatches(path) == [("髪", (34, 52, 69), "base"), ("髪 shadow", (20, 30, 40), "shadow")]


def test_an_old_file_in_latin_1(tmp_path):
    path = tmp_path / "old.gpl"
    path.write_bytes("GIMP Palette\n1 2 3 gr\u00fcn\n".encode("latin-1"))
    assert swatches(path) == [("grün", (1, 2, 3), "base")]


def test_saved_and_loaded_again(tmp_path):
    palette = Palette(
        (
            Swatch("skin", (246, 211, 184)),
            Swatch("in shade", (205, 160, 140), "shadow", "skin"),
            Swatch("髪 2", (0, 7, 255)),
            Swatch("髪 2 highlight", (255, 255, 255), "highlight", "髪 2"),
        )
    )
    path = tmp_path / "hero.gpl"
    write_gpl(palette, path, "hero\n1")
    assert read_gpl(path) == palette
    rows = path.read_text(encoding="utf-8").splitlines()
    assert rows[:4] == ["GIMP Palette", "Name: hero 1", "Columns: 4", "246 211 184\tskin"]


def test_a_name_that_no_file_can_hold(tmp_path):
    path = tmp_path / "hero.gpl"
    write_gpl(Palette((Swatch("a\nb\ud800", (1, 2, 3)),)), path, "hero")
    assert swatches(path) == [("a b?", (1, 2, 3), "base")]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "begins with ''"),
        (b"\x89PNG\r\n", "begins with"),
        (b"GIMP Palette\n256 0 0 red\n", "in line 2"),
        (b"GIMP Palette\n# x\n1 2\n", "in line 3"),
        (b"GIMP Palette\nChannels: RGBA\n1 2 3 red\n", "in line 3"),
        (b"GIMP Palette\n" + b"1 2 3\n" * 5000, "more than 4096"),
    ],
)
def test_damaged_files(tmp_path, content, fault):
    path = tmp_path / "hero.gpl"
    path.write_bytes(content)
    with pytest.raises(ColorizeError, match=fault):
        read_gpl(path)
