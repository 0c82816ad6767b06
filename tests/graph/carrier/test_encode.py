"""What the encode nodes make of pictures; their numbers are tested against the golden data elsewhere."""

import gc

import pytest

SAME = 2e-5
NOTICED = 1e-3
SIZE = {"width": 64, "height": 96}


@pytest.fixture
def encode(studio):
    """A function that runs an encode node, `Background` or `Style`, on a carrier."""

    def run(what, carrier, image, **inputs):
        common = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision, **SIZE}
        return studio.pack.run(f"ColorizeEncode{what}", carrier=carrier, image=image, **(common | inputs))[0]

    return run


@pytest.fixture
def reference(studio):
    """A function that encodes a reference."""
    return lambda image: studio.pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, image=image)[0]


def tensors_of(carrier):
    own = [carrier.tokens, carrier.class_token, *carrier.background_features, *carrier.style]
    return [*own, carrier.background_tokens] if carrier.background_tokens is not None else own


def assert_same(studio, ours, others):
    for a, b in zip(tensors_of(ours), tensors_of(others), strict=True):
        assert studio.difference(a, b) < SAME


def test_a_reference_becomes_a_token_a_patch(studio):
    carrier = studio.carrier()
    assert carrier.tokens.shape == (1, 16, 1024) and carrier.class_token.shape == (1, 1, 1024)
    assert not carrier.has_background and not carrier.style and carrier.checkpoint is None


def test_a_background_and_a_style_have_one_entry_an_output_block(studio):
    carrier = studio.carrier("background_image", style=True)
    widths = [256, 256, 256, 256, 256, 128, 128, 128, 64, 64, 64, 64]
    assert len(carrier.background_features) == len(carrier.style) == 12
    assert [f.shape[-1] for f in carrier.background_features][-3:] == widths[-3:]
    assert [f.shape[1] for f in carrier.background_features] == [2, 2, 2, 6, 6, 6, 24, 24, 24, 96, 96, 96]
    assert carrier.checkpoint == studio.colorizer.checkpoint


def test_everything_is_float32_on_the_intermediate_device_and_without_gradients(host, studio):
    import comfy.model_management

    for tensor in tensors_of(studio.carrier("background_image", style=True)):
        assert tensor.dtype == host.torch.float32
        assert tensor.device == comfy.model_management.intermediate_device()
        assert not tensor.requires_grad


def test_a_node_gives_a_new_carrier_and_leaves_the_one_it_was_given(studio, encode):
    first = studio.carrier()
    before = [tensor.clone() for tensor in tensors_of(first)]
    second = encode("Background", first, studio.picture("background"))
    third = encode("Style", second, studio.picture())
    assert (first.has_background, second.has_background, third.has_background) == (False, True, True)
    assert (len(first.style), len(second.style), len(third.style)) == (0, 0, 12)
    assert all(studio.difference(a, b) == 0 for a, b in zip(tensors_of(first), before, strict=True))


def test_encoding_again_takes_the_place_of_what_was_there(studio, encode):
    first = studio.carrier()
    twice = encode("Background", encode("Background", first, studio.picture("one")), studio.picture("two"))
    assert_same(studio, twice, encode("Background", first, studio.picture("two")))
    twice = encode("Style", encode("Style", first, studio.picture("one")), studio.picture("two"))
    assert_same(studio, twice, encode("Style", first, studio.picture("two")))


@pytest.mark.parametrize("batch", [2, 5])
def test_several_pictures_are_encoded_as_each_alone(studio, encode, reference, batch):
    images = {name: studio.picture(name, batch=batch) for name in ("reference", "background")}

    def both(rows):
        carrier = encode("Style", reference(images["reference"][rows]), images["reference"][rows])
        return encode("Background", carrier, images["background"][rows])

    together = both(slice(None))
    for i in range(batch):
        alone = both(slice(i, i + 1))
        for a, b in zip(tensors_of(together), tensors_of(alone), strict=True):
            assert a.shape[0] == batch
            assert studio.difference(a[i : i + 1], b) < SAME


def test_one_background_serves_several_references_and_the_other_way_round(studio, encode, reference):
    many, one = studio.picture("many", batch=3), studio.picture("one")
    for image, background in ((many, one), (one, many)):
        carrier = encode("Background", reference(image), background)
        _, positive, negative = studio.apply(carrier, studio.mask())
        assert positive[0][0].shape == negative[0][0].shape == (3, 32, 1024)


def test_strength_scales_the_features_and_nothing_else(studio, encode):
    whole, half = (encode("Background", studio.carrier(), studio.picture("background"), strength=s) for s in (1.0, 0.5))
    assert studio.difference(half.background_tokens, whole.background_tokens) == 0
    for a, b in zip(half.background_features, whole.background_features, strict=True):
        assert studio.difference(a, 0.5 * b) < SAME


