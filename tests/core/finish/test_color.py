"""Colour spaces and differences against published values."""

import torch
from colorizediffusion.colorize_core.finish.color import difference_76, difference_2000, to_lab, to_rgb

#: L, a, b of two colours and their ΔE2000. Source: Sharma, Wu, Dalal 2005, table 1.
SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_difference_2000_gives_the_published_pairs_either_way_round():
    rows = torch.tensor(
        [[float(part) for part in row.split()] for row in SHARMA.split("\n") if row], dtype=torch.float64
    )
    assert len(rows) == 34
    one, other, published = rows[:, :3], rows[:, 3:6], rows[:, 6]
    torch.testing.assert_close(difference_2000(one, other), published, atol=5e-5, rtol=0)
    torch.testing.assert_close(difference_2000(other, one), published, atol=5e-5, rtol=0)


def test_lab_of_white_black_and_the_primaries():
    rgb = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]], dtype=torch.float64)
    known = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86]]
    known.append([53.39, 0, 0])
    torch.testing.assert_close(to_lab(rgb), torch.tensor(known, dtype=torch.float64), atol=0.015, rtol=0)


def test_every_eight_bit_level_comes_back_from_lab():
    """Also in float32, in which pictures are."""
    levels = torch.arange(0, 256, 5, dtype=torch.uint8)
    rgb = torch.cartesian_prod(levels, levels, levels)
    back = (to_rgb(to_lab(rgb.float() / 255)) * 255).round().to(torch.uint8)
    assert torch.equal(back, rgb)


def test_colours_beyond_srgb_are_cut_at_its_limits():
    cut = to_rgb(torch.tensor([[60.0, 120, 90], [120.0, 0, 0], [-5.0, 0, 0]]))
    assert cut.min() >= 0 and cut.max() <= 1
    assert (cut * 255).round().tolist() == [[255, 0, 0], [255] * 3, [0] * 3]


def test_difference_76_is_a_distance_over_any_shape():
    lab = torch.tensor([[[50.0, 0, 0], [50, 3, 4]]])
    assert difference_76(lab, torch.tensor([50.0, 0, 0])).tolist() == [[0, 5]]
