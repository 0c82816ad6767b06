"""Lines over colours: as drawn, paper to the byte, no fringes, trace lines dissolved, tinted lines."""

import pytest
import torch
from colorizediffusion.colorize_core.finish.color import to_lab
from colorizediffusion.colorize_core.finish.ink_over import DARKEN, ink_over
from colorizediffusion.colorize_core.finish.regions import Regions, table_of
from PIL import Image, ImageDraw

LEFT, RIGHT = torch.tensor([0.9, 0.7, 0.6]), torch.tensor([0.4, 0.6, 0.9])
SIZE, BORDER = 96, 48


def two_fields(own_line=0):
    """Two flat colours side by side [1, 96, 96, 3]; their border may have a black line of the picture's own."""
    picture = torch.empty(1, SIZE, SIZE, 3)
    picture[:, :, :BORDER], picture[:, :, BORDER:] = LEFT, RIGHT
    picture[:, :, BORDER - own_line : BORDER + own_line] = 0.0
    return picture


def upright(color=(0.0, 0.0, 0.0), half=3, paper=1.0):
    """A line down the border with soft edges [1, 96, 96, 3]."""
    cover = torch.zeros(1, SIZE, SIZE, 1)
    cover[:, :, BORDER - half : BORDER + half] = 1.0
    cover[:, :, [BORDER - half - 1, BORDER + half]] = 0.4
    return paper * (1 - cover) + cover * torch.tensor(color)


def regions_of(trace=None):
    filled = torch.ones(1, SIZE, SIZE, dtype=torch.int32)
    filled[:, :, BORDER:] = 2
    none = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    return Regions(filled=filled, ink=none, trace=trace, tables=(table_of(filled[0].numpy()),))


@pytest.mark.parametrize("line_color", ["drawing", "black"])
def test_the_ink_is_the_drawings_and_paper_keeps_its_bytes(line_color):
    picture, drawing = two_fields(), upright()
    result, ink = ink_over(picture, drawing, line_color)
    assert torch.equal(ink, 1 - drawing[..., 0])
    assert torch.allclose(result, picture * drawing, atol=1e-6)
    paper = drawing[..., 0] == 1
    assert torch.equal(result[paper], picture[paper])


def test_lines_of_the_picture_do_not_show_at_the_edges_of_the_drawings():
    drawing = upright(color=(0.9, 0.1, 0.1))
    result, _ = ink_over(two_fields(own_line=4), drawing)
    clean, _ = ink_over(two_fields(), drawing)
    assert torch.allclose(result, clean, atol=1e-6)
    faint, _ = ink_over(two_fields(own_line=4), upright(), strength=0.0)
    assert torch.equal(faint, two_fields()), "the colours alone, the picture's own line gone with the drawing's"


def test_coloured_ink_keeps_its_hue_and_pale_ink_stays_darker_than_its_ground():
    result, _ = ink_over(two_fields(), upright(color=(1.0, 0.0, 0.0)))
    assert torch.allclose(result[0, :, BORDER], torch.tensor([1.0, 0.0, 0.0]))
    pale, ink = ink_over(two_fields() * 0.3, upright(color=(0.5, 0.5, 0.5)))
    assert torch.allclose(pale, two_fields() * 0.3 * upright(color=(0.5, 0.5, 0.5)), atol=1e-6) and ink.max() == 0.5
    white, _ = ink_over(torch.ones(1, 8, 8, 3), upright(color=(0.6, 0.4, 0.3)))
    assert torch.allclose(white, upright(color=(0.6, 0.4, 0.3)), atol=1e-6), "on white it is the drawing again"


def test_the_paper_of_a_scan_darkens_nothing():
    result, ink = ink_over(two_fields(), upright(color=(0.1, 0.1, 0.1), paper=0.8))
    paper = upright()[..., 0] == 1
    assert torch.equal(result[paper], two_fields()[paper]) and ink[paper].max() == 0


