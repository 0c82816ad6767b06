"""Flats of a made picture: the right swatch whatever ails the picture, and what a person can put right."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.finish.color import difference_2000, to_lab
from colorizediffusion.colorize_core.finish.flats import FlatChoice, make_flats
from colorizediffusion.colorize_core.finish.line_regions import RegionChoice, find_regions
from colorizediffusion.colorize_core.finish.own_palette import own_palette, region_medians
from colorizediffusion.colorize_core.finish.palette import Palette, Swatch
from colorizediffusion.colorize_core.finish.regions import NO_SWATCH
from scipy.ndimage import gaussian_filter

SIZE, LEFT, MIDDLE, RIGHT = 192, 24, 95, 167
BASES = {"hair": (125, 79, 158), "skin": (246, 211, 184), "coat": (216, 96, 90), "shirt": (255, 255, 255)}
SHADOWS = {"hair": (80, 44, 112), "skin": (205, 152, 132), "coat": (152, 54, 66), "shirt": (196, 202, 220)}
#: A place [row, column] in each part, and on the paper around.
PLACES = {"hair": (60, 60), "skin": (60, 130), "coat": (130, 60), "shirt": (130, 130)}
PAPER = (6, 100)
DOWN, ACROSS = np.mgrid[:SIZE, :SIZE]


def swatches(*parts):
    """Bases with their shadows, and a line's colour."""
    found = []
    for part in parts or BASES:
        found += [Swatch(part, BASES[part]), Swatch(f"{part} shadow", SHADOWS[part], "shadow", part)]
    return Palette((*found, Swatch("outline", (20, 18, 24), "line")))


PALETTE = swatches()


def lines(color=0.0):
    """A window of four panes on white paper [1, SIZE, SIZE, 3]."""
    drawing = torch.ones(1, SIZE, SIZE, 3)
    for at in (LEFT, MIDDLE, RIGHT):
        drawing[:, at : at + 3, LEFT : RIGHT + 3] = drawing[:, LEFT : RIGHT + 3, at : at + 3] = color
    return drawing


def inside(part):
    """[SIZE, SIZE] bool, one pane and its lines up to their middle pixel, which may belong to either side."""
    row, column = PLACES[part]
    rows = slice(LEFT + 2, MIDDLE + 1) if row < MIDDLE else slice(MIDDLE + 2, RIGHT + 1)
    columns = slice(LEFT + 2, MIDDLE + 1) if column < MIDDLE else slice(MIDDLE + 2, RIGHT + 1)
    where = np.zeros((SIZE, SIZE), dtype=bool)
    where[rows, columns] = True
    return where


def clear(part):
    """The same without what lies beside the lines."""
    return inside(part) & (lines()[0, ..., 0].numpy() > 0) & (gaussian_filter(1 - lines()[0, ..., 0].numpy(), 3) < 0.02)


def colored(shadow=lambda part: np.zeros((SIZE, SIZE), dtype=bool)):
    """The right picture with its lines [SIZE, SIZE, 3]; shadow gives where a part is in its shadow."""
    picture = np.ones((SIZE, SIZE, 3), dtype=np.float32)
    for part in BASES:
        where = inside(part)
        picture[where] = np.array(BASES[part]) / 255
        picture[where & shadow(part)] = np.array(SHADOWS[part]) / 255
    picture[lines()[0, ..., 0].numpy() == 0] = 0
    return picture


def below(part):
    """The lower two fifths of a part."""
    return inside(part) & (np.argwhere(inside(part))[:, 0].max() - 28 < DOWN)


def leaking():
    picture = colored()
    picture[np.hypot(DOWN - 60, ACROSS - MIDDLE) < 25] = np.array(BASES["hair"]) / 255
    return picture


def noise():
    return 0.08 * np.random.default_rng(3).standard_normal((SIZE, SIZE, 3)).astype(np.float32)


