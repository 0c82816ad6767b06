"""What Apply Colorization does with XL: regions, stored states, LoRA, strengths, sizes, batches, clones.

The golden data say what one picture is; here pictures are compared with one another.
"""

import dataclasses

import pytest

#: Relative difference that another order of the same sums makes in float32, over two steps of 70 transformers.
SAME = 2e-5
#: Relative difference that a feature must make at least.
NOTICED = 1e-3
STEPS = 2
#: No multiple of 32 pixels: latents of 13×9, whose levels are 7×5 and 4×3.
ODD = (104, 72)


@pytest.fixture(scope="module")
def whole(studios_xl):
    """A function: studio -> its carrier with a background."""
    carriers = {}

    def encode(studio):
        if studio not in carriers:
            carriers[studio] = studio.carrier("background_image")
        return carriers[studio]

    return encode


def colour(studio, carrier, mask=None, noise=None, lines=True, **settings):
    """Apply a carrier and sample."""
    model, *conditioning = studio.apply(carrier, mask, **settings)
    conditioning = studio.sketch(*conditioning) if lines else conditioning
    return studio.sample(model, *conditioning, noise, steps=STEPS)


# --- each setting ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("merge", 0.5),
        pytest.param("encoder_strength", 0.5, marks=pytest.mark.thorough),
        pytest.param("semantic_strength", 0.5, marks=pytest.mark.thorough),
        pytest.param("foreground_strength", 0.5, marks=pytest.mark.thorough),
        pytest.param("background_strength", 0.5, marks=pytest.mark.thorough),
        pytest.param("start_percent", 0.6, marks=pytest.mark.thorough),
        pytest.param("end_percent", 0.3, marks=pytest.mark.thorough),
    ],
)
def test_every_setting_changes_the_picture(studio_xl_v2, whole, name, value):
    studio, mask = studio_xl_v2, studio_xl_v2.mask()
    assert (
        studio.difference(colour(studio, whole(studio), mask, **{name: value}), colour(studio, whole(studio), mask))
        > NOTICED
    )


def test_what_the_v2_style_model_has_no_use_for_changes_nothing(studio_xl_v2, whole):
    """Its color level governs no attention, and its soft split knows no threshold."""
    studio, mask = studio_xl_v2, studio_xl_v2.mask("middle") * 0.7
    usual = colour(studio, whole(studio), mask)
    for setting in ({"color_strength": 0.3}, {"threshold": 0.5}):
        assert studio.difference(colour(studio, whole(studio), mask, **setting), usual) == 0


def test_the_base_model_has_one_strength(studios_xl, pack, whole):
    studio = studios_xl("base")
    for given in (
        {"encoder_strength": 0.5},
        {"color_strength": 0.0},
        {"encoder_strength": 1.1, "semantic_strength": 1.1},
    ):
        with pytest.raises(pack.Error, match="has one reference strength for all attentions: give the three one value"):
            studio.apply(whole(studio), studio.mask(), **given)
    half = dict.fromkeys(("encoder_strength", "color_strength", "semantic_strength"), 0.5)
    (blocks,) = pack.run("ColorizeBlockStrengths", **all_blocks(pack, 0.5))
    by_level, by_factor, by_block = (
        colour(studio, whole(studio), studio.mask(), **given)
        for given in (half, {"reference_strength": 0.5}, {"block_strengths": blocks})
    )
    assert studio.difference(by_block, colour(studio, whole(studio), studio.mask())) > NOTICED
    assert studio.difference(by_factor, by_level) < SAME
    reached = {tuple(block) for block in blocks}
    places = {
        place.block for place in pack.module("colorize_core.host.sampling.unet_layout").attention_places(studio.model)
    }
    assert places <= reached, f"Block Strengths leaves out {sorted(places - reached)}"
    assert studio.difference(by_block, by_level) < SAME


def all_blocks(pack, value):
    """Inputs of Block Strengths that are all the same."""
    declared = pack.node("ColorizeBlockStrengths").INPUT_TYPES()
    return dict.fromkeys(
        (name for group in declared.values() for name, spec in group.items() if spec[0] == "FLOAT"), value
    )


