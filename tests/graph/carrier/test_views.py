"""Several pictures of one character: its region attends to the tokens of all."""

import pytest

SAME, NOTICED = 2e-5, 1e-3


@pytest.fixture
def views_of(studio, pack):
    """A function that encodes pictures as views of one character."""

    def encode(*pictures):
        image = studio.torch.cat(pictures)
        inputs = {"clip_vision": studio.clip_vision, "image": image, "several": "views_of_one_character"}
        return pack.run("ColorizeEncodeReference", **inputs)[0]

    return encode


@pytest.fixture
def front_and_back(studio):
    return studio.picture("front"), studio.picture("back")


def coloured(studio, carrier, mask=None):
    return studio.sample(*studio.apply(carrier, mask))


@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)
@pytest.mark.parametrize("split", [True, False])
def test_the_same_view_twice_is_that_view(studio, views_of, front_and_back, split):
    front, back = front_and_back
    mask = studio.mask() if split else None
    once = coloured(studio, views_of(front), mask)
    assert studio.difference(coloured(studio, views_of(front, front), mask), once) < SAME
    both = coloured(studio, views_of(front, back), mask)
    assert studio.difference(both, once) > NOTICED
    assert studio.difference(coloured(studio, views_of(back, front), mask), both) < SAME, "their order means nothing"


def test_each_region_has_its_own_number_of_views(studio, pack, views_of, front_and_back):
    """Regions, background and styles of other lengths lie beside one another in the context."""
    front, back = front_and_back
    inputs = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision}
    inputs |= {"width": 64, "height": 96}

    def carrier(first, second):
        (full,) = pack.run("ColorizeEncodeStyle", carrier=first, image=back, **inputs)
        (full,) = pack.run("ColorizeEncodeBackground", carrier=full, image=studio.picture("hills"), **inputs)
        return pack.run("ColorizeAddRegion", carrier=full, region=second, mask=studio.mask("top"))[0]

    one = coloured(studio, carrier(views_of(front), views_of(back)), studio.mask())
    for first, second in [(front, front), (back,)], [(front,), (back, back, back)]:
        latent = coloured(studio, carrier(views_of(*first), views_of(*second)), studio.mask())
        assert studio.difference(latent, one) < SAME


def test_views_are_kept_in_a_file(studio, pack, views_of, front_and_back, tmp_path):
    files = pack.module("colorize_core.carrier.carrier_file")
    front, back = front_and_back
    carrier = views_of(front, back)
    (carrier,) = pack.run("ColorizeAddRegion", carrier=carrier, region=views_of(back), mask=studio.mask("top"))
    path = tmp_path / f"sheet{files.SUFFIX}"
    files.write_carrier(carrier, path)
    loaded = files.read_carrier(path)
    assert (loaded.views, [region.views for region in loaded.regions]) == (2, [1])
    assert studio.torch.equal(loaded.tokens, carrier.tokens) and loaded.picture_shape == carrier.picture_shape


def test_words_change_all_views_and_show_what_they_select_in_each(studio, pack, views_of, front_and_back):
    def prompt(seed):
        generator = studio.torch.Generator().manual_seed(seed)
        return [[studio.torch.zeros(1, 7, 1024), {"pooled_output": studio.torch.randn(1, 1024, generator=generator)}]]

    inputs = {"target": prompt(1), "control": prompt(2), "image": studio.torch.cat(front_and_back)}
    changed, picture = pack.run("ColorizeManipulateTokens", carrier=views_of(*front_and_back), **inputs)
    assert changed.views == 2 and len(picture) == 2
    assert not studio.torch.equal(picture[0], picture[1])