def test_lines_in_one_colour_and_weaker():
    picture, drawing = two_fields(), upright(color=(0.5, 0.5, 0.5))
    result, ink = ink_over(picture, drawing, "color", color=(64, 32, 0), strength=0.5)
    assert ink.max() == 0.5
    expected = (picture[0, :, BORDER] + torch.tensor([64.0, 32.0, 0.0]) / 255) / 2
    assert torch.allclose(result[0, :, BORDER], expected, atol=1e-6), "pale lines are full ink in one colour"


def test_a_picture_of_another_size_comes_out_at_the_drawings():
    small = two_fields()[:, ::4, ::4]
    result, ink = ink_over(small, upright())
    assert result.shape == (1, SIZE, SIZE, 3) and ink.shape == (1, SIZE, SIZE)
    assert torch.allclose(result[0, :, 8], LEFT, atol=0.01) and result[0, :, BORDER].max() == 0


@pytest.mark.parametrize("with_regions", [False, True])
def test_a_tinted_line_is_darker_than_what_lies_beside_it(with_regions):
    flat = torch.empty(1, SIZE, SIZE, 3)
    flat[:] = LEFT
    result, _ = ink_over(flat, upright(), "tinted", regions=regions_of() if with_regions else None)
    line, beside = to_lab(result[0, 10, BORDER]), to_lab(LEFT)
    assert torch.allclose(line, beside * torch.tensor([DARKEN, 1, 1]), atol=0.1), "as bright a part, with its chroma"
    two, _ = ink_over(two_fields(), upright(half=6), "tinted", regions=regions_of() if with_regions else None)
    lab = to_lab(two[0, 40])
    assert lab[BORDER - 6, 2] > 5 and lab[BORDER + 5, 2] < -5, "each side has its own colour"
    steps = lab[BORDER - 6 : BORDER + 6].diff(dim=0).norm(dim=-1)
    assert steps.max() < 0.5 * (to_lab(LEFT) - to_lab(RIGHT)).norm(), "and there is no edge between them"
    assert torch.allclose(two[0, 30:60], two[0, 30:31].expand(30, -1, -1), atol=1e-3), "smooth along the line"


def test_with_regions_a_tinted_line_takes_their_means():
    striped = two_fields()
    striped[:, ::2] *= 0.9
    result, _ = ink_over(striped, upright(), "tinted", regions=regions_of())
    assert result[0, 20:70, BORDER].diff(dim=0).abs().max() < 1e-3


def test_trace_lines_are_no_ink_and_take_the_darker_neighbours_colour():
    drawing = upright(color=(1.0, 0.0, 0.0))
    result, ink = ink_over(two_fields(own_line=4), drawing, regions=regions_of(drawing[..., 1] < 0.5))
    assert ink.max() < 0.02
    darker = LEFT if to_lab(LEFT)[0] < to_lab(RIGHT)[0] else RIGHT
    line = drawing[..., 1] < 1
    assert torch.allclose(result[line], darker.expand_as(result[line]), atol=0.02)
    assert torch.equal(result[~line], two_fields()[~line])


def test_a_trace_line_beside_ink_ends_at_it():
    """A red line meets a black one; beyond the black lies something darker that it must not take."""
    picture = torch.ones(1, SIZE, SIZE, 3) * LEFT
    picture[:, 60:] = 0.1
    page = Image.new("RGB", (SIZE, SIZE), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((46, 10, 49, 57), fill=(0, 0, 255))
    pen.rectangle((10, 56, 86, 59), fill=(0, 0, 0))
    drawing = torch.frombuffer(bytearray(page.tobytes()), dtype=torch.uint8).reshape(1, SIZE, SIZE, 3) / 255
    trace = (drawing[..., 2] - drawing[..., 0]) > 0.5
    result, ink = ink_over(picture, drawing, regions=regions_of(trace))
    assert torch.allclose(result[trace], LEFT.expand_as(result[trace]), atol=0.02)
    assert ink[0, 57, 20] == 1 and ink[0, 30, 47] == 0


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_sheet_of_ink_and_an_empty_one(level):
    result, ink = ink_over(two_fields(), torch.full((1, SIZE, SIZE, 3), level), "tinted")
    assert ink.min() == ink.max() == 1 - level and result.isfinite().all()
    assert level == 0 or torch.equal(result, two_fields())
