"""XL's files: what the loader takes, what it makes of them, and what it refuses, with the sentence that it says."""

import gc

import pytest

UNET = "model.diffusion_model."
#: Relative differences of the latent: by another order of sums, by rounding 70 transformers' weights to float16.
SAME, ROUNDING = 1e-6, 2e-2
SDXL = {
    UNET + "input_blocks.0.0.weight": (8, 4, 3, 3),
    UNET + "label_emb.0.0.weight": (8, 2816),
    "conditioner.embedders.1.model.ln_final.weight": (8,),
    "first_stage_model.decoder.conv_in.weight": (8, 4, 3, 3),
}
#: One weight of each part that may be gone, and what the message calls the part.
WEIGHTS = {
    UNET + "output_blocks.5.1.transformer_blocks.1.attn1.to_k.weight": "the UNet",
    UNET + "label_emb.0.2.bias": "the UNet",
    UNET + "output_blocks.5.1.transformer_blocks.1.attn2.to_v.lora_up_background.weight": "the background LoRA",
    UNET + "middle_block.1.transformer_blocks.9.attn2.to_q.lora_down_background.weight": "the background LoRA",
    "bg_encoder.output_blocks.5.1.transformer_blocks.1.norm1.weight": "the background encoder",
    "bg_encoder.label_emb.0.0.weight": "the background encoder",
    "control_encoder.attn_layer.q_norm.weight": "the sketch encoder",
    "control_encoder.proj_outs.3.bias": "the sketch encoder",
    "proj.attn.to_k.weight": "the token projection",
    "first_stage_model.decoder.mid.attn_1.k.weight": "the VAE",
    "cond_stage_model.vision_model.encoder.layers.1.mlp.fc1.weight": "the image tower",
    "cond_stage_model.visual_projection.weight": "the image tower",
    "img_embedder.layers.2.blocks.1.attn.logit_scale": "the tagger",
    "img_embedder.layers.3.downsample.reduction.weight": "the tagger",
}
#: Beginnings of parts that a file may lack, and what the message calls them.
PARTS = {
    "bg_encoder.": "the background encoder",
    "control_encoder.": "the sketch encoder",
    "proj.": "the token projection",
    "first_stage_model.": "the VAE",
}


@pytest.fixture(scope="module")
def tensors_of(studios_xl, base_directory):
    """A function: model -> {name: tensor} of its tiny checkpoint with both image encoders."""
    from safetensors.torch import load_file

    def read(model):
        studios_xl(model)
        return load_file(str(base_directory / "models" / "checkpoints" / f"tiny-xl-{model}.safetensors"))

    return read


@pytest.fixture
def load(pack):
    return pack.module("colorize_core.host.family.checkpoint").load_tensors


@pytest.fixture
def refused(pack, load):
    """A function that loads tensors and returns the message that refuses them."""

    def refuse(tensors, name="xlv2-some.safetensors"):
        with pytest.raises(pack.Error) as caught:
            load(tensors, name)
        return str(caught.value)

    return refuse


@pytest.fixture
def model_file(base_directory):
    """A function that writes a file below models and returns its path; the file goes with the test."""
    written = []

    def write(folder, name, save):
        path = base_directory / "models" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(path)
        save(path)
        return path

    yield write
    gc.collect()
    for path in written:
        path.unlink()


def colour(studio):
    """Colour with everything that the model has."""
    model, positive, negative = studio.apply(studio.carrier("background_image"), studio.mask())
    return studio.sample(model, *studio.sketch(positive, negative), steps=1)


def without(tensors, *starts):
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(starts)}


# --- what it takes ---


@pytest.mark.parametrize(("model", "ending"), [("base", "ckpt"), ("v2", "safetensors")])
def test_a_half_precision_file_colours_as_the_same_numbers_in_float32(
    host, pack, studios_xl, tensors_of, model_file, load, model, ending
):
    """As a pickle whose tensors lie under `state_dict` beside a trainer's numbers, and as safetensors."""
    from safetensors.torch import save_file

    halves = {name: tensor.half() for name, tensor in tensors_of(model).items()}
    if ending == "ckpt":
        content = {"state_dict": halves | {"betas": host.torch.zeros(1000)}, "global_step": 20000}
        path = model_file("checkpoints", "half-xl.ckpt", lambda path: host.torch.save(content, path))
    else:
        path = model_file("checkpoints", "half-xl.safetensors", lambda path: save_file(halves, str(path)))
    kind = type(studios_xl(model))
    half = kind(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=path.name))
    rounded = kind(host, pack, load({name: tensor.float() for name, tensor in halves.items()}, path.name))
    assert half.difference(colour(half), colour(rounded)) < SAME
    assert half.difference(colour(half), colour(studios_xl(model))) < ROUNDING


