"""The background and the style encoder alone against the published implementation's numbers (host in float32)."""

import pytest

TOLERANCE = 2e-5


@pytest.mark.parametrize("name", ["background_encoder", "style_encoder"])
def test_an_encoder_alone_gives_the_published_numbers(host, studio, golden, name):
    import comfy.model_management

    given, published = golden.group(f"{name}/in"), golden.group(f"{name}/out")
    encoder = getattr(studio.colorizer, name)
    comfy.model_management.load_models_gpu([encoder])
    with host.torch.inference_mode():
        ours = encoder.model(given["latent"], given["context"], given["y"])
    assert len(ours) == len(published) == 12
    for i, tensor in enumerate(ours):
        assert tensor.shape == published[str(i)].shape
        error = studio.difference(tensor, published[str(i)])
        print(f"{name}/{i}: relative error {error:.1e}")
        assert error <= TOLERANCE


def test_encode_background_runs_that_encoder(studio, golden):
    """The published run takes the background image with the reference's tokens and the background's own size."""
    images = {name: (golden[f"images/in/{name}"].movedim(1, -1) + 1) / 2 for name in ("reference", "background")}
    (carrier,) = studio.pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, image=images["reference"])
    (carrier,) = studio.pack.run(
        "ColorizeEncodeBackground",
        carrier=carrier,
        colorizer=studio.colorizer,
        vae=studio.vae,
        clip_vision=studio.clip_vision,
        image=images["background"],
        width=128,
        height=192,
        source="bleached_reference",
    )
    for i, features in enumerate(carrier.background_features):
        assert studio.difference(features, golden[f"background_encoder/out/{i}"]) <= TOLERANCE
