"""The published files' layouts, at full size, on tensors without memory: every name is taken, none is missing."""

import pytest

#: Version: (its golden layout, how many tensors with image tower, transformers with a split LoRA).
LAYOUTS = {"v2": ("full", 2264, 9), "v1.5": ("switch-full", 1643, 16), "v1": ("mult-full", 1368, 0)}
ALL, V2_ALONE, V15_ALONE = (
    pytest.mark.parametrize("version", versions, scope="module") for versions in (LAYOUTS, ["v2"], ["v1.5"])
)


@pytest.fixture(scope="module")
def tensors(host, golden_keys, version):
    """{name: tensor without memory} of the published checkpoint, float32 as in the file."""
    layout = LAYOUTS[version][0]
    return {name: host.torch.empty(shape, device="meta") for name, shape in golden_keys(layout).items()}


@pytest.fixture(scope="module")
def parts(pack, tensors):
    return pack.module("colorize_core.family.checkpoint").split_parts(tensors, "some-full.safetensors")


@pytest.fixture
def fits(pack, host):
    """A function that compares a module's own names and shapes with those of a part, by the loader's own check."""
    check = pack.module("colorize_core.weights").check_complete

    def compare(module, weights):
        own = module.state_dict()
        assert all(tensor.is_meta for tensor in own.values()), "no memory may be taken"
        check("the part", "some-full.safetensors", own, weights)
        assert {k: tuple(v.shape) for k, v in own.items()} == {k: tuple(v.shape) for k, v in weights.items()}

    return compare


@pytest.fixture
def meta(host):
    """Arguments of our builders that put a module on the meta device."""
    import comfy.ops

    return {"operations": comfy.ops.manual_cast, "device": host.torch.device("meta"), "dtype": host.torch.float32}


@ALL
def test_every_name_belongs_to_exactly_one_part(tensors, parts, version):
    _, total, transformers = LAYOUTS[version]
    assert parts.version.id == version
    counts = {part: len(weights) for part, weights in parts.tensors.items()}
    assert sum(counts.values()) == len(tensors) == total
    assert all(counts.values()), counts
    assert counts.get("split_lora", 0) == transformers * 3 * 2 * 2  # projections, down and up, sides


@V2_ALONE
def test_the_parts_fit_one_another(pack, parts):
    pack.module("colorize_core.family.v2").check_parts_fit(parts, "some-full.safetensors")


@ALL
def test_the_unet_is_comfyuis_stable_diffusion_2(host, pack, parts, fits):
    import comfy.model_detection
    import comfy.supported_models

    weights = pack.module("colorize_core.family.checkpoint").squeeze_projections(parts["unet"])
    unet = pack.module("colorize_core.host.family.unet")
    sizes = unet.unet_config(weights, "some-full.safetensors")
    stock = comfy.model_detection.model_config_from_unet_config(dict(sizes))
    assert type(stock) is comfy.supported_models.SD20
    config = unet.ColorizeSD2(sizes, "v")
    config.set_inference_dtype(host.torch.float16, None)
    model = config.get_model(weights, "", device=host.torch.device("meta"))
    assert model.diffusion_model.model_channels == 320
    fits(model.diffusion_model, weights)


@V2_ALONE
@pytest.mark.parametrize("name", ["background_encoder", "style_encoder"])
def test_a_latent_encoder_takes_all_its_names(pack, parts, fits, meta, name):
    weights = pack.module("colorize_core.family.checkpoint").squeeze_projections(parts[name])
    encoder = pack.module("colorize_core.host.family.latent_encoder").build_latent_encoder(weights, **meta)
    assert (encoder.model_channels, encoder.in_channels, len(encoder.zero_layers)) == (320, 4, 12)
    fits(encoder, weights)


@ALL
def test_the_sketch_encoder_takes_all_its_names(pack, parts, fits, meta):
    core = pack.module("colorize_core.family.sketch_encoder")
    sizes = core.sketch_encoder_sizes(parts["sketch_encoder"])
    assert sizes["stem_channels"][-1:] + sizes["stage_channels"] == (320, 320, 640, 1280, 1280)
    fits(core.SketchEncoder(**sizes, **meta), parts["sketch_encoder"])


@V2_ALONE
def test_background_injection_and_split_lora_take_all_their_names(pack, parts, fits, meta):
    host_colorizer, lora = (
        pack.module("colorize_core.host.family.v2"),
        pack.module("colorize_core.sampling.split_lora"),
    )
    weights = {f"injection.warp_modules.{key}": value for key, value in parts["injection"].items()}
    weights |= {f"lora.{key}": value for key, value in lora.rename_split_lora(parts["split_lora"]).items()}
    fits(host_colorizer.BackgroundPath(weights, **meta), weights)


@V2_ALONE
def test_style_modulation_takes_all_its_names(pack, parts, fits, meta):
    style = pack.module("colorize_core.sampling.style_modulation")
    weights = {f"style_modules.{key}": value for key, value in parts["style"].items()}
    fits(style.StyleModulation(**style.style_sizes(weights), **meta), weights)


@V15_ALONE
def test_what_version_15_has_beside_the_shared_parts_takes_all_its_names(pack, host, parts, meta, monkeypatch):
    """Through the loader's own words, which compare every name and shape and then ask for the weights."""
    v1, built = pack.module("colorize_core.host.family.v1"), []

    def load_module(build, weights, part, file_name):
        module = build(weights, **meta)
        pack.module("colorize_core.weights").check_complete(part, file_name, module.state_dict(), weights)
        built.append(module)

    monkeypatch.setattr(v1, "load_module", load_module)
    v1.load_colorizer(parts, "some-full.safetensors", "0")
    (module,) = built
    assert (len(module.cluster.layers), *module.cluster.embedding.shape) == (6, 256, 1024)
    assert module.cluster.layers[0][2].heads == 16 and module.threshold.width == 256
    ranks = {side: {layer[side].down.out_features for block in module.lora.blocks.values() for layer in block.values()}
             for side in ("fg", "bg")}  # fmt: skip
    assert ranks == {"fg": {4}, "bg": {160, 320, 512, 640}}
    assert len(module.state_dict()) == 192 + 4 + len(parts["cluster"])


@ALL
def test_the_vae_is_stable_diffusions(host, pack, parts, fits):
    from comfy.ldm.models.autoencoder import AutoencoderKL

    config = pack.module("colorize_core.family.checkpoint").vae_config(parts["vae"])
    assert config["ddconfig"]["ch"] == 128 and config["ddconfig"]["ch_mult"] == [1, 2, 4, 4]
    with host.torch.device("meta"):
        vae = AutoencoderKL(**config)
    fits(vae, parts["vae"])


@ALL
def test_the_image_tower_is_vit_h_14(host, pack, parts, fits, comfyui_path):
    import json

    import comfy.clip_model
    import comfy.clip_vision
    import comfy.ops

    config = pack.module("colorize_core.carrier.tokens").image_tower_config(parts["image_tower"])
    own = json.loads((comfyui_path / "comfy" / "clip_vision_config_h.json").read_text())
    assert {k: v for k, v in config.items() if own.get(k, v) != v} == {}
    weights = comfy.clip_vision.convert_to_transformers(dict(parts["image_tower"]), "")
    with host.torch.device("meta"):
        tower = comfy.clip_model.CLIPVisionModelProjection(config, host.torch.float16, "meta", comfy.ops.manual_cast)
    fits(tower, weights)
