"""What Apply Colorization and the encoders make of versions 1 and 1.5 beyond the golden data."""

import dataclasses

import pytest

SAME, NOTICED = 2e-5, 1e-3
VERSIONS = pytest.mark.parametrize("studio", ["switch", "mult"], indirect=True)
SWITCH = pytest.mark.parametrize("studio", ["switch"], indirect=True)
OTHERS = pytest.mark.parametrize("studio", ["v2", "mult"], indirect=True)


def coloured(studio, carrier, mask=None, **settings):
    return studio.sample(*studio.apply(carrier, mask, **settings), steps=1)


# --- the form of the split ---


@SWITCH
@pytest.mark.parametrize("form", ["both", "trained"])
def test_a_form_that_needs_a_background_says_so(studio, pack, form):
    carrier = studio.carrier()
    with pytest.raises(pack.Error, match=f"`split_form` is {form}, which needs a background: wire Encode Background"):
        studio.apply(carrier, studio.mask(), split_form=form)
    plain = coloured(studio, carrier)
    assert studio.difference(coloured(studio, carrier, split_form=form), plain) == 0, "without a mask there is no split"


@SWITCH
def test_each_form_is_a_picture_of_its_own(studio):
    carrier = studio.carrier("background_image")
    published, both, trained = (
        coloured(studio, carrier, studio.mask(), split_form=form) for form in ("published", "both", "trained")
    )
    for one, other in ((published, both), (both, trained), (trained, published)):
        assert studio.difference(one, other) > NOTICED


@OTHERS
def test_other_versions_do_not_look_at_the_form(studio):
    for background in (None, "background_image"):
        carrier = studio.carrier(background)
        published, both = (coloured(studio, carrier, studio.mask(), split_form=form) for form in ("published", "both"))
        assert studio.torch.equal(published, both)


# --- what is foreground ---


@pytest.mark.parametrize(("studio", "reached"), [("mult", True), ("switch", False), ("v2", False)], indirect=["studio"])
def test_the_threshold_is_reached_in_version_1_and_passed_in_the_others(studio, reached):
    carrier, half = studio.carrier("background_image"), studio.torch.full((1, 96, 64), 0.5)
    # The tokens of 1.5 are told the threshold as well.
    kept = {"threshold": 0.5}
    whole, none = (coloured(studio, carrier, studio.mask(kind), **kept) for kind in ("all", "none"))
    at, expected, other = coloured(studio, carrier, half, **kept), *((whole, none) if reached else (none, whole))
    assert studio.difference(at, expected) < SAME and studio.difference(at, other) > NOTICED


# --- carriers ---


@VERSIONS
def test_a_style_is_what_these_versions_have_not(studio, pack):
    inputs = {"carrier": studio.carrier(), "colorizer": studio.colorizer, "vae": studio.vae, "width": 64, "height": 96}
    with pytest.raises(pack.Error, match=r"which has no style encoder: wire the carrier past Encode Style") as caught:
        pack.run("ColorizeEncodeStyle", clip_vision=studio.clip_vision, image=studio.picture(), **inputs)
    assert studio.colorizer.version.name in str(caught.value) and studio.colorizer.file_name in str(caught.value)


@pytest.fixture(scope="module")
def plain_carrier(pack, load_v1):
    """Return a function that encodes an IMAGE without a COLORIZER."""
    clip_vision = load_v1("mult")[4]
    return lambda image: pack.run("ColorizeEncodeReference", clip_vision=clip_vision, image=image)[0]


@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)
def test_tokens_of_the_image_tower_alone_fit_every_one_of_these_versions(studio, plain_carrier, pack):
    carrier = plain_carrier(studio.picture())
    assert (carrier.version, carrier.checkpoint) == (None, None)
    own = pack.run(
        "ColorizeEncodeReference",
        clip_vision=studio.clip_vision,
        image=studio.picture(),
        colorizer=studio.colorizer,
    )[0]
    assert studio.torch.equal(own.tokens, carrier.tokens) and own.version is None
    assert studio.torch.equal(coloured(studio, carrier, studio.mask()), coloured(studio, own, studio.mask()))


