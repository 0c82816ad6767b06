"""Files that the checkpoint loader takes, and what it makes of them."""

import gc

import pytest

#: Relative differences of the latent that rounding weights to a type may cost.
ROUNDING = {"float16": 5e-3, "bfloat16": 4e-2}


@pytest.fixture
def checkpoint_file(base_directory):
    """A function that writes tensors into models/checkpoints and returns the ckpt_name; the file goes with the test."""
    written = []

    def write(tensors, name, save=None):
        from safetensors.torch import save_file

        path = base_directory / "models" / "checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(path)
        (save or save_file)(tensors, str(path))
        return name

    yield write
    gc.collect()
    for path in written:
        path.unlink()


@pytest.fixture
def load(pack):
    return lambda name, **inputs: pack.run("ColorizeCheckpointLoader", ckpt_name=name, **inputs)


@pytest.fixture
def colour(studio):
    """A function that colours with what the loader gave, everything switched on, and returns the latent."""

    def run(loaded):
        own = type(studio)(studio.host, studio.pack, loaded)
        own.clip_vision = own.clip_vision or studio.clip_vision
        model, positive, negative = own.apply(own.carrier("background_image", style=True), own.mask())
        return own.sample(model, *own.sketch(positive, negative), steps=1)

    return run


def cast(tensors, dtype):
    return {name: t.to(dtype) for name, t in tensors.items()}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_precision_file_colours_like_the_float32_one(
    host, studio, checkpoint_file, tiny_tensors, load, colour, dtype
):
    name = checkpoint_file(cast(tiny_tensors, getattr(host.torch, dtype)), f"tiny-{dtype}.safetensors")
    loaded = load(name)
    assert studio.difference(colour(loaded), colour(studio.loaded)) < ROUNDING[dtype]


def test_the_published_mixture_loads_float32_with_a_float16_vae_and_no_image_tower(
    host, pack, studio, checkpoint_file, tiny_tensors, load, colour
):
    tensors = {
        key: value.half() if key.startswith("first_stage_model.") else value
        for key, value in tiny_tensors.items()
        if not key.startswith("cond_stage_model.")
    }
    loaded = load(checkpoint_file(tensors, "v2-full-tiny.safetensors"))
    assert loaded[4] is None
    assert studio.difference(colour(loaded), colour(studio.loaded)) < ROUNDING["float16"]
    with pytest.raises(pack.Error, match=r"CLIP-ViT-H-14-laion2B-s32B-b79K.*Load CLIP Vision"):
        pack.run("ColorizeEncodeReference", clip_vision=loaded[4], image=studio.picture())


def test_an_fp8_unet_loads_and_gives_a_finite_picture(host, studio, checkpoint_file, tiny_tensors, load, colour):
    fp8 = host.torch.float8_e4m3fn
    tensors = {
        key: value.to(fp8) if key.startswith("model.diffusion_model.") and value.ndim > 1 else value
        for key, value in tiny_tensors.items()
    }
    latent = colour(load(checkpoint_file(tensors, "tiny-fp8.safetensors")))
    assert latent.isfinite().all()
    assert studio.difference(latent, colour(studio.loaded)) < 0.3


@pytest.mark.parametrize("ending", ["ckpt", "pth", "pt"])
def test_a_pickle_with_tensors_under_state_dict_and_a_trainers_numbers_loads(
    host, studio, checkpoint_file, tiny_tensors, load, ending
):
    nested = {"state_dict": tiny_tensors, "epoch": 3, "global_step": 1000}
    model = load(checkpoint_file(nested, f"nested.{ending}", host.torch.save))[0]
    assert studio.digest(model) == studio.digest(studio.model)


def test_tensors_that_no_part_needs_are_left_out(host, studio, pack, tiny_tensors):
    torch = host.torch
    extra = {
        "betas": torch.zeros(1000),
        "alphas_cumprod": torch.zeros(1000),
        "logvar": torch.zeros(1000),
        "model_ema.decay": torch.tensor(0.999),
        "model_ema.diffusion_modelinput_blocks00weight": torch.zeros(64, 4, 3, 3),
        "loss.logvar": torch.zeros(()),
        "first_stage_model.loss.logvar": torch.zeros(()),
        "cond_stage_model.visual.model.logit_scale": torch.zeros(()),
        "cond_stage_model.transformer.resblocks.0.ln_1.weight": torch.zeros(8),
    }
    loaded = pack.module("colorize_core.host.family.checkpoint").load_tensors(
        {**tiny_tensors, **extra}, "extra.safetensors"
    )
    assert studio.digest(loaded.model) == studio.digest(studio.model)
    assert loaded.colorizer.checkpoint == studio.colorizer.checkpoint


