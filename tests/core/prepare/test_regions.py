"""Which positions belong to which region."""

import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.prepare.regions import region_indices, region_labels, soft_regions
from colorizediffusion.colorize_core.sampling.batches import check_pictures_fit
from hypothesis import given, settings
from hypothesis import strategies as st


def rectangle(height, width, top, left, bottom, right, value=1.0):
    mask = torch.zeros(1, height, width)
    mask[:, top:bottom, left:right] = value
    return mask


def test_above_the_threshold_is_character_and_at_it_background():
    mask = torch.tensor([[[0.0, 0.04], [0.05, 0.06]]])
    assert region_labels([mask], threshold=0.05, height=2, width=2).tolist() == [[[1, 1], [1, 0]]]
    assert region_labels([mask], threshold=0.5, height=2, width=2).tolist() == [[[1, 1], [1, 1]]]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (25, 17)])
def test_a_uniform_mask_is_one_region_at_any_size(value, size):
    labels = region_labels([torch.full((1, 12, 8), value)], 0.25, *size)
    assert labels.unique().tolist() == [0 if value > 0.25 else 1]
    (index,) = region_indices(labels, 2)
    assert index.positions[0 if value > 0.25 else 1] is None  # everything: nothing need be gathered
    assert index.present == [0 if value > 0.25 else 1]


def test_where_characters_overlap_the_later_one_wins():
    masks = [rectangle(4, 4, 0, 0, 4, 3), rectangle(4, 4, 0, 2, 4, 4)]
    assert region_labels(masks, 0.5, 4, 4)[0, 0].tolist() == [0, 0, 1, 1]


def test_positions_are_the_rows_of_the_flattened_map_in_order():
    labels = torch.tensor([[[0, 1, 1], [1, 0, 1]]])
    (index,) = region_indices(labels, 2)
    assert [p.tolist() for p in index.positions] == [[0, 4], [1, 2, 3, 5]]
    assert index.count == 6 and index.present == [0, 1]


def test_masks_of_different_batches_give_every_picture_its_own_layout():
    one, two = rectangle(2, 2, 0, 0, 1, 2), torch.cat([rectangle(2, 2, 1, 0, 2, 1), rectangle(2, 2, 1, 1, 2, 2)])
    labels = region_labels([one, two], 0.5, 2, 2)
    assert labels.tolist() == [[[0, 0], [1, 2]], [[0, 0], [2, 1]]]


@settings(max_examples=100)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    count=st.integers(1, 3),
    threshold=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_every_position_belongs_to_exactly_one_region(height, width, size, count, threshold, seed):
    generator = torch.Generator().manual_seed(seed)
    masks = [torch.rand(2, height, width, generator=generator) for _ in range(count)]
    for index in region_indices(region_labels(masks, threshold, *size), count + 1):
        everything = torch.arange(index.count)
        found = torch.cat([everything if p is None else p for p in index.positions])
        assert found.sort().values.tolist() == everything.tolist()
        assert all(p is None or (p.diff() > 0).all() for p in index.positions)


@pytest.mark.parametrize(("masks", "images"), [(1, 1), (1, 7), (3, 3), (2, 4)])
def test_one_mask_or_one_for_each_image_fits(masks, images):
    check_pictures_fit("masks", [masks], images)


@pytest.mark.parametrize(("masks", "images"), [(2, 1), (3, 2), (2, 3), (4, 6)])
def test_other_counts_are_told(masks, images):
    with pytest.raises(ColorizeError, match=f"{masks} masks, but {images} image"):
        check_pictures_fit("masks", [1, masks], images)


def test_soft_regions_blend_as_their_masks_do_and_leave_out_what_counts_nothing():
    first, second = torch.rand(1, 6, 4), torch.rand(2, 6, 4)
    first[:, :3], second[:, :, 2:] = 0.0, 1.0
    for picture, index in enumerate(soft_regions([first, second], 6, 4)):
        weights = torch.zeros(3, 24)
        for region, (positions, weight) in enumerate(zip(index.positions, index.weights, strict=True)):
            weights[region, slice(None) if positions is None else positions] = weight
        covered = second[picture].flatten()
        expected = torch.stack([first[0].flatten() * (1 - covered), covered, (1 - first[0].flatten()) * (1 - covered)])
        assert torch.allclose(weights, expected, atol=1e-6)
        assert all(p is None or (weights[r, p] != 0).all() for r, p in enumerate(index.positions))
        assert len(index.positions[2]) == 12 and index.positions[1] is None