@VERSIONS
def test_a_background_of_another_checkpoint_is_refused(studio, pack, host, tiny_checkpoint, load_v1):
    carrier = studio.carrier("background_image")
    loader = {"ckpt_name": tiny_checkpoint.name}
    others = [pack.run("ColorizeCheckpointLoader", **loader), load_v1("mult"), load_v1("switch")]
    for loaded in others:
        other = type(studio)(host, pack, loaded)
        if other.colorizer.checkpoint != studio.colorizer.checkpoint:
            with pytest.raises(
                pack.Error, match="background or style was encoded with another checkpoint than"
            ) as told:
                other.apply(carrier, other.mask())
            assert other.colorizer.file_name in str(told.value)


@VERSIONS
@pytest.mark.parametrize("detail", ["own", "2x"])
@pytest.mark.parametrize("source", ["background_image", "bleached_reference"])
def test_a_saved_carrier_colours_the_same(studio, pack, tmp_path, detail, source):
    """In 1.5 a bleached reference has the learned tokens' count, whatever the reference's."""
    files = pack.module("colorize_core.carrier.carrier_file")
    common = {"clip_vision": studio.clip_vision, "detail": detail}
    carrier, friend = (
        pack.run("ColorizeEncodeReference", image=studio.picture(name), **common)[0] for name in ("reference", "friend")
    )
    (carrier,) = pack.run(
        "ColorizeEncodeBackground",
        carrier=carrier,
        colorizer=studio.colorizer,
        vae=studio.vae,
        clip_vision=studio.clip_vision,
        image=studio.picture("background"),
        width=64,
        height=96,
        source=source,
    )
    (carrier,) = pack.run("ColorizeAddRegion", carrier=carrier, region=friend, mask=studio.mask("top"))
    tokens = {"own": 16, "2x": 64}[detail]
    gathered = source == "bleached_reference" and studio.colorizer.version.id == "v1.5"
    assert carrier.tokens.shape[1] == tokens
    assert carrier.background_tokens.shape[1] == (16 if gathered else tokens)
    path = tmp_path / f"hero{files.SUFFIX}"
    files.write_carrier(carrier, path)
    loaded = files.read_carrier(path)
    assert dataclasses.replace(loaded, tokens=None, class_token=None, background_tokens=None, regions=()) == (
        dataclasses.replace(carrier, tokens=None, class_token=None, background_tokens=None, regions=())
    )
    form = {"split_form": "both"} if gathered else {}
    before, after = (coloured(studio, each, studio.mask(), **form) for each in (carrier, loaded))
    assert studio.torch.equal(before, after)


# --- what a file may lack ---


@SWITCH
@pytest.mark.parametrize("missing", ["_up_bg", ".lora_"])
def test_lora_that_a_file_lacks_counts_as_zero(studio, pack, host, golden_keys, golden_weights, missing):
    tensors = golden_weights(golden_keys("switch-tiny"), 0)
    load = pack.module("colorize_core.host.family.checkpoint").load_tensors
    gone = {name for name in tensors if ".lora_" in name and missing in name}
    zero = {name: tensor * 0 if name in gone else tensor for name, tensor in tensors.items()}
    latents = []
    for given in ({name: tensor for name, tensor in tensors.items() if name not in gone}, zero):
        own = type(studio)(host, pack, load(given, "switch.safetensors"))
        latents.append(coloured(own, own.carrier("background_image"), own.mask(), split_form="trained"))
    usual = coloured(studio, studio.carrier("background_image"), studio.mask(), split_form="trained")
    assert studio.difference(*latents) < SAME and studio.difference(latents[0], usual) > NOTICED


@VERSIONS
def test_the_older_layout_colours_the_same(studio, pack, host, golden_keys, golden_weights):
    layout = "switch-tiny" if studio.colorizer.version.id == "v1.5" else "mult-tiny"
    older = {
        name.replace("control_encoder.", "model.diffusion_model.semantic_input_blocks."): tensor
        for name, tensor in golden_weights(golden_keys(layout), 0).items()
    }
    older["betas"] = host.torch.zeros(1000)
    loaded = pack.module("colorize_core.host.family.checkpoint").load_tensors(older, "old.safetensors")
    own = type(studio)(host, pack, tuple(loaded))
    latents = [
        each.sample(model, *each.sketch(positive, negative), steps=1)
        for each in (own, studio)
        for model, positive, negative in [each.apply(each.carrier())]
    ]
    assert own.colorizer.checkpoint == studio.colorizer.checkpoint and host.torch.equal(*latents)
