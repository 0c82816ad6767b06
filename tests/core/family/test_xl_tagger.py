"""The tagger: the golden data's features, and those of timm, from which the published file comes."""

import pytest
import torch
from colorizediffusion.colorize_core.family.shifted_windows import cut_windows, join_windows
from colorizediffusion.colorize_core.family.xl_tagger import (
    Tagger,
    normalise_for_tagger,
    tagger_sizes,
    tagger_weights,
)

PICTURES = ("reference", "background")


@pytest.fixture(scope="module")
def tiny(weights_of):
    """The golden data's tagger, made as a host makes it: without contents first."""
    weights = weights_of("xl-tagger-tiny")
    network = Tagger(**tagger_sizes(weights), device="meta")
    network.load_state_dict(tagger_weights(weights), assign=True)
    return network.requires_grad_(False)


def picture(golden_xl, name):
    return golden_xl[f"images/in/{name}"].movedim(1, -1) * 0.5 + 0.5


def test_a_picture_is_stretched_to_its_square_in_blue_green_red(golden_xl):
    pixels = normalise_for_tagger(picture(golden_xl, "reference"))
    assert pixels.shape == (1, 3, 448, 448) and pixels.dtype == torch.float32
    torch.testing.assert_close(
        pixels[..., ::4, ::4], golden_xl["encoders/reference/out/tagger_pixels"], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", PICTURES)
def test_features_are_the_golden_datas(tiny, golden_xl, relative_error, name):
    features = tiny(normalise_for_tagger(picture(golden_xl, name)))
    assert relative_error(features, golden_xl[f"encoders/{name}/out/tagger_features"]) < 2e-5


def test_pictures_of_a_batch_do_not_meet(tiny, golden_xl):
    pixels = torch.cat([normalise_for_tagger(picture(golden_xl, name)) for name in PICTURES])
    each = torch.cat([tiny(one) for one in pixels.split(1)])
    torch.testing.assert_close(tiny(pixels), each, rtol=0, atol=1e-5)


def test_it_computes_in_the_dtype_that_comes_in(weights_of, tiny, golden_xl, relative_error):
    weights = tagger_weights(weights_of("xl-tagger-tiny"))
    half = Tagger(**tagger_sizes(weights), dtype=torch.bfloat16).requires_grad_(False)
    half.load_state_dict(weights)
    pixels = normalise_for_tagger(picture(golden_xl, "reference"))
    features = half(pixels.bfloat16())
    assert features.dtype == torch.bfloat16
    assert relative_error(features.float(), tiny(pixels)) < 0.05


def test_windows_are_put_together_as_they_were():
    x = torch.rand(2, 12, 12, 3)
    windows = cut_windows(x, 4)
    assert windows.shape == (2, 9, 16, 3)
    assert torch.equal(windows[1, 5, 6], x[1, 5, 10])  # window 5 begins at (4, 8), its token 6 is (1, 2)
    assert torch.equal(join_windows(windows, 12), x)


def test_the_published_files_layout_fits(shapes_alone):
    weights = tagger_weights(shapes_alone("xl-tagger-full"))
    network = Tagger(**tagger_sizes(weights), device="meta")
    network.load_state_dict(weights, assign=True)
    assert not list(network.buffers())
    assert sum(tensor.numel() for tensor in weights.values()) == 86_893_816
    # Without contents nothing can be asked of the device, and nothing lies on another.
    assert network(torch.empty(2, 3, 448, 448, device="meta")).shape == (2, 196, 1024)


def test_what_older_files_hold_beside_is_left_out(shapes_alone):
    weights = shapes_alone("xl-tagger-tiny")
    kept = tagger_weights(weights)
    assert set(weights) - set(kept) == {"head.fc.weight", "head.fc.bias"}
    block = "layers.0.blocks.1"
    tables = ("attn.relative_coords_table", "attn.relative_position_index", "attn.k_bias", "attn_mask")
    older = weights | {f"{block}.{name}": torch.empty(1, device="meta") for name in tables}
    assert tagger_weights(older) == kept


def features_of_timm(network, golden_weights, pixels):
    """Fill timm's network, and ours with the same weights; return both features of a picture."""
    weights = golden_weights({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}, 1)
    for name in weights:
        if name.endswith("logit_scale"):
            weights[name] *= 4.0  # some beyond the limit, ln 100
    network.requires_grad_(False).eval().load_state_dict(weights)
    window = max(network.layers[0].blocks[0].window_size)
    ours = Tagger(**tagger_sizes(weights), window=window).requires_grad_(False)
    ours.load_state_dict(tagger_weights(weights))
    assert any(tensor.max() > 4.7 for name, tensor in weights.items() if name.endswith("logit_scale"))
    return ours(pixels), network.forward_features(pixels).flatten(1, 2)


def test_it_is_timms_network(golden_weights, relative_error):
    """The last stage's windows are cut to the picture, as in the published file all of it is one window."""
    from timm.models.swin_transformer_v2 import SwinTransformerV2

    torch.manual_seed(0)
    sizes = {"embed_dim": 32, "depths": (2, 4, 2), "num_heads": (2, 4, 8)}
    network = SwinTransformerV2(img_size=96, window_size=12, num_classes=0, **sizes)
    features, expected = features_of_timm(network, golden_weights, torch.rand(2, 3, 96, 96) * 2 - 1)
    assert relative_error(features, expected) < 1e-5


@pytest.mark.thorough
def test_it_is_timms_network_at_full_size(golden_weights, relative_error):
    import timm

    torch.manual_seed(0)
    network = timm.create_model("swinv2_base_window8_256", img_size=448, window_size=14, num_classes=0)
    features, expected = features_of_timm(network, golden_weights, torch.rand(1, 3, 448, 448) * 2 - 1)
    assert features.shape == (1, 196, 1024)
    assert relative_error(features, expected) < 1e-5
