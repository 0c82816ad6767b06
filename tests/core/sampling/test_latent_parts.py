"""Parts of a latent are found where they were cut out, by their numbers."""

import pytest
import torch
from colorizediffusion.colorize_core.sampling.latent_parts import MOST_PLACES, Place, cut, find_parts


@pytest.fixture
def whole():
    return torch.randn(3, 4, 12, 8, generator=torch.Generator().manual_seed(1))


def test_each_part_is_found_where_it_was_cut(whole):
    places = [Place(2, 0, 0), Place(0, 7, 3), Place(1, 4, 4), Place(1, 9, 6)]  # the last goes on at the other side
    parts = torch.stack([cut(whole[p.picture], p.top, p.left, 5, 4) for p in places])
    assert find_parts(whole, parts) == [[place] for place in places]


def test_what_is_no_part_is_not_found(whole):
    part = whole[:1, :, 2:6, 1:5].clone()
    part[0, 3, 3, 3] += 1e-6
    assert find_parts(whole, part) == [[]]
    assert find_parts(whole, torch.zeros(1, 4, 13, 8)) == [[]], "larger"
    assert find_parts(whole, torch.zeros(1, 16, 4, 4)) == [[]], "of another kind"


def test_pictures_that_look_alike_are_all_listed(whole):
    alike = whole[:1].expand(3, -1, -1, -1)
    assert find_parts(alike, alike[:1, :, 3:6, 2:5]) == [[Place(picture, 3, 2) for picture in range(3)]]


def test_a_latent_without_noise_has_no_places():
    blank = torch.zeros(1, 4, 16, 16)
    assert MOST_PLACES < 16 * 16
    assert find_parts(blank, blank[..., :4, :4]) == [[]]