def test_the_hints_have_a_strength_each(studio_xl_v2, pack):
    studio = studio_xl_v2
    model, *conditioning = studio.apply(studio.carrier())

    def drawn(**strengths):
        (control,) = pack.run("ColorizeHintStrengths", control_net=studio.control_net, **strengths)
        return studio.sample(model, *studio.sketch(*conditioning, control_net=control), steps=1)

    usual = drawn()
    for number in range(4):
        assert studio.difference(drawn(**{f"hint_{number}": 0.2}), usual) > NOTICED
    assert studio.difference(drawn(hint_4=0.2), usual) == 0, "XL has four hints"


# --- regions, at sizes that fit no block of pixels ---


@pytest.mark.parametrize(
    "kind", ["middle", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in ("all", "none"))]
)
def test_a_split_between_equal_tokens_is_no_split(studio_xl, kind):
    studio, noise = studio_xl, studio_xl.noise(ODD)
    carrier = studio.carrier()
    split, plain = (colour(studio, carrier, mask, noise) for mask in (studio.mask(kind, ODD), None))
    assert studio.difference(split, plain) < SAME


def test_each_region_has_its_own_picture_alone(studio_xl, whole):
    """All character: nothing of the background's tokens and states; none: nothing of the reference's."""
    studio, carrier = studio_xl, whole(studio_xl)
    states = tuple(-states for states in carrier.background_features)
    other = dataclasses.replace(
        carrier, background_tokens=carrier.background_tokens.flip(1) * 2, background_features=states
    )
    everywhere, nowhere = studio.mask("all"), studio.mask("none")
    assert studio.difference(colour(studio, other, everywhere), colour(studio, carrier, everywhere)) == 0
    assert studio.difference(colour(studio, other, nowhere), colour(studio, carrier, nowhere)) > NOTICED
    other = dataclasses.replace(carrier, tokens=carrier.tokens.flip(1) * 2)
    assert studio.difference(colour(studio, other, nowhere), colour(studio, carrier, nowhere)) == 0


def test_states_tokens_and_lora_of_a_background_all_count(studio_xl_v2, whole):
    studio, carrier, mask = studio_xl_v2, whole(studio_xl_v2), studio_xl_v2.mask()
    usual = colour(studio, carrier, mask)
    states = tuple(0 * states for states in carrier.background_features)
    without = (
        dataclasses.replace(carrier, background_features=states),
        dataclasses.replace(carrier, background_features=()),  # states and LoRA
        dataclasses.replace(carrier, background_tokens=None),
    )
    latents = [usual, *(colour(studio, other, mask) for other in without)]
    for number, latent in enumerate(latents):
        assert all(studio.difference(latent, other) > NOTICED for other in latents[:number])


def test_sizes_that_are_no_multiple_of_32_colour_with_a_background(studio_xl_v2):
    """Where the published program fails, for want of a multiple of four."""
    studio, noise = studio_xl_v2, studio_xl_v2.noise(ODD)
    masks = {kind: studio.mask(kind, ODD) for kind in ("middle", "top")}
    carrier = studio.carrier("background_image", size=ODD, mask=masks["middle"])
    sizes = [states.shape[1] for states in carrier.background_features]
    assert sizes == [4 * 3] * 30 + [7 * 5] * 6
    middle, top = (colour(studio, carrier, mask, noise) for mask in masks.values())
    assert middle.shape == noise.shape and middle.isfinite().all() and studio.difference(middle, top) > NOTICED


@pytest.mark.thorough
def test_states_of_another_size_are_looked_at_all_the_same(studio_xl_v2, whole):
    """A second pass at another size with the carrier of the first."""
    studio = studio_xl_v2
    latent = colour(studio, whole(studio), studio.mask(size=(128, 96)), studio.noise((128, 96)))
    assert latent.isfinite().all()


# --- characters ---


def with_region(studio, carrier, other, mask, strength=1.0):
    inputs = {"carrier": carrier, "region": other, "mask": mask, "strength": strength}
    return studio.pack.run("ColorizeAddRegion", **inputs)[0]