def test_what_a_training_run_leaves_changes_nothing(host, studios_xl, tensors_of, load):
    import comfy.model_management

    comfy.model_management.unload_all_models()  # so that no clone's LoRA is in the weights
    torch = host.torch
    more = {
        "betas": torch.zeros(1000),
        "posterior_variance": torch.zeros(1000),
        "map_modules.0.weight": torch.zeros(3),
        UNET + "warp_modules.0.norm1.weight": torch.zeros(3),
        UNET + "map_modules.0.weight": torch.zeros(3),
        "fg_encoder.input_blocks.0.0.weight": torch.zeros(3, 3, 1, 1),
        UNET + "input_blocks.4.1.transformer_blocks.0.attn2.to_q.lora_down_foreground.weight": torch.zeros(4, 64),
        "model_ema.num_updates": torch.tensor(3),
    }
    studio, bare = studios_xl("v2"), without(tensors_of("v2"), UNET + "conv_fg.", "bg_encoder.output_blocks.6.")
    loaded = load(bare | more, "xlv2-20ksteps.safetensors")
    ours, usual = (model.model.state_dict() for model in (loaded.model, studio.model))
    assert ours.keys() == usual.keys() and all(torch.equal(ours[name], usual[name]) for name in usual)
    assert loaded.colorizer.checkpoint == studio.colorizer.checkpoint
    assert loaded.model.model.model_type.name == "V_PREDICTION"


def test_image_encoders_outside_the_file(host, pack, studios_xl, tensors_of, load, model_file):
    """As published: neither image encoder is in the file, the tagger comes from a file of its own."""
    from safetensors.torch import save_file

    studio, tensors = studios_xl("base"), tensors_of("base")
    bare = load(without(tensors, "cond_stage_model.", "img_embedder."), "sdxl-published.safetensors")
    assert bare.clip_vision is None and bare.colorizer.tagger is None
    inputs = {"image": studio.picture(), "colorizer": bare.colorizer}
    with pytest.raises(pack.Error, match=r"`clip_vision` is empty.*CLIP-ViT-bigG-14-laion2B-39B-b160k"):
        pack.run("ColorizeEncodeReference", clip_vision=None, **inputs)
    with pytest.raises(pack.Error, match=r"`tagger` is empty.*wd-v1-4-swinv2-tagger-v2.*models/colorize_taggers"):
        pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, **inputs)
    weights = {k.removeprefix("img_embedder."): v for k, v in tensors.items() if k.startswith("img_embedder.")}
    path = model_file("colorize_taggers", "tiny-tagger.safetensors", lambda path: save_file(weights, str(path)))
    (tagger,) = pack.run("ColorizeTaggerLoader", model_name=path.name)
    (carrier,) = pack.run("ColorizeEncodeReference", clip_vision=studio.clip_vision, tagger=tagger, **inputs)
    assert host.torch.equal(carrier.tokens, studio.carrier().tokens)
    assert carrier.checkpoint == bare.colorizer.checkpoint


def test_the_model_is_a_stock_sdxl(studios_xl):
    import comfy.latent_formats
    import comfy.model_base
    import comfy.supported_models
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    model = studios_xl("v2").model.model
    assert type(model) is comfy.model_base.SDXL and type(model.diffusion_model) is UNetModel
    assert isinstance(model.model_config, comfy.supported_models.SDXL)
    assert isinstance(model.latent_format, comfy.latent_formats.SDXL)
    assert not any("lora" in name or "conv_fg" in name for name in model.state_dict())


