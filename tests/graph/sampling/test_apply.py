"""What Apply Colorization does to a picture: regions, injection, style, LoRA, strengths, sizes, batches."""

import contextlib
import dataclasses

import pytest

#: Relative difference that another order of the same sums makes in float32, over three steps.
SAME = 2e-5
#: Relative difference that a feature must make at least.
NOTICED = 1e-3

SIZES = [(96, 64), (200, 136), (72, 184)]


@pytest.fixture(scope="module")
def everything(studio):
    """A carrier with background and style."""
    return studio.carrier("background_image", style=True)


@pytest.fixture(scope="module")
def colour(studio):
    """A function that applies a carrier and samples."""

    def run(carrier, mask=None, noise=None, **settings):
        return studio.sample(*studio.apply(carrier, mask, **settings), noise=noise)

    return run


@contextlib.contextmanager
def zeroed(torch, modules):
    """Set the weights of modules to zero for a while."""
    weights = [parameter for module in modules for parameter in module.parameters()]
    kept = [weight.clone() for weight in weights]
    try:
        with torch.inference_mode():
            for weight in weights:
                weight.zero_()
        yield
    finally:
        with torch.inference_mode():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)


# --- every feature counts ---


def test_without_the_mask_the_picture_is_another(studio, everything, colour):
    assert studio.difference(colour(everything), colour(everything, studio.mask())) > NOTICED


def test_without_the_injected_features_the_picture_is_another(studio, everything, colour):
    mask = studio.mask()
    bare = dataclasses.replace(everything, background_features=tuple(0 * f for f in everything.background_features))
    assert studio.difference(colour(bare, mask), colour(everything, mask)) > NOTICED


def test_without_the_background_tokens_the_picture_is_another(studio, everything, colour):
    mask = studio.mask()
    bare = dataclasses.replace(everything, background_tokens=None)
    assert studio.difference(colour(bare, mask), colour(everything, mask)) > NOTICED


def test_without_the_style_the_picture_is_another(studio, everything, colour):
    mask = studio.mask()
    bare = dataclasses.replace(everything, style=())
    assert studio.difference(colour(bare, mask), colour(everything, mask)) > NOTICED


@pytest.mark.parametrize("side", ["fg", "bg"])
def test_without_the_split_lora_of_one_side_the_picture_is_another(host, studio, everything, colour, side):
    mask = studio.mask()
    whole = colour(everything, mask)
    lora = studio.colorizer.background_path.model.lora
    with zeroed(host.torch, [module for name, module in lora.named_modules() if name.endswith(side)]):
        assert studio.difference(colour(everything, mask), whole) > NOTICED
    assert host.torch.equal(colour(everything, mask), whole)


def test_the_side_of_the_lora_follows_the_region(host, studio, everything, colour):
    lora = studio.colorizer.background_path.model.lora
    sides = {side: [module for name, module in lora.named_modules() if name.endswith(side)] for side in ("fg", "bg")}
    for kind, used, unused in (("all", "fg", "bg"), ("none", "bg", "fg")):
        whole = colour(everything, studio.mask(kind))
        with zeroed(host.torch, sides[unused]):
            assert host.torch.equal(colour(everything, studio.mask(kind)), whole)
        with zeroed(host.torch, sides[used]):
            assert studio.difference(colour(everything, studio.mask(kind)), whole) > NOTICED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("foreground_strength", 0.5),
        ("background_strength", 0.5),
        ("merge", 0.5),
        ("encoder_strength", 0.0),
        ("color_strength", 0.5),
        ("semantic_strength", 0.5),
        ("reference_strength", 0.5),
        ("start_percent", 0.5),
        ("end_percent", 0.3),
    ],
)
def test_every_setting_changes_the_picture(studio, everything, colour, name, value):
    mask = studio.mask()
    assert studio.difference(colour(everything, mask, **{name: value}), colour(everything, mask)) > NOTICED


@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)
def test_one_strength_turns_all_levels_or_all_blocks(studio, everything, colour, pack):
    mask, levels = studio.mask(), ("encoder_strength", "color_strength", "semantic_strength")
    once = colour(everything, mask, reference_strength=0.5, color_strength=0.8)
    by_level = dict.fromkeys(levels, 0.5) | {"color_strength": 0.4}
    assert studio.difference(once, colour(everything, mask, **by_level)) < SAME
    full, half = (
        pack.run("ColorizeBlockStrengths", input_1=strength, middle_0=strength, output_11=strength)[0]
        for strength in (1.0, 0.5)
    )
    rest = {block: 0.5 for block in full if block not in (("input", 1), ("middle", 0), ("output", 11))}
    both = (
        colour(everything, mask, reference_strength=0.5, block_strengths=full),
        colour(everything, mask, block_strengths=half | rest),
    )
    assert studio.difference(*both) < SAME


