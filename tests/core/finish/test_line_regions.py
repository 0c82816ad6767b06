"""Regions of drawings made by hand: gaps closed, nothing else cut, to the middle of the lines."""

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.finish.line_regions import RegionChoice, draw_regions, find_regions
from PIL import Image, ImageDraw

SIZE, MIDDLE, RADIUS = 200, 100, 70
DOWN, ACROSS = np.mgrid[:SIZE, :SIZE]
AWAY = np.hypot(DOWN - MIDDLE, ACROSS - MIDDLE)
GAP = (1.0, 0.0, 1.0)


def page(ink):
    """A drawing [1, H, W, 3] from its ink [H, W], bool or in [0, 1]."""
    return torch.from_numpy(1 - np.asarray(ink, dtype=np.float32))[None, ..., None].repeat(1, 1, 1, 3)


def ring(width=1, opening=0):
    """A circle [SIZE, SIZE] bool whose line lacks so many rows at its right."""
    picture = Image.new("1", (SIZE, SIZE))
    corners = (MIDDLE - RADIUS, MIDDLE - RADIUS, MIDDLE + RADIUS, MIDDLE + RADIUS)
    ImageDraw.Draw(picture).ellipse(corners, outline=1, width=width)
    ink = np.array(picture)
    ink[MIDDLE - opening // 2 : MIDDLE - opening // 2 + opening, MIDDLE:] = False
    return ink


def soft_ring(width):
    """The same circle, antialiased: [SIZE, SIZE] in [0, 1]."""
    return np.clip(width / 2 + 0.5 - np.abs(AWAY - RADIUS), 0, min(1, width))


def box(*strokes, width=2):
    """A closed box with strokes (x0, y0, x1, y1) in it: [SIZE, SIZE] bool."""
    picture = Image.new("1", (SIZE, SIZE))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((20, 20, 180, 180), outline=1, width=width)
    for stroke in strokes:
        pen.line(stroke, fill=1, width=width)
    return np.array(picture)


def labels_of(ink, within=None, **choice):
    drawing = ink if isinstance(ink, torch.Tensor) else page(ink)
    return find_regions(drawing, RegionChoice(**choice), within).filled[0].numpy()


def marked(drawing, **choice):
    """How many pixels of the preview show a closed gap."""
    shown = draw_regions(find_regions(drawing, RegionChoice(**choice)))
    return int((shown == torch.tensor(GAP)).all(dim=-1).sum())


@pytest.mark.parametrize("gap", range(1, 33))
def test_a_circle_with_a_gap_is_closed(gap):
    """What lies wrong is no more than the half disc over the gap."""
    found = labels_of(ring(opening=gap), close_gap=gap)
    assert found.max() == 2
    inside = found == found[MIDDLE, MIDDLE]
    assert (inside != (AWAY < RADIUS))[np.abs(AWAY - RADIUS) > 1].sum() <= np.pi * gap**2 / 8 + 1


@pytest.mark.parametrize("gap", [1, 4, 16, 32])
def test_what_is_open_over_twice_the_width_stays_open(gap):
    drawing = page(ring(opening=2 * gap + 2))
    assert labels_of(drawing, close_gap=gap).max() == 1 and marked(drawing, close_gap=gap) == 0
    closed = page(ring(opening=gap))
    assert marked(closed, close_gap=gap) > 0


def test_the_widest_gap_without_a_choice_grows_with_the_drawing():
    """1.2 % of the shorter side, as much wider as SPARE has it: 2 pixels at 200."""
    assert labels_of(ring(opening=2)).max() == 2
    assert labels_of(ring(opening=8)).max() == 1
    large = ring(opening=8).repeat(4, axis=0).repeat(4, axis=1)
    assert labels_of(large[::-1, ::-1].copy(), close_gap=32).max() == 2


STROKES = {
    "a fold": [(20, 100, 158, 100)],
    "a fold from above": [(100, 20, 100, 158)],
    "strands side by side": [(x, 20, x, 120) for x in range(60, 120, 8)],
    "strands that part": [(80, 20, 60, 120), (88, 20, 110, 120), (130, 20, 135, 70)],
    "strokes in the middle": [(50, 50, 90, 90), (110, 120, 150, 130), (60, 150, 61, 151)],
}


@pytest.mark.parametrize("strokes", STROKES.values(), ids=STROKES)
def test_open_strokes_cut_nothing(strokes):
    """Passages beside their ends are wider than the gap, and what lies between them opens into the box."""
    found = labels_of(box(*strokes), close_gap=12)
    inside = found[24:176, 24:176]
    own = np.bincount(inside.ravel()).max()
    assert own == inside.size, f"{inside.size - own} pixels cut off"


@pytest.mark.parametrize("width", range(1, 9))
def test_soft_lines_of_any_width(width):
    """The region ends at the line's middle: the circle's area, within a third of a pixel all around."""
    found = labels_of(soft_ring(width))
    assert found.max() == 2
    area = (found == found[MIDDLE, MIDDLE]).sum()
    assert abs(area - np.pi * RADIUS**2) < 2 * np.pi * RADIUS / 3


def test_a_noisy_scan_has_the_regions_of_the_clean_drawing():
    clean = soft_ring(3)
    chance = np.random.default_rng(1).standard_normal(clean.shape)
    scan = np.clip(0.82 - 0.65 * clean + 0.02 * chance, 0, 1)
    found, expected = labels_of(page(1 - scan)), labels_of(clean)
    assert found.max() == 2 and (found != expected).mean() < 0.005


@pytest.mark.parametrize("color", [(1, 0, 0), (0, 1, 0), (0, 0, 1)], ids=["red", "green", "blue"])
def test_trace_lines_bound_a_region_and_are_no_ink(color):
    lines = box(width=3)
    drawing = page(lines)
    trace = np.zeros_like(lines)
    trace[23:178, 99:102] = True
    drawing[0, torch.from_numpy(trace)] = torch.tensor(color, dtype=torch.float32)
    found = find_regions(drawing, RegionChoice(trace_lines="red_green_blue"))
    assert torch.equal(found.ink[0], torch.from_numpy(lines)) and torch.equal(found.trace[0], torch.from_numpy(trace))
    assert found.filled[0, 100, 60] != found.filled[0, 100, 140] and len(found.tables[0]) == 4
    assert found.labels[0, 100, 100] != 0
    plain = find_regions(drawing, RegionChoice())
    assert plain.trace is None and bool(plain.ink[0, 100, 100]) and torch.equal(plain.filled, found.filled)


@pytest.mark.parametrize("width", [2, 5, 6])
def test_ink_belongs_to_the_regions_up_to_its_middle(width):
    ink = np.zeros((40, 60), dtype=bool)
    ink[:, 30 : 30 + width] = True
    found = find_regions(page(ink), RegionChoice())
    left = (found.filled[0] == found.filled[0, 0, 0]).sum(dim=1)
    assert set(left.tolist()) <= {30 + width // 2, 30 + (width + 1) // 2}
    assert torch.equal(found.labels[0] == 0, torch.from_numpy(ink)) and found.filled.min() == 1


def test_the_threshold_says_how_dark_a_line_must_be():
    ink = box().astype(np.float32)
    ink[:, 100] = 0.4
    assert labels_of(ink).max() == 2
    assert labels_of(ink, ink_threshold=0.3).max() == 4


@pytest.mark.parametrize("share", [0.5, 0.49])
def test_a_line_that_lies_between_two_rows_is_a_line(share):
    """One pixel wide, and half a pixel in each: rounding to 8 bits must not open it."""
    ink = box().astype(np.float32)
    ink[:, 100:102] = share
    found = labels_of(ink)
    assert found.max() == 4 and found[90, 60] != found[90, 140]
    washed = box().astype(np.float32)
    washed[60:140, 60:140] = share - 0.05  # a wash is no line, nor is its edge
    assert labels_of(washed).max() == 2


def test_a_mask_that_is_not_exact_cuts_nothing():
    """Nor one of another size; a region that lies half in it is cut."""
    ink = box()
    rough = np.zeros((SIZE, SIZE), dtype=np.float32)
    rough[24:184, 17:178] = 1
    found = labels_of(ink, torch.from_numpy(rough)[None])
    whole = labels_of(ink)
    assert np.array_equal(found > 0, whole == whole[MIDDLE, MIDDLE]) and found.max() == 1
    small = torch.from_numpy(rough[::4, ::4].copy())[None]
    assert np.array_equal(labels_of(ink, small), found)
    half = rough.copy()
    half[:, MIDDLE:] = 0
    cut = labels_of(ink, torch.from_numpy(half)[None])
    assert cut[MIDDLE, 60] == 1 and cut[MIDDLE, 140] == 0 and cut[5, 5] == 0
    assert labels_of(ink, torch.zeros(1, 5, 5)).max() == 0


def test_crumbs_join_what_they_open_into_or_become_line():
    ink = box()
    ink[100:106, 60:66] = True
    ink[102:104, 62:64] = False  # A hole of four pixels in a dot.
    assert labels_of(ink, smallest=1).max() == 3
    assert labels_of(ink, smallest=5).max() == 2
    assert labels_of(ink, smallest=5)[103, 63] == labels_of(ink, smallest=5)[110, 63]
    assert labels_of(box(), smallest=SIZE * SIZE).max() == 1


PLAIN = {
    "white": np.zeros((30, 40)), "black": np.ones((30, 40)), "one white pixel": np.zeros((1, 1)),
    "one black pixel": np.ones((1, 1)), "a row": np.arange(50)[None] % 9 == 0, "a column": np.arange(50)[:, None] == 25,
}  # fmt: skip


@pytest.mark.parametrize("ink", PLAIN.values(), ids=PLAIN)
def test_plain_and_thin_pictures(ink):
    for choice in (RegionChoice(), RegionChoice(close_gap=512, smallest=1), RegionChoice(trace_lines="red_green_blue")):
        found = find_regions(page(ink), choice)
        assert found.filled.min() == 1 and found.filled.shape[1:] == ink.shape
        assert int(found.tables[0].area.sum()) == ink.size and draw_regions(found).isfinite().all()
        assert torch.equal(found.ink[0], torch.from_numpy(np.asarray(ink) > 0))
    assert labels_of(np.zeros((30, 40))).max() == 1


def test_a_tall_drawing():
    tall = np.zeros((1800, 60), dtype=bool)
    tall[::200] = True
    found = find_regions(page(tall), RegionChoice())
    assert len(found.tables[0]) == 10
    assert found.tables[0].box[2].tolist() == [0, 201, 60, 401]


def test_the_same_drawing_gives_the_same_and_is_left_alone():
    drawing = page(np.maximum(soft_ring(2), box((20, 60, 150, 60))))
    before = drawing.clone()
    first, second = (find_regions(drawing, RegionChoice(close_gap=9)) for _ in range(2))
    assert torch.equal(first.filled, second.filled) and torch.equal(drawing, before)
    assert torch.equal(draw_regions(first), draw_regions(second))