def test_the_source_picks_the_encoders_context(studio, encode):
    carrier, image = studio.carrier(), studio.picture("background")
    own, bleached = (encode("Background", carrier, image, source=s) for s in ("background_image", "bleached_reference"))
    assert studio.difference(own.background_tokens, bleached.background_tokens) == 0
    assert studio.difference(own.background_features[3], bleached.background_features[3]) > NOTICED


def test_after_a_style_with_a_background_the_background_takes_the_references_tokens(studio, encode):
    carrier, image = studio.carrier(), studio.picture("background")
    styled = encode("Style", carrier, studio.picture(), background=image, merge=0.25)
    expected = encode("Background", carrier, image, source="bleached_reference")
    ours = encode("Background", styled, image, source="background_image")
    for a, b in zip(ours.background_features, expected.background_features, strict=True):
        assert studio.difference(a, b) < SAME


def test_a_bleached_reference_counts_with_the_size_of_its_reference(studio, encode):
    carrier, image = studio.carrier(), studio.picture("background", 44, 36)
    alone, same, other = (
        encode("Background", carrier, image, source="bleached_reference", **extra)
        for extra in ({}, {"reference": studio.picture("x", 44, 36)}, {"reference": studio.picture("x", 88, 200)})
    )
    assert studio.difference(same.background_features[0], alone.background_features[0]) == 0
    assert studio.difference(other.background_features[0], alone.background_features[0]) > NOTICED


def test_merge_mixes_the_styles(studio, encode):
    carrier, image, background = studio.carrier(), studio.picture(), studio.picture("background")
    own, others = encode("Style", carrier, image), encode("Style", carrier, background)
    for merge in (0.0, 0.3, 1.0):
        mixed = encode("Style", carrier, image, background=background, merge=merge)
        for m, a, b in zip(mixed.style, own.style, others.style, strict=True):
            assert studio.difference(m, (1 - merge) * a + merge * b) < SAME
        assert mixed.style_has_background


def test_transparent_parts_lie_on_white_paper_and_grey_is_rgb(host, studio, reference):
    torch = host.torch
    rgb, alpha = studio.picture(), studio.picture("alpha", channels=1)
    assert_same(studio, reference(torch.cat([rgb, alpha], dim=-1)), reference(rgb * alpha + 1 - alpha))
    grey = rgb[..., :1]
    assert_same(studio, reference(grey), reference(grey.expand(-1, -1, -1, 3)))


def test_values_beyond_0_and_1_count_as_0_and_1(studio, reference):
    image = studio.picture() * 3 - 1
    assert_same(studio, reference(image), reference(image.clamp(0, 1)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (7, 3), (513, 401)])
def test_pictures_of_any_size_are_encoded(studio, encode, reference, height, width):
    image = studio.picture("odd", height, width)
    carrier = encode("Style", encode("Background", reference(image), image), image)
    assert all(tensor.isfinite().all() for tensor in tensors_of(carrier))


@pytest.mark.parametrize("size", [(8, 8), (136, 200), (72, 1032)])
def test_outputs_of_any_multiple_of_8_are_encoded_for(studio, encode, size):
    width, height = size
    carrier = encode("Background", studio.carrier(), studio.picture("background"), width=width, height=height)
    assert carrier.background_features[-1].shape[1] == width * height // 64


def test_a_carrier_for_one_size_colours_another(studio):
    carrier = studio.carrier("background_image", style=True, size=(96, 64))
    size = (64, 128)
    assert studio.sample(*studio.apply(carrier, studio.mask("left", size)), studio.noise(size)).isfinite().all()


def test_progress_is_told_and_comes_to_an_end(studio, encode, progress):
    carrier = studio.carrier()
    progress.clear()
    encode("Background", carrier, studio.picture("background", batch=1))
    assert (1, 12) in progress and progress[-1] == (12, 12)
    assert all(value <= total for value, total in progress)


@pytest.mark.parametrize("what", ["Reference", "Background", "Style"])
def test_cancelling_stops_the_encoding_and_leaves_no_flag(host, studio, encode, reference, what):
    import comfy.model_management

    carrier, image = studio.carrier(), studio.picture(batch=6)
    host.nodes.interrupt_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        reference(image) if what == "Reference" else encode(what, carrier, image)
    comfy.model_management.throw_exception_if_processing_interrupted()
    assert reference(image).tokens.isfinite().all()


def test_encoders_are_loaded_by_comfyui_and_can_be_unloaded(studio, encode):
    import comfy.model_management

    before = encode("Style", studio.carrier(), studio.picture())
    assert studio.colorizer.style_encoder in [m.model for m in comfy.model_management.current_loaded_models]
    comfy.model_management.unload_all_models()
    gc.collect()
    assert_same(studio, encode("Style", studio.carrier(), studio.picture()), before)


def test_the_same_picture_gives_the_same_carrier_twice(studio):
    """The VAE's posterior is not sampled."""
    first, second = (studio.carrier("background_image", style=True) for _ in range(2))
    assert all(studio.difference(a, b) == 0 for a, b in zip(tensors_of(first), tensors_of(second), strict=True))
