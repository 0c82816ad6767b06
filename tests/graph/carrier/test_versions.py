"""Wires between versions: what does not go together is said by name, and an XL carrier's file keeps what it is."""

import dataclasses

import pytest

MARGIN = {"width": 64, "height": 96}


@pytest.fixture(scope="module")
def other_xl(studios_xl, pack, base_directory):
    """A studio of another checkpoint of XL's base layout, of which the studio of tests has the same image encoders."""
    from safetensors.torch import load_file

    usual = studios_xl("base")
    tensors = load_file(str(base_directory / "models" / "checkpoints" / "tiny-xl-base.safetensors"))
    changed = {name: tensor * 0.5 if name.startswith("proj.") else tensor for name, tensor in tensors.items()}
    load = pack.module("colorize_core.host.family.checkpoint").load_tensors
    return type(usual)(usual.host, pack, load(changed, "sdxl-other.safetensors"))


def encode(studio, node, carrier, **inputs):
    common = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision, **MARGIN}
    return studio.pack.run(node, carrier=carrier, image=studio.picture(), **common, **inputs)[0]


# --- which carrier goes with which checkpoint ---


@pytest.mark.parametrize("node", ["ColorizeApply", "ColorizeEncodeBackground", "ColorizeEncodeStyle"])
@pytest.mark.parametrize(
    ("carriers", "colorizers"), [("xl", "v2"), ("v2", "xl"), ("xl", "xl v2-style"), ("xl", "another xl")]
)
def test_a_carrier_of_another_version_or_checkpoint(studio, studios_xl, other_xl, pack, node, carriers, colorizers):
    by_name = {"v2": studio, "xl": studios_xl("base"), "xl v2-style": studios_xl("v2"), "another xl": other_xl}
    carrier, target = by_name[carriers].carrier(), by_name[colorizers]
    with pytest.raises(pack.Error) as caught:
        target.apply(carrier) if node == "ColorizeApply" else encode(target, node, carrier)
    message = str(caught.value)
    assert target.colorizer.file_name in message and "COLORIZER" in message
    if colorizers == "another xl":
        assert "The carrier's reference was encoded with another checkpoint" in message
    else:
        assert by_name[carriers].colorizer.version.short_name in message and target.colorizer.version.name in message


def test_a_region_of_another_version_or_checkpoint(studio, studios_xl, other_xl, pack):
    base = studios_xl("base")
    carriers = {each: each.carrier() for each in (studio, base, studios_xl("v2"), other_xl)}
    for first, second in ((base, studio), (studio, base), (base, studios_xl("v2")), (base, other_xl)):
        inputs = {"carrier": carriers[first], "region": carriers[second], "mask": studio.mask()}
        with pytest.raises(pack.Error, match="region") as caught:
            pack.run("ColorizeAddRegion", **inputs)
        assert "version" in str(caught.value) or "checkpoint" in str(caught.value)


def test_a_model_of_another_version(studio, studios_xl, pack):
    base, v2_style = studios_xl("base"), studios_xl("v2")
    for target, model in ((studio, base.model), (base, studio.model), (base, v2_style.model), (v2_style, base.model)):
        with pytest.raises(pack.Error, match=r"`model`.*Load Colorize Checkpoint"):
            target.apply(target.carrier(), model=model)


# --- encoders ---


def test_a_tagger_with_v2(studio, studios_xl, pack):
    """It has no use for one, whether the tagger is wired with its COLORIZER or without."""
    tagger = studios_xl("base").colorizer.tagger
    inputs = {"clip_vision": studio.clip_vision, "image": studio.picture(), "tagger": tagger}
    with pytest.raises(pack.Error, match="`tagger` is wired, but `colorizer` is not"):
        pack.run("ColorizeEncodeReference", **inputs)
    with pytest.raises(pack.Error, match=r"`tagger` is wired, but tiny-v2\.safetensors is ColorizeDiffusion v2"):
        pack.run("ColorizeEncodeReference", **inputs, colorizer=studio.colorizer)
    with pytest.raises(pack.Error, match=r"`tagger` is wired, but tiny-v2\.safetensors is ColorizeDiffusion v2"):
        encode(studio, "ColorizeEncodeBackground", studio.carrier(), tagger=tagger)