def test_the_threshold_moves_the_edge_of_the_region(studio, everything, colour):
    soft = studio.mask() * 0.5
    at_a_quarter, at_three_quarters = (colour(everything, soft, threshold=t) for t in (0.25, 0.75))
    assert studio.difference(at_a_quarter, colour(everything, studio.mask(), threshold=0.5)) < SAME
    assert studio.difference(at_three_quarters, colour(everything, studio.mask("none"))) < SAME


# --- regions at any size ---


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.parametrize("kind", ["left", "middle", "all", "none"])
def test_a_split_between_equal_tokens_is_no_split(studio, size, kind, colour):
    carrier, noise = studio.carrier(), studio.noise(size)
    split = colour(carrier, studio.mask(kind, size), noise)
    assert studio.difference(split, colour(carrier, None, noise)) < SAME


@pytest.mark.parametrize("size", SIZES[1:], ids=lambda size: f"{size[1]}x{size[0]}")
def test_sizes_that_are_no_multiple_of_64_colour_with_everything_on(studio, size, colour):
    carrier = studio.carrier("background_image", style=True, size=size)
    for kind in ("middle", "all", "none"):
        latent = colour(carrier, studio.mask(kind, size), studio.noise(size))
        assert latent.shape == studio.noise(size).shape and latent.isfinite().all()


def test_a_whole_foreground_has_nothing_of_the_background(studio, everything, colour):
    other = dataclasses.replace(
        everything,
        background_tokens=everything.background_tokens.flip(1) * 2,
        background_features=tuple(-f for f in everything.background_features),
    )
    mask = studio.mask("all")
    assert studio.difference(colour(other, mask), colour(everything, mask)) == 0


def test_a_whole_background_has_nothing_of_the_reference(studio, everything, colour):
    other = dataclasses.replace(everything, tokens=everything.tokens.flip(1) * 2)
    mask = studio.mask("none")
    assert studio.difference(colour(other, mask), colour(everything, mask)) == 0


def test_a_large_mask_counts_as_the_same_mask_at_output_size(studio, everything, colour):
    ours = colour(everything, studio.mask("left", (768, 512)))
    assert studio.difference(ours, colour(everything, studio.mask("left"))) < SAME


@pytest.mark.parametrize("size", [(33, 71), (8, 8), (1, 1)])
def test_a_mask_of_any_size_is_taken(studio, everything, colour, size):
    assert colour(everything, studio.mask("middle", size)).isfinite().all()


# --- batches ---


def test_a_batch_is_the_same_as_one_picture_after_the_other(host, studio, everything, colour):
    mask, noise = studio.mask(), studio.noise(batch=3)
    together = colour(everything, mask, noise)
    for i in range(3):
        assert studio.difference(together[i : i + 1], colour(everything, mask, noise[i : i + 1])) < SAME


def test_each_picture_of_a_batch_has_its_own_mask(host, studio, everything, colour):
    kinds, noise = ("left", "none", "all"), studio.noise(batch=3)
    together = colour(everything, host.torch.cat([studio.mask(kind) for kind in kinds]), noise)
    for i, kind in enumerate(kinds):
        alone = colour(everything, studio.mask(kind), noise[i : i + 1])
        assert studio.difference(together[i : i + 1], alone) < SAME


def test_each_picture_of_a_batch_has_its_own_references(host, studio, colour):
    images = [studio.picture("reference", batch=2), studio.picture("background", 44, 36, batch=2)]
    common = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision}
    common |= {"height": 96, "width": 64}

    def encode(rows):
        reference, background = (image[rows] for image in images)
        (carrier,) = studio.pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, image=reference)
        (carrier,) = studio.pack.run("ColorizeEncodeStyle", carrier=carrier, image=reference, **common)
        return studio.pack.run("ColorizeEncodeBackground", carrier=carrier, image=background, **common)[0]

    noise, mask = studio.noise(batch=2), studio.mask()
    together = colour(encode(slice(0, 2)), mask, noise)
    for i in range(2):
        alone = colour(encode(slice(i, i + 1)), mask, noise[i : i + 1])
        assert studio.difference(together[i : i + 1], alone) < SAME


def test_a_wrong_number_of_masks_is_told(host, studio, everything, colour, pack):
    masks = host.torch.cat([studio.mask()] * 3)
    with pytest.raises(pack.Error, match="3 masks, but 2 images"):
        colour(everything, masks, studio.noise(batch=2))


# --- conditionings ---


