"""References that the image tower sees larger than its own size."""

import pytest


@pytest.fixture(scope="module")
def tower(host, studio):
    """The tiny tower in transformers, which interpolates positions itself."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    weights = studio.clip_vision.model.state_dict()
    sizes = {"hidden_size": 128, "intermediate_size": weights["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0]}
    layers = sum(key.endswith(".layer_norm1.weight") for key in weights)
    config = CLIPVisionConfig(
        **sizes, num_hidden_layers=layers, num_attention_heads=2, image_size=56, patch_size=14, hidden_act="gelu",
        projection_dim=1024,
    )  # fmt: skip
    model = CLIPVisionModelWithProjection(config).eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing)
    return model


@pytest.mark.parametrize(("detail", "patches"), [("own", 4), ("1.5x", 6), ("2x", 8)])
def test_positions_are_interpolated_as_transformers_does(host, pack, studio, tower, detail, patches):
    tokens = pack.module("colorize_core.carrier.tokens")
    picture = studio.picture()
    (carrier,) = pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, image=picture, detail=detail)
    assert carrier.tokens.shape[1] == patches**2
    with host.torch.inference_mode():
        pixels = tokens.normalise_for_clip(picture, 14 * patches)
        hidden = tower.vision_model(pixels, interpolate_pos_encoding=True).last_hidden_state
        expected = tower.visual_projection(tower.vision_model.post_layernorm(hidden))
    assert studio.difference(carrier.tokens, expected[:, 1:]) < 1e-5


def test_a_background_is_seen_at_the_references_size(pack, studio):
    (carrier,) = pack.run(
        "ColorizeEncodeReference", clip_vision=studio.clip_vision, image=studio.picture(), detail="2x"
    )
    common = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision}
    (carrier,) = pack.run(
        "ColorizeEncodeBackground", carrier=carrier, image=studio.picture("b"), width=64, height=96, **common
    )
    assert carrier.background_tokens.shape == carrier.tokens.shape
    latent = studio.sample(*studio.apply(carrier, studio.mask()))
    assert latent.isfinite().all()


def test_characters_of_one_drawing_are_seen_at_one_size(pack, studio):
    own, larger = (
        pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, image=studio.picture(), detail=detail)[0]
        for detail in ("own", "2x")
    )
    with pytest.raises(pack.Error, match="choose one and the same `detail`"):
        pack.run("ColorizeAddRegion", carrier=own, region=larger, mask=studio.mask())


def test_xl_sees_a_reference_at_one_size(pack, studio, load_xl):
    colorizer, clip_vision = (load_xl("base")[place] for place in (1, 4))
    inputs = {"clip_vision": clip_vision, "colorizer": colorizer, "image": studio.picture()}
    with pytest.raises(pack.Error, match=r"`detail` is 2, but ColorizeDiffusion XL .* set it to own"):
        pack.run("ColorizeEncodeReference", **inputs, detail="2x")
    assert pack.run("ColorizeEncodeReference", **inputs, detail="own")[0].version == colorizer.version.id