def test_a_character_that_is_nowhere_changes_nothing_and_one_that_is_all_takes_over(studio_xl, whole):
    studio, mask = studio_xl, studio_xl.mask()
    other = studio.carrier(reference="other")
    usual = colour(studio, whole(studio), mask)
    assert (
        studio.difference(colour(studio, with_region(studio, whole(studio), other, studio.mask("none")), mask), usual)
        < SAME
    )
    covered = colour(studio, with_region(studio, whole(studio), other, studio.mask("all")), mask)
    alone = dataclasses.replace(whole(studio), tokens=other.tokens)
    assert studio.difference(covered, colour(studio, alone, studio.mask("all"))) < SAME
    beside = colour(studio, with_region(studio, whole(studio), other, studio.mask("top")), mask)
    assert studio.difference(beside, usual) > NOTICED


def test_soft_characters_are_blended_by_weights_that_sum_to_one(host, studio_xl_v2, pack):
    """Between equal tokens any blend is plain attention, whatever the masks."""
    studio, torch = studio_xl_v2, host.torch
    carrier, ramp = studio.carrier(), torch.linspace(0, 1, 96).view(1, 96, 1).expand(1, 96, 64)
    for mask in (ramp, studio.picture("soft", 96, 64)[..., 0]):
        several = with_region(
            studio, with_region(studio, carrier, carrier, ramp.flip(1)), carrier, studio.mask("middle") * 0.4
        )
        assert studio.difference(colour(studio, several, mask), colour(studio, carrier)) < SAME
        masks = [region.mask for region in several.characters(mask)]
        (index,) = pack.module("colorize_core.prepare.regions").soft_regions(masks, 12, 8)
        total = torch.zeros(96)
        for positions, weights in zip(index.positions, index.weights, strict=True):
            total[slice(None) if positions is None else positions] += weights
        assert torch.allclose(total, torch.ones(96), atol=1e-6)


@pytest.mark.thorough
def test_views_of_one_character(studio_xl, pack):
    studio = studio_xl

    def views(*names):
        image = studio.torch.cat([studio.picture(name) for name in names])
        inputs = {"several": "views_of_one_character", **studio.encoders}
        return colour(studio, pack.run("ColorizeEncodeReference", image=image, **inputs)[0], studio.mask())

    once, both = views("front"), views("front", "back")
    assert studio.difference(views("front", "front"), once) < SAME
    assert studio.difference(views("back", "front"), both) < SAME and studio.difference(both, once) > NOTICED


# --- batches ---


def test_each_picture_of_a_batch_has_its_own_mask_line_map_reference_and_background(host, studio_xl, pack):
    studio, torch, noise = studio_xl, host.torch, studio_xl.noise(batch=3)
    masks = torch.cat([studio.mask(kind) for kind in ("left", "none", "top")])
    lines = studio.line_map(batch=3)
    images = [studio.picture(name, batch=3) for name in ("reference", "background")]

    def run(rows):
        reference, background = (image[rows] for image in images)
        (carrier,) = pack.run("ColorizeEncodeReference", image=reference, **studio.encoders)
        inputs = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision}
        inputs |= {"width": 64, "height": 96, "sketch_mask": masks[rows]}
        (carrier,) = pack.run("ColorizeEncodeBackground", carrier=carrier, image=background, **inputs)
        model, *conditioning = studio.apply(carrier, masks[rows])
        return studio.sample(model, *studio.sketch(*conditioning, lines[rows]), noise[rows], steps=STEPS)

    together = run(slice(0, 3))
    for i in range(3):
        assert studio.difference(together[i : i + 1], run(slice(i, i + 1))) < SAME


@pytest.mark.thorough
def test_rows_that_run_one_at_a_time_give_the_same(studio_xl, whole):
    studio = studio_xl
    model, *conditioning = studio.apply(whole(studio), studio.mask())
    together = studio.sample(model, *conditioning, steps=STEPS)
    base = model.model
    usual = base.memory_usage_factor
    base.memory_usage_factor = usual * 1e7  # ComfyUI then thinks that only one row fits
    try:
        apart = studio.sample(model, *conditioning, steps=STEPS)
    finally:
        base.memory_usage_factor = usual
    assert studio.difference(apart, together) < SAME


# --- windows of the sampling ---