PICTURES = {
    "right": colored(),
    "blurred": gaussian_filter(colored(), (4, 4, 0)),
    "noisy": colored() + noise(),
    "shaded": colored(below),
    "leaking": leaking(),
    "tinted": colored() + np.array([8, -6, -8], dtype=np.float32) / 255,
    "no lines": np.where(lines()[0].numpy() == 0, 1, colored()),
}


@pytest.fixture(scope="module")
def regions():
    return find_regions(lines(), RegionChoice())


def as_picture(picture):
    return torch.from_numpy(np.clip(picture, 0, 1).astype(np.float32))[None]


def flats(picture, regions, palette=PALETTE, corrections=None, **choice):
    return make_flats(as_picture(picture), regions, palette, FlatChoice(**choice), corrections)


def named(made, place):
    """The name of the swatch at a place, None for paper."""
    index = int(made.regions.paint[0][place])
    return None if index == NO_SWATCH else made.regions.palette.swatches[index].name


def names(made):
    return {part: named(made, place) for part, place in PLACES.items()}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_the_right_swatch_is_elected(regions, picture):
    """White around the character is paper, the white shirt inside of it a swatch."""
    made = flats(picture, regions)
    assert names(made) == {part: part for part in PLACES} and named(made, PAPER) is None
    for part, color in BASES.items():
        exact = torch.tensor(color) / 255
        assert torch.equal(made.image[0][torch.from_numpy(inside(part))], exact.expand(int(inside(part).sum()), 3))
    assert made.image[0][PAPER].min() == 1
    table = made.regions.tables[0]
    assert [tuple(table.color[regions.filled[0][place]]) for place in PLACES.values()] == list(BASES.values())


def test_a_dark_part_that_is_a_little_off_keeps_its_swatch(regions):
    """Navy with some green too much. In CIELAB, which stretches dark blues, slate lies nearer."""
    navy, seen, slate = (12, 41, 107), (1, 58, 107), (74, 78, 130)
    picture = colored()
    picture[inside("coat")] = np.array(seen) / 255
    apart = to_lab(torch.tensor([navy, slate]) / 255) - to_lab(torch.tensor(seen) / 255)
    assert apart[0].norm() > apart[1].norm()
    palette = Palette((*swatches("hair", "skin", "shirt").swatches, Swatch("navy", navy), Swatch("slate", slate)))
    assert names(flats(picture, regions, palette)) == {part: part for part in PLACES} | {"coat": "navy"}


def test_swatches_that_the_picture_has_not_take_nothing(regions):
    """The palette of a whole show, and two parts of the picture in one colour."""
    show = np.stack(np.meshgrid((0, 85, 170), (0, 128, 255), (60, 150, 240)), axis=-1).reshape(-1, 3)
    others = [Swatch(f"other {number}", tuple(color)) for number, color in enumerate(show.tolist())]
    picture = colored()
    picture[inside("skin")] = np.array(BASES["hair"]) / 255
    made = flats(picture + 0.5 * noise(), regions, Palette((*PALETTE.swatches, *others)))
    assert names(made) == {part: part for part in PLACES} | {"skin": "hair"}


def test_white_inside_is_paper_where_the_palette_has_no_white(regions):
    made = flats(colored(), regions, swatches("hair", "skin", "coat"))
    assert names(made) == {"hair": "hair", "skin": "skin", "coat": "coat", "shirt": None}


def test_a_smaller_picture(regions):
    small = as_picture(colored()).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(small, (48, 48), mode="area").permute(0, 2, 3, 1)
    made = make_flats(small, regions, PALETTE, FlatChoice())
    assert torch.equal(made.image, flats(colored(), regions).image)


# --- corrections ---


def dotted(canvas, part, color, side=5):
    """A canvas [1, SIZE, SIZE, 3] with a square dot in a part."""
    row, column = PLACES[part]
    canvas = canvas.clone()
    canvas[0, row : row + side, column : column + side] = torch.tensor(color) / 255
    return canvas