@pytest.mark.parametrize(
    ("choice", "name", "expected"),
    [
        ("auto", "v2-full.safetensors", "V_PREDICTION"),
        ("auto", "v2-eps.safetensors", "EPS"),
        ("auto", "V2-EPS-full.safetensors", "EPS"),
        ("eps", "v2-full.safetensors", "EPS"),
        ("v", "v2-eps.safetensors", "V_PREDICTION"),
    ],
)
def test_the_prediction_follows_the_input_then_the_file_name(pack, tiny_tensors, choice, name, expected):
    v2 = pack.module("colorize_core.host.family.v2")
    checkpoint = pack.module("colorize_core.family.checkpoint")
    parts = checkpoint.split_parts(tiny_tensors, name)
    model = v2.load_model(parts, checkpoint.prediction_type(choice, name, parts.version), name, "0")
    assert model.model.model_type.name == expected


def test_a_folder_named_eps_says_nothing_of_the_prediction(base_directory, tiny_checkpoint, load):
    folder = base_directory / "models" / "checkpoints" / "eps models"
    folder.mkdir()
    link = folder / "v2.safetensors"
    link.symlink_to(tiny_checkpoint)
    try:
        assert load("eps models/v2.safetensors")[0].model.model_type.name == "V_PREDICTION"
    finally:
        link.unlink()
        folder.rmdir()


def test_the_model_is_a_stock_stable_diffusion_2(studio):
    import comfy.latent_formats
    import comfy.model_base
    import comfy.model_patcher
    import comfy.supported_models
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    model = studio.model.model
    assert isinstance(studio.model, comfy.model_patcher.ModelPatcher)
    assert type(model) is comfy.model_base.BaseModel
    assert isinstance(model.model_config, comfy.supported_models.SD20)
    assert type(model.diffusion_model) is UNetModel
    assert isinstance(model.latent_format, comfy.latent_formats.SD15)
    assert not any("lora" in name or "warp" in name or "style" in name for name in model.state_dict())


def test_a_saved_model_is_stock_sd2_again_and_a_saved_one_with_the_rest_reloads(
    studio, tmp_path, pack, tiny_tensors, host
):
    import comfy.sd
    from safetensors.torch import load_file

    path = tmp_path / "saved.safetensors"
    comfy.sd.save_checkpoint(str(path), studio.model, vae=studio.vae)
    saved = load_file(str(path))
    squeezed = pack.module("colorize_core.family.checkpoint").squeeze_projections(tiny_tensors)
    unet = {k: v for k, v in saved.items() if k.startswith("model.diffusion_model.")}
    assert all(host.torch.equal(v, squeezed[k]) for k, v in unet.items())
    assert len(unet) == len(studio.model.model.diffusion_model.state_dict())
    again = pack.module("colorize_core.host.family.checkpoint").load_tensors(
        {**tiny_tensors, **saved}, "saved.safetensors"
    )
    assert studio.digest(again.model) == studio.digest(studio.model)


def test_a_lora_for_stable_diffusion_2_patches_the_model(host, studio):
    import comfy.lora
    import comfy.lora_convert
    import comfy.sd

    torch = host.torch
    down, up = torch.randn(2, 64), torch.randn(64, 2)
    lora = {
        "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": down,
        "lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": up,
    }
    patched, _ = comfy.sd.load_lora_for_models(studio.model, None, lora, 1.0, 0.0)
    assert list(patched.patches) == ["diffusion_model.input_blocks.1.1.proj_in.weight"]


def test_merging_a_model_with_itself_changes_nothing_and_it_can_still_be_applied(studio, pack):
    (merged,) = pack.run("ModelMergeSimple", model1=studio.model, model2=studio.model, ratio=0.5)
    carrier = studio.carrier()
    ours, expected = (studio.sample(*studio.apply(carrier, model=m), steps=1) for m in (merged, studio.model))
    assert studio.difference(ours, expected) < 1e-6


def test_loading_reports_no_missing_or_unexpected_weights(pack, tiny_checkpoint, caplog):
    with caplog.at_level("WARNING"):
        pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name)
    assert not [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