def test_a_colorizer_with_v2_changes_nothing(host, studio, pack):
    inputs = {"clip_vision": studio.clip_vision, "image": studio.picture()}
    (carrier,) = pack.run("ColorizeEncodeReference", **inputs, colorizer=studio.colorizer)
    assert host.torch.equal(carrier.tokens, studio.carrier().tokens) and carrier.class_token is not None
    assert (carrier.checkpoint, carrier.version) == (None, None)


def test_a_tower_or_a_tagger_of_another_width(studio, studios_xl, pack, dino_tower):
    base = studios_xl("base")
    inputs = {"image": base.picture(), "colorizer": base.colorizer}
    wrong = rf"`clip_vision` gives features of {studio.carrier().tokens.shape[-1]} channels.*ViT-bigG"
    with pytest.raises(pack.Error, match=wrong):
        pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, **inputs)
    with pytest.raises(pack.Error, match="without a projection"):
        pack.run("ColorizeEncodeReference", clip_vision=dino_tower, **inputs)


def test_the_v2_style_model_needs_the_sketch_mask(studios_xl, pack):
    studio = studios_xl("v2")
    with pytest.raises(pack.Error, match=r"`sketch_mask` is empty.*wire the mask"):
        encode(studio, "ColorizeEncodeBackground", studio.carrier())
    base = studios_xl("base")
    assert not encode(base, "ColorizeEncodeBackground", base.carrier()).has_background


def test_the_masks_of_a_background_count_and_may_be_of_any_size(studios_xl):
    studio = studios_xl("v2")
    states = []
    for mask, more in (
        (studio.mask("left"), {}),
        (studio.mask("left", (960, 640)), {}),
        (studio.mask("top"), {}),
        (studio.mask("left"), {"image_mask": studio.mask("middle", (50, 30))}),
        (studio.mask("left"), {"image_mask": studio.mask("none", (50, 30))}),
    ):
        inputs = {"sketch_mask": mask, **more}
        states.append(encode(studio, "ColorizeEncodeBackground", studio.carrier(), **inputs).background_features[-1])
    usual, large, other, painted, empty = states
    assert studio.difference(large, usual) < 1e-5 and studio.difference(empty, usual) == 0
    assert studio.difference(other, usual) > 1e-3 and studio.difference(painted, usual) > 1e-3


def test_style_and_text_are_what_xl_has_not(studio_xl, pack):
    studio = studio_xl
    with pytest.raises(pack.Error, match="has no style encoder: wire the carrier past Encode Style"):
        encode(studio, "ColorizeEncodeStyle", studio.carrier())
    prompt = [[studio.torch.zeros(1, 7, 1024), {"pooled_output": studio.torch.ones(1, 256)}]]
    with pytest.raises(pack.Error, match="XL cannot be told by text"):
        pack.run("ColorizeManipulateTokens", carrier=studio.carrier(), target=prompt)


# --- files ---


def test_a_saved_carrier_colours_the_same_and_says_its_version(host, studio_xl, pack, tmp_path):
    import safetensors

    studio, files = studio_xl, pack.module("colorize_core.carrier.carrier_file")
    (carrier,) = pack.run(
        "ColorizeAddRegion",
        carrier=studio.carrier("background_image"),
        region=studio.carrier(reference="other"),
        mask=studio.mask("top"),
        strength=0.7,
    )
    path = tmp_path / f"hero{files.SUFFIX}"
    files.write_carrier(carrier, path)
    with safetensors.safe_open(str(path), framework="pt") as file:
        metadata, names = file.metadata(), set(file.keys())
    assert metadata["version"] == studio.colorizer.version.id
    assert metadata["checkpoint"] == studio.colorizer.checkpoint
    v2_style = studio.colorizer.background_encoder is not None
    assert sum(name.startswith("background_features.") for name in names) == (36 if v2_style else 0)
    loaded = files.read_carrier(path)
    assert dataclasses.replace(loaded, tokens=None, background_tokens=None, background_features=(), regions=()) == (
        dataclasses.replace(carrier, tokens=None, background_tokens=None, background_features=(), regions=())
    )
    before, after = (studio.sample(*studio.apply(each, studio.mask()), steps=1) for each in (carrier, loaded))
    assert host.torch.equal(before, after)
