"""What a checkpoint is, and how its tensors are sorted; files themselves are loaded in tests/graph."""

import pytest
import torch
from colorizediffusion.colorize_core.carrier.tokens import image_tower_config
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.family.checkpoint import (
    describe,
    fingerprint,
    prediction_type,
    split_parts,
    squeeze_projections,
    vae_config,
)
from colorizediffusion.colorize_core.family.v2 import V2
from colorizediffusion.colorize_core.weights import check_complete, named_tensors

NAME = "v2.safetensors"


@pytest.fixture(scope="module", params=["tiny", "full"])
def layout(request, golden_keys):
    """{name: tensor without memory} of both published layouts."""
    return {name: torch.empty(shape, device="meta") for name, shape in golden_keys(request.param).items()}


@pytest.fixture(scope="module")
def small(golden_keys):
    """The tiny layout with tensors of memory, all of one value; cheap, for only a few of them are ever read."""
    return {name: torch.full((1,), 0.5).expand(shape) for name, shape in golden_keys("tiny").items()}


def total(parts):
    return sum(len(part) for part in parts.tensors.values())


def test_every_tensor_lands_in_one_part(layout):
    assert total(split_parts(layout, NAME)) == len(layout)


def test_what_no_part_needs_is_left_out(layout):
    extra = ["betas", "model_ema.decay", "loss.logvar", "first_stage_model.loss.logvar", "cond_stage_model.model.x"]
    assert total(split_parts({**layout, **dict.fromkeys(extra, torch.zeros(1))}, NAME)) == len(layout)


def test_the_image_tower_may_be_absent(layout):
    rest = {name: tensor for name, tensor in layout.items() if not name.startswith("cond_stage_model.")}
    assert split_parts(rest, NAME)["image_tower"] == {}


def test_a_nested_file_and_a_flat_one_are_the_same():
    tensors = {"a": torch.zeros(1), "b": torch.ones(1)}
    assert named_tensors({"state_dict": tensors, "epoch": 3}) == named_tensors({**tensors, "epoch": 3}) == tensors


@pytest.mark.parametrize("loaded", [None, [], "text", 3, torch.zeros(2), {}, {"state_dict": 4}, {1: torch.zeros(1)}])
def test_a_file_that_holds_no_named_tensors_is_told(loaded):
    assert named_tensors(loaded) == {}
    with pytest.raises(ColorizeError, match="is a file without tensors"):
        split_parts(named_tensors(loaded), NAME)


def test_the_largest_file_that_lacks_everything_says_what_it_lacks():
    with pytest.raises(
        ColorizeError, match=r"Of the 8 parts .* lacks 8: the UNet, the split LoRA, .*first missing names: "
    ):
        split_parts({"weight": torch.zeros(1)}, NAME)


@pytest.mark.parametrize("mark", ["bg_encoder.input_blocks.0.0.weight", "style_encoder.out.bias"])
def test_a_part_that_only_version_2_has_makes_an_incomplete_version_2(mark):
    assert "incomplete ColorizeDiffusion v2" in describe({mark: torch.zeros(1)})[0]


def test_projections_lose_their_empty_dimensions_and_nothing_else_does():
    given = {
        "a.proj_in.weight": torch.rand(4, 4, 1, 1),
        "a.proj_out.weight": torch.rand(4, 4),
        "a.conv.weight": torch.rand(4, 4, 1, 1),
        "a.proj_in.bias": torch.rand(4),
    }
    squeezed = squeeze_projections(given)
    assert {name: tensor.ndim for name, tensor in squeezed.items()} == {
        "a.proj_in.weight": 2, "a.proj_out.weight": 2, "a.conv.weight": 4, "a.proj_in.bias": 1
    }  # fmt: skip
    assert torch.equal(squeezed["a.proj_in.weight"], given["a.proj_in.weight"][:, :, 0, 0])
    assert given["a.proj_in.weight"].ndim == 4


def test_weights_that_fit_are_accepted():
    check_complete("the part", NAME, {"a": torch.zeros(2)}, {"a": torch.ones(2, dtype=torch.float16)})


def test_weights_that_do_not_fit_are_counted_and_named():
    expected = {f"w{i}": torch.zeros(2) for i in range(6)}
    given = {"w0": torch.zeros(3), **{f"x{i}": torch.zeros(2) for i in range(2)}}
    with pytest.raises(ColorizeError) as caught:
        check_complete("the part", NAME, expected, given)
    message = str(caught.value)
    assert message.startswith("v2.safetensors does not fit the part: ")
    assert "5 missing: w1, w2, w3, …" in message
    assert "2 not known: x0, x1;" in message
    assert "1 of another shape: w0 [3] instead of [2]" in message
    assert "download the checkpoint again" in message


@pytest.mark.parametrize(
    ("choice", "name", "expected"),
    [
        ("auto", "v2-full.safetensors", "v"),
        ("auto", "v2-eps.safetensors", "eps"),
        ("auto", "v2_EPS.ckpt", "eps"),
        ("auto", "eps/v2.safetensors", "v"),
        ("auto", "eps\\v2.safetensors", "v"),
        ("auto", "eps/v2-eps.safetensors", "eps"),
        ("v", "v2-eps.safetensors", "v"),
        ("eps", "v2.safetensors", "eps"),
    ],
)
def test_the_prediction_follows_the_choice_then_the_files_own_name(choice, name, expected):
    assert prediction_type(choice, name, V2) == expected


def test_copies_of_a_checkpoint_have_one_fingerprint(small):
    own = fingerprint(split_parts(small, NAME))
    half = {name: tensor.half() for name, tensor in small.items()}
    bare = {name: tensor for name, tensor in small.items() if not name.startswith("cond_stage_model.")}
    extra = {**small, "betas": torch.zeros(1000), "loss.logvar": torch.zeros(1)}
    assert [fingerprint(split_parts(copy, NAME)) for copy in (half, bare, extra)] == [own] * 3
    assert len(own) == 16


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.input_blocks.0.0.weight",
        "model.diffusion_model.output_blocks.3.1.transformer_blocks.0.attn2.to_q.lora_down_fg.weight",
        "bg_encoder.input_blocks.0.0.weight",
        "control_encoder.model.0.weight",
        "first_stage_model.decoder.conv_in.weight",
    ],
)
def test_other_weights_or_another_shape_have_another_fingerprint(small, name):
    own = fingerprint(split_parts(small, NAME))
    shape = small[name].shape
    for tensor in (torch.ones(shape), torch.full((shape[0] + 1, *shape[1:]), 0.5)):
        assert fingerprint(split_parts({**small, name: tensor}, NAME)) != own


def test_sizes_of_the_vae_and_the_image_tower_are_read_off(golden_keys):
    for layout, vae_channels, tower in (("tiny", 32, (128, 3, 56)), ("full", 128, (1280, 32, 224))):
        tensors = {name: torch.empty(shape, device="meta") for name, shape in golden_keys(layout).items()}
        parts = split_parts(tensors, NAME)
        sizes = vae_config(parts["vae"])["ddconfig"]
        assert (sizes["ch"], sizes["ch_mult"], sizes["z_channels"], sizes["double_z"]) == (
            vae_channels, [1, 2, 4, 4], 4, True
        )  # fmt: skip
        config = image_tower_config(parts["image_tower"])
        assert (config["hidden_size"], config["num_hidden_layers"], config["image_size"]) == tower
        assert (config["patch_size"], config["projection_dim"]) == (14, 1024)