@pytest.mark.parametrize("canvas", [0.0, 0.5, 1.0])
def test_a_dot_on_a_blank_canvas_wins_its_region(regions, canvas):
    dots = dotted(torch.full((1, SIZE, SIZE, 3), canvas), "skin", BASES["coat"])
    dots = dotted(dots, "shirt", SHADOWS["shirt"], side=1)
    made = flats(colored(), regions, corrections=dots, unsure_below=1.0)
    assert names(made) == {"hair": "hair", "skin": "coat", "coat": "coat", "shirt": "shirt shadow"}
    assert named(made, PAPER) is None
    assert made.unsure[0][PLACES["skin"]] == 0, "what a person has said is sure"


@pytest.mark.parametrize("color", ["coat", "shirt"])
def test_a_dot_over_the_flats_wins_its_region(regions, color):
    """White, too, though it is the colour of the paper; the larger dot wins, and the lines on top are no dots."""
    before = flats(colored(), regions).image
    before[0][lines()[0, ..., 0] == 0] = torch.tensor(PALETTE.swatches[-1].color) / 255
    dots = dotted(dotted(before, "skin", BASES["hair"], side=9), "skin", BASES[color], side=8)
    made = flats(colored(), regions, corrections=dots)
    assert names(made) | {"skin": None} == {part: part for part in PLACES} | {"skin": None}
    assert named(made, PLACES["skin"]) == color and named(made, PAPER) is None


def test_a_dot_over_two_tones_wins_from_the_shadow_that_is_there(regions):
    before = flats(colored(diagonal), regions, shading="two_tones")
    dots = dotted(before.image, "skin", BASES["hair"])
    made = flats(colored(diagonal), regions, corrections=dots, shading="two_tones", unsure_below=1.0)
    assert named(made, PLACES["skin"]).startswith("hair")
    others = torch.from_numpy(~inside("skin")) & (regions.labels[0] > 0)
    assert torch.equal(made.image[0][others], before.image[0][others])
    assert (made.regions.tables[0].swatch != before.regions.tables[0].swatch).sum() == 1


def test_dots_on_a_smaller_picture_and_in_colours_that_are_none(regions):
    dots = dotted(flats(colored(), regions).image, "skin", BASES["coat"], side=12)
    made = flats(colored(), regions, corrections=dots[:, ::2, ::2])
    assert named(made, PLACES["skin"]) == "coat" and named(made, PLACES["hair"]) == "hair"
    near = tuple(level - 3 for level in BASES["coat"])
    made = flats(colored(), regions, corrections=dotted(torch.ones(1, SIZE, SIZE, 3), "skin", near))
    assert named(made, PLACES["skin"]) == "skin"


# --- shading ---


def diagonal(part):
    """Half of a part, along a slanted edge."""
    row, column = PLACES[part]
    return inside(part) & (DOWN - row + 0.5 * (ACROSS - column) > 4)


@pytest.mark.parametrize("ail", [0.0, 0.5], ids=["clean", "noisy"])
def test_the_edge_of_two_tones_is_the_picture_s(regions, ail):
    made = flats(colored(diagonal) + ail * noise(), regions, shading="two_tones")
    for part in PLACES:
        seen = clear(part) & (np.abs(gaussian_filter(diagonal(part).astype(float), 1) - 0.5) > 0.45)
        wanted = np.where(diagonal(part), 2 * list(BASES).index(part) + 1, 2 * list(BASES).index(part))
        assert (made.regions.paint[0].numpy() != wanted)[seen].mean() < 0.01, part
    assert named(made, PAPER) is None


def test_one_tone_stays_one_tone(regions):
    lit = flats(colored(), regions, shading="two_tones")
    assert torch.equal(lit.image, flats(colored(), regions).image)
    dark = flats(colored(lambda part: inside(part) & (part == "coat")), regions, shading="two_tones")
    assert named(dark, PLACES["coat"]) == "coat shadow" and named(dark, PLACES["hair"]) == "hair"