def test_rows_that_run_one_at_a_time_give_the_same(studio, everything):
    import comfy.patcher_extension

    model, positive, negative = studio.apply(everything, studio.mask())
    rows = []

    def count(executor, x, *args, **kwargs):
        rows.append(len(x))
        return executor(x, *args, **kwargs)

    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "count", count)
    together = studio.sample(model, positive, negative)
    base = model.model
    usual = base.memory_usage_factor
    base.memory_usage_factor = usual * 1e7  # ComfyUI then thinks that only one row fits
    try:
        apart = studio.sample(model, positive, negative)
    finally:
        base.memory_usage_factor = usual
    assert rows == [2] * 3 + [1] * 6
    assert studio.difference(apart, together) < SAME


def test_combined_conditionings_are_the_mean_of_each(studio, pack, everything):
    model, positive, negative = studio.apply(everything, studio.mask())
    (both,) = pack.run("ConditioningCombine", conditioning_1=positive, conditioning_2=positive)
    alone = studio.sample(model, positive, negative)
    assert studio.difference(studio.sample(model, both, negative), alone) < SAME


@pytest.mark.parametrize("masked", [True, False])
def test_concatenated_conditionings_both_count(studio, pack, everything, masked):
    mask = studio.mask() if masked else None
    model, first, negative = studio.apply(everything, mask)
    _, second, _ = studio.apply(studio.carrier("background_image", reference="another"), mask)

    def concatenated(a, b):
        return pack.run("ConditioningConcat", conditioning_to=a, conditioning_from=b)[0]

    alone = studio.sample(model, first, negative)
    assert studio.difference(studio.sample(model, concatenated(first, first), negative), alone) < SAME
    both = studio.sample(model, concatenated(first, second), negative)
    assert studio.difference(both, alone) > NOTICED
    assert studio.difference(both, studio.sample(model, concatenated(second, first), negative)) < SAME


def test_a_negative_that_is_no_zero_is_attended_to(studio, everything):
    model, positive, negative = studio.apply(everything, studio.mask())
    other = [[positive[0][0].flip(1), {}]]
    ours = studio.sample(model, positive, other)
    assert studio.difference(ours, studio.sample(model, positive, negative)) > NOTICED
    swapped = studio.sample(model, positive, positive, cfg=5.0)  # guidance between equals is none
    assert studio.difference(swapped, studio.sample(model, positive, negative, cfg=1.0)) < SAME


def test_a_context_of_one_token_works(host, studio, everything):
    model, positive, _ = studio.apply(everything, studio.mask())
    single = [[host.torch.ones(1, 1, 1024), {}]]
    assert studio.sample(model, single, positive).isfinite().all()


@pytest.mark.parametrize("node", ["ConditioningSetArea", "ConditioningSetAreaPercentage", "ConditioningSetMask"])
def test_conditioning_for_a_part_of_the_picture_works(studio, pack, everything, node):
    areas = {
        "ConditioningSetArea": {"width": 40, "height": 64, "x": 8, "y": 16, "strength": 1.0},
        "ConditioningSetAreaPercentage": {"width": 0.5, "height": 0.5, "x": 0.25, "y": 0.25, "strength": 1.0},
        "ConditioningSetMask": {"mask": studio.mask("top"), "strength": 1.0, "set_cond_area": "mask bounds"},
    }
    model, positive, negative = studio.apply(everything, studio.mask())
    (part,) = pack.run(node, conditioning=positive, **areas[node])
    (both,) = pack.run("ConditioningCombine", conditioning_1=positive, conditioning_2=part)
    latent = studio.sample(model, *studio.sketch(both, negative))
    assert latent.isfinite().all()
    assert studio.difference(latent, studio.sample(model, *studio.sketch(positive, negative))) > 0


def test_outside_the_window_the_tokens_are_zeros_and_style_and_injection_stay(host, studio, everything):
    mask = studio.mask()
    model, positive, negative = studio.apply(everything, mask)
    zeros = studio.sample(model, negative, negative)
    outside, positive, negative = studio.apply(everything, mask, start_percent=1.0, end_percent=1.0)
    assert studio.difference(studio.sample(outside, positive, negative, steps=3), zeros) < SAME


@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)
@pytest.mark.parametrize("masked", [True, False])
def test_the_window_is_the_one_of_apply_control_net(studio, everything, masked):
    """Tokens that count from the first step to p, and zeros from p on, in one run of steps on either side of p."""
    mask = studio.mask() if masked else None
    model, positive, negative = studio.apply(everything, mask)
    windowed = studio.apply(everything, mask, end_percent=0.5)
    pack = studio.pack
    (early,) = pack.run("ConditioningSetTimestepRange", conditioning=positive, start=0.0, end=0.5)
    (late,) = pack.run("ConditioningSetTimestepRange", conditioning=negative, start=0.5, end=1.0)
    (both,) = pack.run("ConditioningCombine", conditioning_1=early, conditioning_2=late)
    assert studio.difference(studio.sample(*windowed, steps=4), studio.sample(model, both, negative, steps=4)) < SAME
