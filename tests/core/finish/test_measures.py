"""Measures whose right values are known: pictures of flat fields with errors counted by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.finish.color import difference_2000, to_lab
from colorizediffusion.colorize_core.finish.heat_map import RAMP, UNKNOWN, heat_colors
from colorizediffusion.colorize_core.finish.measures import altogether, measure
from colorizediffusion.colorize_core.finish.palette import Palette, Swatch
from colorizediffusion.colorize_core.finish.regions import Regions, table_of

RED, GREEN, BLUE = (200, 60, 50), (70, 160, 80), (60, 80, 190)
PALETTE = Palette((Swatch("red", RED), Swatch("green", GREEN), Swatch("blue", BLUE)))
SIZE, BORDER = 60, 30
LINE = slice(BORDER - 2, BORDER + 2)
#: Pixels off the line.
OFF = SIZE * (SIZE - 4)


def fields(line=True):
    """Red on the left, green on the right, a black line between them: [1, 60, 60, 3]."""
    picture = torch.empty(1, SIZE, SIZE, 3)
    picture[:, :, :BORDER], picture[:, :, BORDER:] = torch.tensor(RED) / 255, torch.tensor(GREEN) / 255
    if line:
        picture[:, :, LINE] = 0
    return picture


def drawing():
    page = torch.ones(1, SIZE, SIZE, 3)
    page[:, :, LINE] = 0
    return page


def regions(painted=True):
    """Three regions: red on the left, green on the right; a blue one in the lower right corner."""
    filled = torch.ones(1, SIZE, SIZE, dtype=torch.int32)
    filled[:, :, BORDER:], filled[:, 50:, 50:] = 2, 3
    ink = torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    ink[:, :, LINE] = True
    found = Regions(filled=filled, ink=ink, tables=(table_of(filled[0].numpy()),))
    return dataclasses.replace(found, palette=PALETTE, paint=(filled - 1).to(torch.int16)) if painted else found


def painted():
    """The picture that `regions` ask for."""
    picture = fields()
    picture[:, 50:, 50:] = torch.tensor(BLUE) / 255
    return picture


def test_a_right_picture_is_right_by_every_measure():
    values = measure(painted(), truth=painted(), regions=regions(), drawing=drawing()).values
    for name in ("delta_e_max", "fringe_delta_e", "region_delta_e_worst", "leak", "fringe", "ink_max"):
        assert values[name] == pytest.approx(0, abs=1e-4), name
    assert values["right_swatch"] == values["regions_right"] == 1 and values["psnr"] == 100
    assert values["pixels"] == OFF and values["regions"] == 3 and values["against"] == "truth"
    assert None not in values.values()


@pytest.mark.parametrize("truth", [True, False])
def test_a_leak_is_a_neighbours_swatch_and_is_counted(truth):
    """Green in the red field: 6 × 10 pixels, 3 columns of them beside the line; blue there is wrong, but no leak."""
    picture = painted()
    picture[:, 10:20, BORDER - 8 : BORDER - 2] = torch.tensor(GREEN) / 255
    picture[:, 40:45, :4] = torch.tensor(BLUE) / 255
    values = measure(picture, painted() if truth else None, regions(), drawing=drawing()).values
    assert values["against"] == ("truth" if truth else "swatches")
    assert values["leak"] == pytest.approx(60 / OFF)
    assert values["right_swatch"] == pytest.approx(1 - 80 / OFF)
    assert values["fringe"] == pytest.approx(30 / (2 * 3 * SIZE))
    lab = [to_lab(torch.tensor(color) / 255) for color in (RED, GREEN, BLUE)]
    expected = (60 * difference_2000(lab[0], lab[1]) + 20 * difference_2000(lab[0], lab[2])) / OFF
    assert values["delta_e_mean"] == pytest.approx(float(expected), rel=1e-4)
    assert values["region_delta_e_worst"] == pytest.approx(0, abs=1e-4), "no region's median is off"


def test_a_region_with_a_wrong_colour_is_the_worst():
    picture = painted()
    picture[:, 50:, 50:] = torch.tensor(RED) / 255
    values = measure(picture, regions=regions()).values
    assert values["region_worst"] == 3 and values["regions_right"] == pytest.approx(2 / 3)
    blue, red = (to_lab(torch.tensor(color) / 255) for color in (BLUE, RED))
    assert values["region_delta_e_worst"] == pytest.approx(float(difference_2000(red, blue)), rel=1e-4)
    assert values["region_delta_e_mean"] == pytest.approx(values["region_delta_e_worst"] / 3, rel=1e-4)


def test_swatches_of_a_palette_of_ones_own_stand_for_the_regions():
    """The same colours in another order, and one that is near to the red."""
    other = Palette((Swatch("a", GREEN), Swatch("b", (205, 62, 52)), Swatch("c", BLUE)))
    values = measure(painted(), regions=regions(), palette=other).values
    assert values["right_swatch"] == 1 and values["leak"] == 0
    alone = measure(painted(), palette=other, drawing=drawing()).values
    assert alone["against"] == "palette" and 0 < alone["delta_e_max"] < 2 and alone["delta_e_median"] > 0
    assert alone["right_swatch"] is None and alone["leak"] is None and alone["psnr"] is None


def test_regions_alone_measure_how_even_they_are():
    picture = painted()
    picture[:, ::2, 40:] *= 0.8
    values = measure(picture, regions=regions(painted=False)).values
    assert values["against"] == "regions" and values["delta_e_max"] > 2 and values["right_swatch"] is None


@pytest.mark.parametrize("off_by", [0, 2, 20])
def test_the_lines_are_compared_with_the_drawings(off_by):
    picture = painted()
    picture[:, :, LINE] = off_by / 255
    values = measure(picture, drawing=drawing()).values
    assert values["ink_max"] == pytest.approx(off_by / 255, abs=1e-6) == values["ink_mean"]
    assert values["against"] is None and values["delta_e_mean"] is None and values["pixels"] == 0


def test_pictures_of_other_sizes_are_measured_at_the_regions_size():
    flat = torch.ones(1, 15, 15, 3) * torch.tensor(RED) / 255
    found = measure(flat, truth=torch.ones(1, 7, 9, 3) * torch.tensor(RED) / 255, regions=regions())
    assert found.delta_e.shape == (SIZE, SIZE) and found.values["delta_e_mean"] == pytest.approx(0, abs=1e-3)
    assert np.isnan(found.delta_e[:, LINE]).all() and found.values["psnr"] > 60


def test_frames_together():
    first = measure(painted(), truth=painted(), regions=regions()).values
    second = measure(painted() * 0.9, truth=painted(), regions=regions()).values
    both = altogether([first, second])
    assert both["frames"] == 2 and both["pixels"] == 2 * OFF and both["regions"] == 6
    assert both["delta_e_max"] == second["delta_e_max"]
    assert both["delta_e_mean"] == pytest.approx((first["delta_e_mean"] + second["delta_e_mean"]) / 2)
    assert "region_worst" not in both and both["ink_max"] is None


def test_the_ramp_gets_darker_all_the_way():
    colors = heat_colors(np.linspace(0, 25, 100)[None].astype(np.float32))
    lightness = to_lab(torch.from_numpy(colors))[0, :, 0]
    assert (lightness.diff()[:79] < 0).all() and (lightness.diff()[80:] == 0).all()
    assert np.allclose(heat_colors(np.array([[np.nan, 99.0]])) * 255, [[UNKNOWN, RAMP[-1][1]]])