def test_kept_shading_lies_around_the_swatch(regions):
    """The middle colour of each region is its swatch; light and dark stay where they were. White has no lighter."""
    light = np.sin(DOWN / 9)[..., None] * 0.06 + np.cos(ACROSS / 7)[..., None] * 0.03
    picture = colored() + np.array([12, -8, 6]) / 255 + light
    made = flats(picture, regions, shading="keep")
    before, after = to_lab(as_picture(picture)), to_lab(made.image)
    for part, color in BASES.items():
        where = regions.labels[0] == regions.filled[0][PLACES[part]]
        middle = after[0][where].median(dim=0).values
        apart = difference_2000(middle, to_lab(torch.tensor([color]) / 255)[0])
        assert float(apart) <= 0.5, part
        if part != "shirt":
            pair = torch.stack([before[0, ..., 0][where], after[0, ..., 0][where]])
            assert float(torch.corrcoef(pair)[0, 1]) >= 0.98, part
    assert names(made) == {part: part for part in PLACES}


# --- what is unsure ---


def shared():
    """The upper panes are one region of two colours."""
    drawing = lines()
    drawing[:, LEFT + 3 : MIDDLE, MIDDLE : MIDDLE + 3] = 1
    return find_regions(drawing, RegionChoice(close_gap=2))


def test_regions_of_two_colours_are_unsure():
    found = shared()
    made = flats(colored(), found)
    assert made.unsure[0][PLACES["hair"]] == made.unsure[0][PLACES["skin"]] == 1
    assert made.unsure[0][PLACES["coat"]] == made.unsure[0][PLACES["shirt"]] == made.unsure[0][PAPER] == 0
    assert named(made, PLACES["hair"]) == named(made, PLACES["skin"]) in ("hair", "skin")
    table = made.regions.tables[0]
    assert 0.4 < table.agreement[found.filled[0][PLACES["hair"]]] < 0.7
    assert table.agreement[found.filled[0][PLACES["coat"]]] > 0.95
    assert flats(colored(), found, unsure_below=0.3).unsure.max() == 0


@pytest.mark.parametrize("shading", ["flat", "keep"])
def test_an_unsure_region_s_pixels_may_have_each_their_own(shading):
    picture = np.where(lines()[0].numpy() == 0, 0, colored()) + 0.5 * noise()
    made = flats(picture, shared(), unsure="pixels", shading=shading)
    assert names(made) == {part: part for part in PLACES}
    palette = made.regions.palette
    wrong = 0
    for part in ("hair", "skin"):
        own = [swatch.name for swatch in palette.swatches].index(part)
        wrong += int((made.regions.paint[0].numpy() != own)[clear(part)].sum())
    assert wrong < 0.02 * (clear("hair") | clear("skin")).sum()
    flat = flats(picture, shared(), shading=shading)
    for part in ("coat", "shirt"):
        assert torch.equal(made.image[0][torch.from_numpy(inside(part))], flat.image[0][torch.from_numpy(inside(part))])


# --- without a palette ---


def test_without_a_palette_near_colours_are_one(regions):
    picture = colored()
    picture[inside("skin")] = (np.array(BASES["hair"]) + (3, 2, -3)) / 255
    made = own_palette([region_medians(as_picture(picture), regions, "flat")])
    assert len(made) == 3 and {swatch.role for swatch in made.swatches} == {"base"}
    found = names(flats(picture, regions, made))
    assert found["skin"] == found["hair"] and len(set(found.values())) == 3 and None not in found.values()
    twice = [region_medians(as_picture(shown), regions, "flat") for shown in (picture, colored())]
    assert len(own_palette(twice)) == 4, "one palette for all frames"


