"""Wrong input to the encode and apply nodes: a sentence that names the input, never a bare shape error."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

IMAGES = {
    "five channels": (lambda torch: torch.rand(1, 8, 8, 5), r"channels"),
    "channels first": (lambda torch: torch.rand(1, 3, 8, 8), r"\[1, 3, 8, 8\].*channels"),
    "no batch": (lambda torch: torch.rand(8, 8, 3), r"\[8, 8, 3\].*\[batch, height, width, channels\]"),
    "empty batch": (lambda torch: torch.rand(0, 8, 8, 3), r"empty"),
    "no width": (lambda torch: torch.rand(1, 8, 0, 3), r"empty"),
    "nan": (lambda torch: torch.full((1, 8, 8, 3), float("nan")), r"NaN"),
    "infinite": (lambda torch: torch.full((1, 8, 8, 3), float("inf")), r"infinite"),
}

MASKS = {
    "an image": (lambda torch: torch.rand(1, 8, 8, 3), r"`sketch_mask`.*\[1, 8, 8, 3\]"),
    "empty batch": (lambda torch: torch.rand(0, 8, 8), r"`sketch_mask` is empty"),
    "no width": (lambda torch: torch.rand(1, 8, 0), r"`sketch_mask` is empty"),
    "one dimension": (lambda torch: torch.rand(8), r"`sketch_mask`.*\[8\]"),
    "nan": (lambda torch: torch.full((1, 8, 8), float("nan")), r"`sketch_mask`.*NaN"),
}


@pytest.fixture(scope="module")
def plain(studio):
    return studio.carrier()


@pytest.fixture(scope="module")
def encode(studio):
    """A function that runs an encode node: `Reference`, `Background` or `Style`."""

    def run(what, image, carrier=None, **inputs):
        if what == "Reference":
            return studio.pack.run(
                "ColorizeEncodeReference", **({"clip_vision": studio.clip_vision} | inputs), image=image
            )
        common = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision}
        common |= {"width": 64, "height": 96}
        return studio.pack.run(f"ColorizeEncode{what}", carrier=carrier, image=image, **(common | inputs))

    return run


# --- pictures ---


@pytest.mark.parametrize("what", ["Reference", "Background", "Style"])
@pytest.mark.parametrize("kind", IMAGES)
def test_what_is_no_picture_is_named(host, pack, encode, plain, what, kind):
    make, message = IMAGES[kind]
    with pytest.raises(pack.Error, match=f"(?s)`image`.*{message}"):
        encode(what, make(host.torch), plain)


@pytest.mark.parametrize("kind", IMAGES)
def test_what_is_no_picture_is_named_on_the_optional_inputs(host, pack, studio, encode, plain, kind):
    make, message = IMAGES[kind]
    for merge in (0.0, 0.5):
        with pytest.raises(pack.Error, match=f"(?s)`background`.*{message}"):
            encode("Style", studio.picture(), plain, background=make(host.torch), merge=merge)
    with pytest.raises(pack.Error, match=f"(?s)`reference`.*{message}"):
        encode("Background", studio.picture(), plain, reference=make(host.torch), source="bleached_reference")


@pytest.mark.parametrize("what", ["Background", "Style"])
def test_batches_that_do_not_go_together_are_counted(pack, studio, encode, what):
    with pytest.raises(pack.Error, match="`reference` holds 2 pictures and `image` holds 3"):
        encode(what, studio.picture(batch=3), studio.carrier(batch=2))


def test_a_background_of_a_style_that_does_not_go_with_the_image_is_counted(pack, studio, encode, plain):
    with pytest.raises(pack.Error, match="`image` holds 2 pictures and `background` holds 3"):
        encode("Style", studio.picture(batch=2), plain, background=studio.picture(batch=3), merge=0.5)


@pytest.mark.parametrize("what", ["Background", "Style"])
@pytest.mark.parametrize(("width", "height"), [(100, 64), (64, 100), (68, 68)])
def test_a_size_that_the_latent_grid_does_not_divide_is_named(pack, studio, encode, plain, what, width, height):
    with pytest.raises(pack.Error, match=f"`width`×`height` is {width}×{height}; expected multiples of 8"):
        encode(what, studio.picture(), plain, width=width, height=height)


@settings(max_examples=40)
@given(shape=st.lists(st.integers(0, 6), min_size=0, max_size=5), what=st.sampled_from(["Reference", "Background"]))
def test_any_shape_is_either_encoded_or_named(host, pack, encode, plain, shape, what):
    image = host.torch.rand(shape)
    try:
        (carrier,) = encode(what, image, plain)
    except pack.Error as error:
        assert "`image`" in str(error) and (str(list(shape)) in str(error) or "empty" in str(error))
    else:
        assert len(shape) == 4 and carrier.tokens.isfinite().all()


@pytest.mark.parametrize("where", ["cond_stage_model.visual.model.proj", "bg_encoder.zero_layers.3.bias"])
def test_encoders_that_make_no_numbers_are_named(pack, studio, tiny_tensors, encode, where):
    tensors = {**tiny_tensors, where: tiny_tensors[where] * float("nan")}
    broken = pack.module("colorize_core.host.family.checkpoint").load_tensors(tensors, "nan-v2.safetensors")
    name = "clip_vision" if where.startswith("cond") else "colorizer"
    with pytest.raises(pack.Error, match=f"`{name}` makes NaN or infinite values.*--fp32-"):
        (carrier,) = encode("Reference", studio.picture(), clip_vision=broken.clip_vision)
        encode("Background", studio.picture(), carrier, colorizer=broken.colorizer)


# --- masks ---


@pytest.mark.parametrize("kind", MASKS)
def test_what_is_no_mask_is_named(host, pack, studio, plain, kind):
    make, message = MASKS[kind]
    with pytest.raises(pack.Error, match=f"(?s){message}"):
        studio.apply(plain, make(host.torch))


@settings(max_examples=60)
@given(shape=st.lists(st.integers(0, 9), min_size=0, max_size=5))
def test_a_mask_of_any_shape_is_either_taken_or_named(host, pack, studio, plain, shape):
    try:
        studio.apply(plain, host.torch.rand(shape))
    except pack.Error as error:
        assert "`sketch_mask`" in str(error)


@pytest.mark.parametrize("kind", MASKS)
def test_bleaching_names_what_is_no_mask(host, pack, studio, kind):
    make, message = MASKS[kind]
    with pytest.raises(pack.Error, match=f"(?s){message.replace('sketch_mask', 'mask')}"):
        pack.run("ColorizeBleach", image=studio.picture(), mask=make(host.torch))


def test_a_mask_batch_that_does_not_go_with_the_pictures_is_told(host, pack, studio, plain):
    with pytest.raises(pack.Error, match="holds 2 masks, but 3 images are sampled together"):
        masks = host.torch.cat([studio.mask("left"), studio.mask("top")])
        studio.sample(*studio.apply(plain, masks), studio.noise(batch=3))


# --- what does not belong together ---


@pytest.mark.parametrize("what", ["Reference", "Background", "Style"])
def test_an_empty_clip_vision_says_which_one_to_load(pack, studio, encode, plain, what):
    with pytest.raises(pack.Error, match=r"`clip_vision` is empty.*CLIP-ViT-H-14-laion2B-s32B-b79K.*Load CLIP Vision"):
        encode(what, studio.picture(), plain, clip_vision=None)


def test_a_clip_vision_of_another_width_is_named_where_the_colorizer_is_known(pack, studio, encode, narrow, plain):
    (carrier,) = encode("Reference", studio.picture(), clip_vision=narrow.clip_vision)
    message = "tokens have 768 channels, but .* takes 1024.*CLIP-ViT-H-14-laion2B-s32B-b79K"
    with pytest.raises(pack.Error, match=message):
        studio.apply(carrier)
    for what in ("Background", "Style"):
        with pytest.raises(pack.Error, match=message):
            encode(what, studio.picture(), carrier)
        with pytest.raises(pack.Error, match=r"`clip_vision` gives 16 tokens of 768 channels.*Encode Reference"):
            encode(what, studio.picture(), plain, clip_vision=narrow.clip_vision)


def test_an_image_tower_without_a_projection_is_named(pack, studio, encode, dino_tower):
    with pytest.raises(pack.Error, match="`clip_vision` is an image tower without a projection"):
        encode("Reference", studio.picture(), clip_vision=dino_tower)


@pytest.mark.parametrize("what", ["Background", "Style"])
def test_a_vae_of_another_kind_is_named(host, pack, studio, encode, plain, wide_vae, what):
    with pytest.raises(pack.Error, match=r"`vae` makes latents of shape \(1, 16, 12, 8\); expected \(1, 4, 12, 8\)"):
        encode(what, studio.picture(), plain, vae=wide_vae)


def test_a_carrier_of_another_file_is_named(pack, studio, encode, foreign):
    carrier = studio.carrier("background_image")
    other = {"colorizer": foreign.colorizer}
    with pytest.raises(pack.Error, match=r"carrier's background or style.*another checkpoint than other-v2"):
        pack.run("ColorizeApply", model=foreign.model, carrier=carrier, **other)
    for what in ("Background", "Style"):
        with pytest.raises(pack.Error, match="another checkpoint"):
            encode(what, studio.picture(), carrier, **other)


def test_a_colorizer_of_another_file_than_the_model_is_named(pack, studio, foreign, plain):
    with pytest.raises(pack.Error, match=r"`model` comes from another checkpoint than `colorizer` \(other-v2"):
        pack.run("ColorizeApply", model=studio.model, colorizer=foreign.colorizer, carrier=plain)


def test_a_colorizer_of_another_size_than_the_model_is_named(pack, studio, narrow, encode):
    (carrier,) = encode("Reference", studio.picture(), clip_vision=narrow.clip_vision)
    with pytest.raises(pack.Error, match="`model`"):
        pack.run("ColorizeApply", model=studio.model, colorizer=narrow.colorizer, carrier=carrier)


def test_a_model_of_another_size_from_elsewhere_is_named(pack, studio, narrow, plain):
    """A MODEL that no loader of ours made says nothing of its file."""
    model = narrow.model.clone()
    model.attachments.clear()
    with pytest.raises(pack.Error, match=r"`model` is 64 channels wide and attends to tokens of 768.*64 and 1024"):
        pack.run("ColorizeApply", model=model, colorizer=studio.colorizer, carrier=plain)


def test_a_model_of_another_kind_is_named(host, pack, studio, plain):
    import comfy.model_patcher

    model = comfy.model_patcher.ModelPatcher(
        host.torch.nn.Linear(1, 1), load_device=host.torch.device("cpu"), offload_device=host.torch.device("cpu")
    )
    with pytest.raises(pack.Error, match=r"`model` is a Linear; expected the UNet of tiny-v2\.safetensors"):
        pack.run("ColorizeApply", model=model, colorizer=studio.colorizer, carrier=plain)


def test_a_model_of_the_file_itself_saved_and_loaded_elsewhere_is_taken(pack, studio, plain):
    model = studio.model.clone()
    model.attachments.clear()
    studio.sample(*studio.apply(plain, model=model), steps=1)


def test_a_carrier_whose_parts_were_torn_apart_is_no_concern_of_the_patch(studio):
    """Background tokens without features: a split, and nothing injected."""
    carrier = dataclasses.replace(studio.carrier("background_image"), background_features=())
    model, positive, negative = studio.apply(carrier, studio.mask())
    assert studio.sample(model, positive, negative).isfinite().all()
