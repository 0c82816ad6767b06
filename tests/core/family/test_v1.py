"""What files of versions 1 and 1.5 are told by, and what is left of them."""

import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.family.checkpoint import fingerprint, prediction_type, split_parts
from colorizediffusion.colorize_core.family.v1 import V1, V15, whole_pairs
from colorizediffusion.colorize_core.family.v2 import MARKS
from colorizediffusion.colorize_core.sampling.split_lora import SplitLora, rename_split_lora

UNET, LORA = "model.diffusion_model.", ".lora_"
TINY, FULL = {"v1": "mult-tiny", "v1.5": "switch-tiny"}, {"v1": "mult-full", "v1.5": "switch-full"}
SCHEDULE = (
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
)  # fmt: skip
TEXT_TOWER = (
    "cond_stage_model.transformer.embedding", "cond_stage_model.transformer.resblocks.0.ln_1.weight",
    "cond_stage_model.transformer.layers.0.0.weight", "cond_stage_model.token_embedding.weight",
)  # fmt: skip


def without(tensors, *pieces):
    return {name: tensor for name, tensor in tensors.items() if not any(piece in name for piece in pieces)}


def same(parts, others):
    return parts.version is others.version and all(
        parts[part].keys() == others[part].keys() and all(parts[part][k] is others[part][k] for k in parts[part])
        for part in parts.tensors
    )


@pytest.fixture(scope="module", params=["v1", "v1.5"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def tiny(shapes_alone, version):
    return shapes_alone(TINY[version])


@pytest.mark.parametrize("layouts", [TINY, FULL])
@pytest.mark.parametrize("tower", ["with", "without"])
def test_a_file_is_told_by_its_names(shapes_alone, version, layouts, tower):
    tensors = shapes_alone(layouts[version])
    parts = split_parts(tensors if tower == "with" else without(tensors, "cond_stage_model."), "some.safetensors")
    assert parts.version.id == version and bool(parts["image_tower"]) == (tower == "with")


@pytest.mark.parametrize("mark", MARKS)
def test_what_is_left_of_version_2_makes_an_incomplete_version_2(golden_keys, mark):
    """All names of a v1 file are in a v2 file: only the rest of version 2 tells a truncated one."""
    names, v1 = golden_keys("tiny"), golden_keys("mult-tiny")
    assert set(v1) < set(names)
    truncated = {name: torch.empty(0) for name in names if name in v1 or name.startswith(mark)}
    with pytest.raises(ColorizeError, match="is an incomplete ColorizeDiffusion v2 checkpoint"):
        split_parts(truncated, "mult.safetensors")


@pytest.mark.parametrize(
    ("version", "piece", "lacks"),
    [
        ("v1", "first_stage_model.", "ColorizeDiffusion v1 checkpoint it lacks 1: the VAE"),
        ("v1.5", "first_stage_model.", "ColorizeDiffusion v1.5 checkpoint it lacks 1: the VAE"),
        ("v1.5", "transformer.embedding", "ColorizeDiffusion v1.5 checkpoint it lacks 1: the cluster transformer"),
        ("v1.5", "thresh_embedder.", "ColorizeDiffusion v1.5 checkpoint it lacks 1: the threshold embedding"),
    ],
    indirect=["version"],
)
def test_an_incomplete_file_says_what_it_lacks(tiny, piece, lacks):
    with pytest.raises(ColorizeError, match=lacks):
        split_parts(without(tiny, piece), "some.safetensors")


@pytest.mark.parametrize("extra", [SCHEDULE, TEXT_TOWER, ("model_ema.decay", "loss.logvar")])
def test_schedule_text_tower_and_a_trainers_numbers_change_nothing(tiny, extra):
    crowded = split_parts({**dict.fromkeys(extra, torch.zeros(1000)), **tiny}, "some.safetensors")
    assert same(crowded, split_parts(tiny, "some.safetensors"))


def test_a_sketch_encoder_inside_the_unet_is_found(tiny):
    older = {
        name.replace("control_encoder.", UNET + "semantic_input_blocks.") if name.startswith("control_") else name: t
        for name, t in tiny.items()
    }
    assert set(older) != set(tiny) and not any(name.startswith("control_encoder.") for name in older)
    assert same(split_parts(older, "old.safetensors"), split_parts(tiny, "new.safetensors"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mult.safetensors", "v"), ("switch-eps.safetensors", "eps"), ("eps/mult.pth", "v"), ("MULT_EPS.ckpt", "eps")],
)
@pytest.mark.parametrize("row", [V1, V15])
def test_a_name_may_say_eps(row, name, expected):
    assert prediction_type("auto", name, row) == expected


def test_versions_of_the_same_unet_have_their_own_fingerprints(golden_keys):
    small = {
        layout: {name: torch.full((1,), 0.5).expand(shape) for name, shape in golden_keys(layout).items()}
        for layout in ("tiny", "mult-tiny", "switch-tiny")
    }
    assert len({fingerprint(split_parts(tensors, "some.safetensors")) for tensors in small.values()}) == 3


@pytest.mark.parametrize(
    "missing",
    [("_up_bg",), ("_down_fg",), ("_bg.",), ("input_blocks.", "middle_block."), ("to_q.", "to_v.lora_up_fg"), (LORA,)],
)
def test_what_is_missing_of_the_split_lora_adds_nothing(golden_keys, golden_weights, missing):
    shapes = {name: shape for name, shape in golden_keys("switch-tiny").items() if LORA in name}
    weights = {name.removeprefix(UNET): tensor for name, tensor in golden_weights(shapes, 0).items()}
    whole, partial = (loaded_lora(rename_split_lora(whole_pairs(w))) for w in (weights, without(weights, *missing)))
    added = 0
    for name, weight in weights.items():
        if "lora_down" not in name:
            continue
        half, number = name.split("_block")[0], name.split(".")[1]
        block = (half, int(number) if half != "middle" else 0)
        projection, side = name.split(".")[-3], "fg" if "_fg" in name else "bg"
        x = torch.ones(1, weight.shape[1])
        ours, full = (lora.addition(block, projection, side, x) for lora in (partial, whole))
        gone = any(piece in name or piece in name.replace("_down_", "_up_") for piece in missing)
        assert (ours is None) == gone
        assert gone or torch.equal(ours, full)
        added += not gone
    # Of 16 attentions, three projections, two sides.
    assert added == {"_bg.": 48, "_up_bg": 48, "_down_fg": 48, "input_blocks.": 54, "to_q.": 48, LORA: 0}[missing[0]]


def loaded_lora(weights):
    lora = SplitLora({name: tuple(tensor.shape) for name, tensor in weights.items()})
    lora.load_state_dict(weights)
    return lora.requires_grad_(False)
