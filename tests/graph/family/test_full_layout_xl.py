"""XL's published layouts, at full size, on tensors without memory: every name is taken, none is missing."""

import pytest

#: Names that a training run may leave in a file, and those of the noise schedule, which every published file has.
LEFTOVERS = (
    "map_modules.0.weight",
    "warp_modules.0.norm1.weight",
    "fg_encoder.input_blocks.0.0.weight",
    "model.diffusion_model.map_modules.0.weight",
    "model.diffusion_model.warp_modules.0.norm1.weight",
    "model.diffusion_model.conv_fg.weight",
    "model.diffusion_model.conv_fg.bias",
    "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_q.lora_down_foreground.weight",
    "model_ema.decay",
)
SCHEDULE = (
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
)  # fmt: skip
MODELS = ["base", "v2"]


@pytest.fixture(scope="module")
def tensors_of(host, golden_keys):
    """A function: model -> {name: tensor without memory} of its published checkpoint."""

    def empty(layout):
        return {name: host.torch.empty(shape, device="meta") for name, shape in golden_keys(layout).items()}

    return empty


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def parts(pack, tensors_of, model):
    return pack.module("colorize_core.family.checkpoint").split_parts(tensors_of(f"xl-{model}-full"), "xl.safetensors")


@pytest.fixture
def fits(pack):
    """A function that compares a module's own names and shapes with those of a part, by the loader's own check."""
    check = pack.module("colorize_core.weights").check_complete

    def compare(module, weights):
        own = module.state_dict()
        assert all(tensor.is_meta for tensor in own.values()), "no memory may be taken"
        check("the part", "xl.safetensors", own, weights)

    return compare


@pytest.fixture
def meta(host):
    """Arguments of our builders that put a module on the meta device."""
    import comfy.ops

    return {"operations": comfy.ops.manual_cast, "device": host.torch.device("meta"), "dtype": host.torch.float16}


def test_every_name_belongs_to_a_part_but_for_what_is_never_computed(tensors_of, parts, model):
    names = set(tensors_of(f"xl-{model}-full"))
    part_of = parts.version.part_of
    left = {name for name in names if part_of(name) is None}
    ends = ("model.diffusion_model.conv_fg.", "bg_encoder.output_blocks.6.", "bg_encoder.out.")
    assert all(name.startswith(ends) for name in left) and bool(left) == (model == "v2")
    assert sum(len(weights) for weights in parts.tensors.values()) + len(left) == len(names)
    assert all(parts[part.id] for part in parts.version.required)
    assert [len(parts[part]) for part in ("image_tower", "image_projection", "tagger")] == [0, 0, 0]


def test_leftovers_schedule_and_image_encoders_change_no_other_part(pack, host, tensors_of, parts, model):
    """The published files hold the schedule and neither image encoder; a training run leaves more."""
    split = pack.module("colorize_core.family.checkpoint").split_parts
    more = {name: host.torch.empty(3, device="meta") for name in (*LEFTOVERS, *SCHEDULE)}
    clip, tagger = tensors_of("xl-clip-full"), tensors_of("xl-tagger-full")
    inside = {f"cond_stage_model.{k}": v for k, v in clip.items()} | {f"img_embedder.{k}": v for k, v in tagger.items()}
    crowded = split(tensors_of(f"xl-{model}-full") | more | inside, "xl.safetensors")
    assert crowded.version is parts.version
    for part in parts.version.parts:
        if part.key:
            assert crowded[part.id].keys() == parts[part.id].keys(), part.name
    assert len(crowded["image_tower"]) + len(crowded["image_projection"]) == len(clip)
    assert len(crowded["tagger"]) == len(tagger)


def test_the_unet_is_comfyuis_sdxl_with_512_labels(host, pack, parts, fits):
    unet, weights = pack.module("colorize_core.host.family.unet"), parts["unet"]
    config = unet.ColorizeSDXL(unet.unet_config(weights, "xl.safetensors"), "v")
    config.set_inference_dtype(host.torch.float16, None)
    model = config.get_model(weights, "", device=host.torch.device("meta"))
    assert config.unet_config["adm_in_channels"] == 512 and model.model_type.name == "V_PREDICTION"
    places = pack.module("colorize_core.host.sampling.unet_layout").transformers(model.diffusion_model)
    assert len(list(places)) == 70
    fits(model.diffusion_model, weights)


def test_the_token_projection_takes_all_its_names(pack, parts, fits, meta):
    core = pack.module("colorize_core.family.xl_reference_tokens")
    fits(core.ReferenceProjection(**core.reference_projection_sizes(parts["projection"]), **meta), parts["projection"])


def test_the_sketch_encoder_takes_all_its_names(pack, parts, fits, meta):
    encoder = pack.module("colorize_core.host.family.xl").build_sketch_encoder(parts["sketch_encoder"], **meta)
    assert encoder.hint_blocks == (0, 3, 6, 8)
    fits(encoder, parts["sketch_encoder"])


def test_the_vae_is_sdxls(host, pack, parts, fits):
    from comfy.ldm.models.autoencoder import AutoencoderKL

    config = pack.module("colorize_core.family.checkpoint").vae_config(parts["vae"])
    assert config["ddconfig"]["ch"] == 128
    with host.torch.device("meta"):
        fits(AutoencoderKL(**config), parts["vae"])


def test_background_encoder_and_lora_take_all_their_names(pack, tensors_of, fits, meta):
    split = pack.module("colorize_core.family.checkpoint").split_parts
    parts = split(tensors_of("xl-v2-full"), "xl.safetensors")
    unet = pack.module("colorize_core.host.family.unet")
    config = unet.ColorizeSDXL(unet.unet_config(parts["unet"], "xl.safetensors"), "v").unet_config
    build = pack.module("colorize_core.host.family.xl_background").build_background_encoder(config)
    fits(build(parts["background_encoder"], **meta), parts["background_encoder"])
    patches = pack.module("colorize_core.host.family.xl").load_lora(parts["lora"], parts["unet"], "xl.safetensors")
    assert len(patches) == 3 * 70 and set(patches) <= {f"diffusion_model.{name}" for name in parts["unet"]}


def test_the_image_tower_is_vit_bigg_14(host, pack, tensors_of, fits, comfyui_path):
    import json

    import comfy.clip_model
    import comfy.ops

    weights = tensors_of("xl-clip-full")
    config = pack.module("colorize_core.carrier.tokens").image_tower_config(weights)
    own = json.loads((comfyui_path / "comfy" / "clip_vision_config_g.json").read_text())
    assert {k: v for k, v in config.items() if own.get(k, v) != v} == {}
    with host.torch.device("meta"):
        tower = comfy.clip_model.CLIPVisionModelProjection(config, host.torch.float16, "meta", comfy.ops.manual_cast)
    weights.pop("vision_model.embeddings.position_ids", None)
    fits(tower, weights)


def test_the_tagger_takes_all_its_names_but_the_head(pack, tensors_of, fits, meta):
    core, weights = pack.module("colorize_core.family.xl_tagger"), tensors_of("xl-tagger-full")
    kept = core.tagger_weights(weights)
    assert {name.split(".")[0] for name in weights.keys() - kept.keys()} == {"head"}
    fits(core.Tagger(**core.tagger_sizes(kept), **meta), kept)
