"""More than one character: each looks at its own reference, and two regions stay what they are."""

import pytest

SIZE = {"width": 128, "height": 192}
SETTINGS = {"steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0, "seed": 7}


@pytest.fixture(scope="module")
def loaded(studio):
    return studio.loaded


@pytest.fixture(scope="module")
def scene(host, pack, loaded):
    """Two carriers (the first with a background) and the masks of two characters side by side."""
    torch = host.torch
    generator = torch.Generator().manual_seed(3)
    _, colorizer, _, vae, clip_vision = loaded
    first, second, background = torch.rand(3, 1, 80, 60, 3, generator=generator)
    (hero,) = pack.run("ColorizeEncodeReference", clip_vision=clip_vision, image=first)
    (friend,) = pack.run("ColorizeEncodeReference", clip_vision=clip_vision, image=second)
    parts = {"colorizer": colorizer, "vae": vae, "clip_vision": clip_vision}
    (hero,) = pack.run("ColorizeEncodeBackground", carrier=hero, image=background, **parts, **SIZE)
    left, right = torch.zeros(2, 1, 96, 64)
    left[:, 20:90, 4:28] = 1
    right[:, 20:90, 34:60] = 1
    return hero, friend, left, right


@pytest.fixture(scope="module")
def sample(pack, loaded):
    """Colour a blank latent with a carrier and a sketch mask; returns the latent."""

    def run(carrier, mask=None, **apply):
        optional = {} if mask is None else {"sketch_mask": mask}
        model, positive, negative = pack.run(
            "ColorizeApply", model=loaded[0], colorizer=loaded[1], carrier=carrier, **optional, **apply
        )
        (latent,) = pack.run("EmptyLatentImage", **SIZE, batch_size=1)
        inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
        return pack.run("KSampler", **inputs, **SETTINGS)[0]["samples"]

    return run


def add(pack, carrier, region, mask, **kwargs):
    return pack.run("ColorizeAddRegion", carrier=carrier, region=region, mask=mask, **kwargs)[0]


def equal(a, b):
    return float((a - b).abs().max()) <= 1e-5 * float(b.abs().max())


def test_an_empty_region_changes_nothing(pack, scene, sample):
    hero, friend, left, _ = scene
    assert equal(sample(add(pack, hero, friend, left * 0), left), sample(hero, left))


def test_a_region_with_the_same_reference_changes_nothing(pack, scene, sample):
    hero, _, left, right = scene
    both = (left + right).clamp(max=1)
    assert equal(sample(add(pack, hero, hero, right), both), sample(hero, both))


@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)
def test_the_later_region_wins(pack, scene, sample):
    hero, friend, left, _right = scene
    covered = add(pack, add(pack, hero, friend, left), hero, left)
    assert equal(sample(covered, left), sample(hero, left))
    assert not equal(sample(add(pack, hero, friend, left), left), sample(hero, left))


def test_regions_without_a_sketch_mask(pack, scene, sample):
    hero, friend, left, right = scene
    alone = sample(add(pack, hero, hero, left))
    assert equal(alone, sample(hero, left))
    assert not equal(sample(add(pack, add(pack, hero, hero, left), friend, right)), alone)


def test_each_character_has_its_own_strength(pack, scene, sample):
    hero, friend, left, right = scene
    plain = sample(add(pack, hero, friend, right), left)
    assert not equal(sample(add(pack, hero, friend, right, strength=0.5), left), plain)
    halved = sample(add(pack, hero, friend, right, strength=0.5), left * 0)
    assert equal(halved, sample(add(pack, hero, friend, right), left * 0, foreground_strength=0.5))


def test_carriers_are_not_changed(pack, scene):
    hero, friend, _, right = scene
    add(pack, hero, friend, right)
    assert hero.regions == () and friend.regions == ()


def test_block_strengths_take_the_place_of_levels(pack, scene, sample):
    hero, _, left, _ = scene
    names = [name for name in pack.node("ColorizeBlockStrengths").INPUT_TYPES()["required"]]
    assert len(names) == 16
    color = [names[i] for i in (2, 3, 10, 11, 12)]
    (strengths,) = pack.run("ColorizeBlockStrengths", **dict.fromkeys(color, 0.5))
    assert equal(sample(hero, left, block_strengths=strengths), sample(hero, left, color_strength=0.5))
    assert not equal(sample(hero, left, block_strengths=strengths), sample(hero, left))


def test_an_ignored_window_equals_no_reference(pack, scene, sample):
    hero, _, left, _ = scene
    nothing = sample(hero, left, start_percent=1.0, end_percent=1.0)
    assert equal(sample(hero, left, ignore_start_percent=0.0, ignore_end_percent=1.0), nothing)
    assert not equal(sample(hero, left), nothing)


def test_concatenated_conditionings_both_count(pack, loaded, scene, sample):
    """Tokens of two references in one context: repeating the same changes nothing, another one counts."""
    hero, friend, left, _ = scene
    model, positive, negative = pack.run(
        "ColorizeApply", model=loaded[0], colorizer=loaded[1], carrier=hero, sketch_mask=left
    )
    _, other, _ = pack.run("ColorizeApply", model=loaded[0], colorizer=loaded[1], carrier=friend, sketch_mask=left)
    (latent,) = pack.run("EmptyLatentImage", **SIZE, batch_size=1)

    def concatenated(second):
        (both,) = pack.run("ConditioningConcat", conditioning_to=positive, conditioning_from=second)
        inputs = {"model": model, "positive": both, "negative": negative, "latent_image": latent}
        return pack.run("KSampler", **inputs, **SETTINGS)[0]["samples"]

    assert equal(concatenated(positive), sample(hero, left))
    assert not equal(concatenated(other), sample(hero, left))