def test_the_windows_are_those_of_conditioning_set_timestep_range(studio_xl, whole, pack):
    """Zeros of the full length outside start…end and inside ignore…; the stored states stay."""
    studio, mask = studio_xl, studio_xl.mask()
    model, positive, negative = studio.apply(whole(studio), mask)

    def ranged(conditioning, start, end):
        return pack.run("ConditioningSetTimestepRange", conditioning=conditioning, start=start, end=end)[0]

    def joined(*parts):
        first, *rest = parts
        for part in rest:
            (first,) = pack.run("ConditioningCombine", conditioning_1=first, conditioning_2=part)
        return first

    for settings, parts in (
        ({"end_percent": 0.5}, [ranged(positive, 0.0, 0.5), ranged(negative, 0.5, 1.0)]),
        (
            {"ignore_start_percent": 0.3, "ignore_end_percent": 0.6},
            [ranged(positive, 0.0, 0.3), ranged(negative, 0.3, 0.6), ranged(positive, 0.6, 1.0)],
        ),
    ):
        windowed = studio.sample(*studio.apply(whole(studio), mask, **settings), steps=4)
        assert studio.difference(windowed, studio.sample(model, joined(*parts), negative, steps=4)) < SAME


# --- clones ---


def test_applying_twice_is_applying_the_last_and_earlier_clones_stay(host, studio_xl_v2, whole):
    studio, torch = studio_xl_v2, host.torch
    plain, mask = studio.carrier(), studio.mask()
    first = studio.apply(whole(studio), mask)
    before = studio.sample(*first, steps=STEPS)
    count = {name: len(patches) for name, patches in first[0].patches.items()}
    assert len(count) == 210 and set(count.values()) == {1}
    for carrier, settings in ((whole(studio), {"merge": 0.3}), (plain, {})):
        twice, once = (studio.apply(carrier, studio.mask("top"), model=model, **settings) for model in (first[0], None))
        assert {name: len(patches) for name, patches in twice[0].patches.items()} == (
            count if carrier is not plain else {}
        )
        assert torch.equal(studio.sample(*twice, steps=STEPS), studio.sample(*once, steps=STEPS))
    assert torch.equal(studio.sample(*first, steps=STEPS), before)


def test_the_model_that_went_in_is_unchanged(host, studio_xl_v2, whole):
    import comfy.model_management

    studio = studio_xl_v2
    comfy.model_management.unload_all_models()
    digest = studio.digest(studio.model)
    conditioning = studio.apply(studio.carrier())[1:]
    before = studio.sample(studio.model, *conditioning, steps=1)
    model, positive, negative = studio.apply(whole(studio), studio.mask())
    studio.sample(model, *studio.sketch(positive, negative), steps=1)
    assert host.torch.equal(studio.sample(studio.model, *conditioning, steps=1), before)
    comfy.model_management.unload_all_models()
    assert studio.digest(studio.model) == digest


@pytest.mark.thorough
def test_a_clone_and_the_model_sampled_in_turn_have_and_have_not_the_lora(host, studio_xl_v2, whole):
    studio = studio_xl_v2
    plans = [studio.apply(whole(studio), studio.mask()), studio.apply(studio.carrier(), studio.mask())]
    alone = [studio.sample(*plan, steps=1) for plan in plans]
    for i in (0, 1, 0):
        assert host.torch.equal(studio.sample(*plans[i], steps=1), alone[i])


# --- injection beside stored states ---


def test_injection_before_and_after_apply(studio_xl, whole, pack):
    """While the reference is looked at the stored states are not; before the start they are."""
    studio, mask = studio_xl, studio_xl.mask()

    def injected(model, start=0.0):
        inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture()}
        inputs |= {"width": 64, "height": 96, "start_percent": start, "fidelity": 0.3}
        return pack.run("ColorizeAttentionInjection", model=model, **inputs)[0]

    def run(carrier, before=None, after=None):
        model, *conditioning = studio.apply(carrier, mask, model=before)
        model = model if after is None else after(model)
        return studio.sample(model, *studio.sketch(*conditioning), steps=STEPS)

    carrier = whole(studio)
    first, last = run(carrier, before=injected(studio.model)), run(carrier, after=injected)
    assert studio.difference(first, last) < SAME
    plain = run(carrier)
    assert studio.difference(first, plain) > NOTICED
    assert studio.difference(run(carrier, after=lambda model: injected(model, 1.0)), plain) < SAME
    flipped = dataclasses.replace(carrier, background_features=tuple(-s for s in carrier.background_features))
    assert studio.difference(run(flipped, after=injected), last) < SAME
