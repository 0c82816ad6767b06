"""Cels: palette colours or nothing, read back by Pillow and by hand."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish import palette, regions
from colorizediffusion.colorize_core.finish.cels import cel_of, write_cel
from painted_regions import HAIR, INK, SKIN, drawing, painted
from PIL import Image


def written(cel, kind):
    file = io.BytesIO()
    write_cel(cel, kind, file)
    return file.getvalue()


def chunks(data):
    """PNG's chunks by name."""
    found, at = {}, 8
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        found[name] = data[at + 8 : at + 8 + length]
        at += 12 + length
    return found


@pytest.mark.parametrize("line", [False, True])
def test_colours_are_the_palettes_and_the_lines(line):
    own = painted(regions, palette, line=line)
    cel = cel_of(own, drawing())
    ink = INK if line else (0, 0, 0)
    expected = np.full((*own.size, 4), (255, 255, 255, 0), dtype=np.uint8)
    for label, color in ((1, SKIN), (2, HAIR)):
        expected[own.filled[0].numpy() == label] = (*color, 255)
    expected[drawing()[0, ..., 0].numpy() < 0.5] = (*ink, 255)
    assert np.array_equal(cel.rgba, expected)


def test_every_format_gives_the_same_pixels():
    cel = cel_of(painted(regions, palette), drawing())
    for kind in ("png_indexed", "png", "tga"):
        opened = Image.open(io.BytesIO(written(cel, kind)))
        assert opened.format == ("TGA" if kind == "tga" else "PNG")
        assert np.array_equal(np.asarray(opened.convert("RGBA")), cel.rgba), kind


def test_the_indexed_file_has_the_palette_in_its_order():
    found = chunks(written(cel_of(painted(regions, palette), drawing()), "png_indexed"))
    assert found[b"PLTE"] == bytes([*SKIN, *HAIR, 0, 0, 0, 255, 255, 255])
    assert found[b"tRNS"] == bytes([255, 255, 255, 0])


def test_trace_lines_are_painted_and_no_ink(small_regions):
    lines = drawing()
    lines[:, 8:10, 8:16] = torch.tensor([0.0, 0.0, 1.0])
    trace = torch.zeros(1, *small_regions.size, dtype=torch.bool)
    trace[:, 8:10, 8:16] = True
    traced = cel_of(replace(small_regions, trace=trace), lines)
    assert np.array_equal(traced.rgba, cel_of(small_regions, drawing()).rgba)


def test_an_indexed_file_takes_255_colours_and_the_transparent_one(small_regions):
    def with_colors(count):
        swatches = tuple(palette.Swatch(str(i), (i // 256, i % 256, 7)) for i in range(count))
        paint = torch.arange(small_regions.paint.numel()).reshape(small_regions.paint.shape) % count
        return replace(small_regions, palette=palette.Palette(swatches), paint=paint.to(torch.int16))

    cel = cel_of(with_colors(255))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(written(cel, "png_indexed"))).convert("RGBA")), cel.rgba)
    for colors, lines in ((256, None), (255, drawing())):
        cel = cel_of(with_colors(colors), lines)
        with pytest.raises(ColorizeError, match="has 256 colours"):
            write_cel(cel, "png_indexed", io.BytesIO())
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(written(cel, "tga")))), cel.rgba)


def test_regions_without_swatches_are_told(small_regions):
    with pytest.raises(ColorizeError, match="Flats"):
        cel_of(replace(small_regions, palette=None))