def test_two_tones_without_a_palette(regions):
    picture = colored(lambda part: diagonal(part) & (part in ("coat", "skin")))
    made = own_palette([region_medians(as_picture(picture), regions, "two_tones")])
    apart = difference_2000(made.lab[:, None], to_lab(torch.tensor(list(SHADOWS.values())) / 255)[None])
    shadows = [index for index, swatch in enumerate(made.swatches) if swatch.role == "shadow"]
    assert len(made) == 6 and sorted(apart[shadows].argmin(dim=1).tolist()) == [1, 2]
    assert apart[shadows].min(dim=1).values.max() < 2
    found = flats(picture, regions, made, shading="two_tones")
    coat = set(found.regions.paint[0].numpy()[clear("coat")].tolist())
    assert len(coat) == 2


def test_a_page_without_any_colour_has_a_palette(regions):
    blank = as_picture(np.ones((SIZE, SIZE, 3)))
    page = find_regions(torch.ones(1, SIZE, SIZE, 3), RegionChoice())
    palette = own_palette([region_medians(blank, page, "flat")])
    assert len(palette) == 1
    assert int(make_flats(blank, page, palette, FlatChoice()).regions.paint.max()) == NO_SWATCH


# --- what else the regions say ---


def test_trace_lines_become_the_darker_colour_beside_them():
    drawing = lines()
    drawing[:, LEFT + 3 : MIDDLE, MIDDLE : MIDDLE + 3] = torch.tensor([1.0, 0.0, 0.0])
    found = find_regions(drawing, RegionChoice(trace_lines="red_green_blue"))
    made = flats(colored(), found)
    between = np.s_[LEFT + 6 : MIDDLE - 4, MIDDLE - 1 : MIDDLE + 4]
    paint = made.regions.paint[0][between]
    assert (paint[:, :4] == 0).all() and (paint[:, 4] == 2).all(), "hair to the end of the line, then skin"
    assert (made.regions.filled[0][between][:, 1:4] == found.filled[0][PLACES["hair"]]).all()
    areas = np.bincount(made.regions.filled[0].flatten())
    assert np.array_equal(made.regions.tables[0].area, areas) and not np.array_equal(found.tables[0].area, areas)


@pytest.mark.parametrize("shading", ["flat", "two_tones", "keep"])
def test_what_is_in_no_region_keeps_the_picture(shading):
    mask = torch.from_numpy(inside("hair") | inside("skin") | inside("coat") | inside("shirt"))[None].float()
    found = find_regions(lines(), RegionChoice(), mask)
    sky = colored()
    sky[found.filled[0].numpy() == 0] = 0.3 + 0.5 * noise()[found.filled[0].numpy() == 0]
    made = flats(sky, found, shading=shading)
    outside = found.filled[0] == 0
    assert int(outside.sum()) > SIZE * SIZE / 4
    assert torch.equal(made.image[0][outside], as_picture(sky)[0][outside])
    assert (made.regions.paint[0][outside] == NO_SWATCH).all() and made.unsure[0][outside].max() == 0


def test_nothing_is_written_to(regions):
    picture, dots = as_picture(PICTURES["noisy"]), dotted(torch.ones(1, SIZE, SIZE, 3), "skin", BASES["coat"])
    kept = [tensor.clone() for tensor in (picture, dots, regions.filled)]
    tables = replace(regions.tables[0], swatch=regions.tables[0].swatch.copy())
    for shading, unsure in (("flat", "pixels"), ("two_tones", "vote"), ("keep", "pixels")):
        choice = FlatChoice(shading, 1.0, unsure)
        first, second = (make_flats(picture, regions, PALETTE, choice, dots) for _ in range(2))
        assert torch.equal(first.image, second.image) and torch.equal(first.regions.paint, second.regions.paint)
    for before, after in zip(kept, (picture, dots, regions.filled), strict=True):
        assert torch.equal(before, after)
    assert np.array_equal(tables.swatch, regions.tables[0].swatch) and regions.paint is None
