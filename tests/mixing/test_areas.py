"""Conditioning for a part of the picture: mask, line map and references lie where they lie in the whole."""

import pytest

SAME, NOTICED = 2e-5, 1e-3

#: (height, width, y, x) in pixels of a picture of 96×64; in the latent, 12×8.
LEFT, RIGHT, LOWER = (96, 32, 0, 0), (96, 32, 0, 32), (40, 64, 56, 0)


@pytest.fixture
def restrict(pack):
    """A function that restricts a conditioning to an area."""

    def to_area(conditioning, area):
        height, width, y, x = area
        inputs = {"conditioning": conditioning, "height": height, "width": width, "y": y, "x": x, "strength": 1.0}
        return pack.run("ConditioningSetArea", **inputs)[0]

    return to_area


def inside(latent, area):
    height, width, y, x = (size // 8 for size in area)
    return latent[..., y : y + height, x : x + width]


@pytest.fixture
def in_area(studio, everything, restrict):
    """A function that samples one step, both conditionings restricted to an area, and returns what lies in it."""

    def sample(area, mask, line_map=None, carrier=None, **settings):
        model, positive, negative = studio.apply(carrier or everything, mask, **settings)
        positive, negative = studio.sketch(positive, negative, line_map)
        latent = studio.sample(model, restrict(positive, area), restrict(negative, area), steps=1)
        return inside(latent, area)

    return sample


def test_an_area_of_the_whole_picture_is_no_area(studio, colour, plain, restrict):
    model, positive, negative = colour.patched()
    whole = (96, 64, 0, 0)
    assert studio.difference(studio.sample(model, restrict(positive, whole), restrict(negative, whole)), plain) < SAME


@pytest.mark.parametrize("area", [LEFT, RIGHT])
def test_the_mask_counts_where_it_lies_in_the_whole_picture(studio, in_area, area):
    """The mask's edge, soft over some positions, is at the area's: far from it the area is all character or none."""
    other = studio.mask("all" if area == LEFT else "none")
    edge = studio.mask("left")
    edge[..., 24:40] = other[..., 24:40]
    assert studio.difference(in_area(area, edge), in_area(area, other)) < SAME
    wrong = studio.mask("none" if area == LEFT else "all")
    assert studio.difference(in_area(area, edge), in_area(area, wrong)) > NOTICED


@pytest.mark.parametrize("masked", [True, False])
def test_the_line_map_counts_where_it_lies_in_the_whole_picture(studio, in_area, masked):
    first, second = studio.line_map("sketch"), studio.line_map("another")
    mixed = first.clone()
    mixed[:, 56:] = second[:, 56:]
    mask = studio.mask() if masked else None
    assert studio.difference(in_area(LOWER, mask, mixed), in_area(LOWER, mask, second)) < SAME
    assert studio.difference(in_area(LOWER, mask, mixed), in_area(LOWER, mask, first)) > NOTICED


def test_a_reference_counts_in_an_area_that_only_the_positive_has(host, studio, pack, colour, restrict):
    """ComfyUI makes a reference-free counterpart, of the same id; the reference must count all the same."""
    model, positive, negative = colour.patched()
    zeros = [[host.torch.zeros_like(positive[0][0]), positive[0][1]]]
    (with_tokens, without) = (studio.sample(model, restrict(c, LEFT), negative, cfg=1.0) for c in (positive, zeros))
    assert studio.difference(with_tokens, without) > NOTICED
    (by_hand,) = pack.run("ConditioningCombine", conditioning_1=negative, conditioning_2=restrict(negative, LEFT))
    guided = studio.sample(model, restrict(positive, LEFT), negative)
    assert studio.difference(guided, studio.sample(model, restrict(positive, LEFT), by_hand)) < SAME


def test_areas_of_one_size_run_together_as_one_by_one(studio, pack, colour, restrict):
    model, positive, negative = colour.patched()
    (halves,) = pack.run(
        "ConditioningCombine", conditioning_1=restrict(positive, LEFT), conditioning_2=restrict(positive, RIGHT)
    )
    together = studio.sample(model, halves, negative)
    base = model.model
    usual = base.memory_usage_factor
    base.memory_usage_factor = usual * 1e7  # ComfyUI then thinks that only one row fits
    try:
        assert studio.difference(studio.sample(model, halves, negative), together) < SAME
    finally:
        base.memory_usage_factor = usual


def test_a_reference_for_each_half(studio, pack, colour, restrict):
    """Two references by areas, over one that counts everywhere."""
    model, positive, negative = colour.patched()
    other, _ = studio.sketch(*studio.apply(studio.carrier("background_image", reference="other"), studio.mask())[1:])
    (both,) = pack.run("ConditioningCombine", conditioning_1=positive, conditioning_2=restrict(other, RIGHT))
    latent = studio.sample(model, both, negative)
    assert latent.isfinite().all()
    only = studio.sample(model, positive, negative)
    assert studio.difference(inside(latent, RIGHT), inside(only, RIGHT)) > NOTICED


@pytest.mark.parametrize("bounds", ["default", "mask bounds"])
def test_masked_conditioning(studio, pack, colour, plain, bounds):
    model, positive, negative = colour.patched()

    def masked(conditioning, kind):
        inputs = {"conditioning": conditioning, "mask": studio.mask(kind), "strength": 1.0, "set_cond_area": bounds}
        return pack.run("ConditioningSetMask", **inputs)[0]

    whole = studio.sample(model, masked(positive, "all"), masked(negative, "all"))
    assert studio.difference(whole, plain) < SAME
    (both,) = pack.run(
        "ConditioningCombine", conditioning_1=masked(positive, "left"), conditioning_2=masked(negative, "top")
    )
    latent = studio.sample(model, both, negative)
    assert latent.isfinite().all() and studio.difference(latent, plain) > NOTICED