@pytest.mark.parametrize(
    ("choice", "name", "expected"),
    [
        ("auto", "sdxl-20ksteps.safetensors", "v"),
        ("auto", "xlv2.safetensors", "v"),
        ("v", "sdxl-eps.safetensors", "v"),
        ("eps", "sdxl.safetensors", "eps"),
        ("auto", "sdxl-eps.safetensors", "says eps"),
        ("auto", "XLV2_EPS20k.safetensors", "says eps"),
    ],
)
def test_it_predicts_v_unless_told(pack, studios_xl, choice, name, expected):
    checkpoint, version = pack.module("colorize_core.family.checkpoint"), studios_xl("base").colorizer.version
    if expected in ("v", "eps"):
        assert checkpoint.prediction_type(choice, name, version) == expected
        return
    with pytest.raises(pack.Error, match=f"The name {name} says eps.*Choose v or eps in `prediction`"):
        checkpoint.prediction_type(choice, name, version)


# --- what it refuses ---


def test_an_sdxl_checkpoint_is_named(host, refused):
    message = refused({name: host.torch.zeros(shape) for name, shape in SDXL.items()}, "sd_xl_base_1.0.safetensors")
    assert message.startswith("sd_xl_base_1.0.safetensors is an SDXL checkpoint") and "Load Checkpoint" in message


@pytest.mark.parametrize("start", [*PARTS, "lora"])
def test_a_file_without_one_of_its_parts_names_the_part(tensors_of, refused, start):
    tensors = tensors_of("v2")
    if start == "lora":
        message = refused({name: tensor for name, tensor in tensors.items() if ".lora_" not in name})
    else:
        message = refused(without(tensors, start))
    assert "an incomplete ColorizeDiffusion XL v2-style checkpoint" in message
    assert f"lacks 1: {PARTS.get(start, 'the background LoRA')} (" in message


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_single_missing_weight_is_named(tensors_of, refused, name):
    message = refused(without(tensors_of("v2"), name))
    assert (
        WEIGHTS[name] in message and "xlv2-some.safetensors" in message and "download the checkpoint again" in message
    )


@pytest.mark.parametrize("name", list(WEIGHTS)[::3])
def test_a_weight_of_another_shape_is_named(host, tensors_of, refused, name):
    tensors = tensors_of("v2")
    message = refused({**tensors, name: host.torch.zeros([tensors[name].shape[0] + 1, *tensors[name].shape[1:]])})
    assert WEIGHTS[name] in message and "download the checkpoint again" in message


@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("cond_stage_model.vision_model.encoder.layers.0.", "the image tower"),
        ("cond_stage_model.vision_model.", "the image tower"),
        ("img_embedder.layers.3.", "the tagger"),
        ("img_embedder.layers.1.blocks.0.", "the tagger"),
    ],
)
def test_an_image_encoder_that_is_not_whole_is_named(tensors_of, refused, start, part):
    message = refused(without(tensors_of("base"), start), "sdxl.safetensors")
    assert part in message and "download the checkpoint again" in message


def test_a_tagger_file_that_is_none_or_not_whole(host, pack, tensors_of, model_file):
    from safetensors.torch import save_file

    tagger = {
        k.removeprefix("img_embedder."): v for k, v in tensors_of("base").items() if k.startswith("img_embedder.")
    }
    contents = {
        "vit.safetensors": ({"patch_embed.proj.weight": host.torch.zeros(8, 3, 16, 16)}, "is no WD SwinV2 tagger"),
        "clip.safetensors": ({"visual_projection.weight": host.torch.zeros(8, 8)}, "is no WD SwinV2 tagger"),
        "empty.safetensors": ({}, "is no WD SwinV2 tagger"),
        "short.safetensors": (without(tagger, "layers.2.blocks.0."), "does not fit|sizes of the tagger"),
        "last.safetensors": (without(tagger, "layers.3."), "does not fit"),
        "whole.safetensors": (tagger | {"norm.weight": host.torch.zeros(128, dtype=host.torch.int64)}, "is int64"),
    }
    for name, (tensors, words) in contents.items():
        model_file("colorize_taggers", name, lambda path, tensors=tensors: save_file(tensors, str(path)))
        with pytest.raises(pack.Error, match=words) as caught:
            pack.run("ColorizeTaggerLoader", model_name=name)
        assert name in str(caught.value)
