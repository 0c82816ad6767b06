"""Merging, saving, and MODELs that did not come from Load Colorize Checkpoint."""

import pytest

SAME, NOTICED = 2e-5, 1e-3


@pytest.fixture(scope="module")
def second(pack, second_checkpoint):
    """What the loader gives for another checkpoint of the same layout."""
    return pack.run("ColorizeCheckpointLoader", ckpt_name=second_checkpoint)


def merge(pack, second, ratio):
    """A function that merges a MODEL with that of the second checkpoint."""
    return lambda model: pack.run("ModelMergeSimple", model1=model, model2=second[0], ratio=ratio)[0]


def test_merged_models_colour(studio, pack, colour, plain, second):
    merged = merge(pack, second, 0.5)
    before, after = colour(before=merged), colour(after=merged)
    assert studio.difference(before, after) == 0
    assert studio.difference(before, plain) > NOTICED
    assert studio.difference(colour(before=merge(pack, second, 1.0)), plain) < SAME


def test_all_of_the_second_model_is_the_second_model(studio, pack, colour, second):
    """The colorizer's own parts stay those of the first: only the UNet is merged."""
    import comfy.model_patcher  # noqa: F401

    host = pack.module("colorize_core.host.family.unet")
    unmarked = second[0].clone()
    unmarked.attachments.pop(host.CHECKPOINT_ATTACHMENT)
    assert studio.difference(colour(before=merge(pack, second, 0.0)), colour(before=lambda _: unmarked)) < SAME


def test_by_blocks(studio, pack, colour, second):
    def merged(model):
        inputs = {"input": 0.8, "middle": 0.3, "out": 1.0}
        return pack.run("ModelMergeBlocks", model1=model, model2=second[0], **inputs)[0]

    assert studio.difference(colour(before=merged), colour(after=merged)) == 0


def test_a_model_of_the_second_checkpoint_is_refused(studio, pack, colour, second):
    with pytest.raises(pack.Error, match="another checkpoint"):
        studio.apply(colour.carrier, studio.mask(), second[0])


def test_a_model_without_a_fingerprint_is_taken(studio, pack, colour, plain):
    name = pack.module("colorize_core.host.family.unet").CHECKPOINT_ATTACHMENT

    def unmarked(model):
        model = model.clone()
        model.attachments.pop(name)
        return model

    assert studio.difference(colour(before=unmarked), plain) == 0


# --- saving ---


@pytest.fixture
def output_folder(host, tmp_path):
    usual = host.folder_paths.get_output_directory()
    host.folder_paths.set_output_directory(str(tmp_path))
    yield tmp_path
    host.folder_paths.set_output_directory(usual)


def saved(folder):
    from safetensors.torch import load_file

    (path,) = folder.rglob("*.safetensors")
    return load_file(str(path))


def rebuild(pack, host, tensors, prefix=""):
    """A MODEL of saved weights as ComfyUI's loaders build it.

    They know Stable Diffusion 2 by its published widths only, so its class and the prediction are told here.
    """
    import comfy.model_patcher

    unet = pack.module("colorize_core.host.family.unet")
    weights = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    weights.pop("v_pred", None)
    config = unet.ColorizeSD2(unet.unet_config(weights, "saved.safetensors"), "v")
    config.set_inference_dtype(host.torch.float32, None)
    model = config.get_model(weights, "")
    missing = set(model.diffusion_model.state_dict()) - set(weights)
    assert not missing
    model.load_model_weights(weights, "")
    cpu = host.torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


@pytest.mark.parametrize("node", ["ModelSave", "CheckpointSave"])
def test_saved_and_loaded_again_it_colours_the_same(host, studio, pack, colour, second, output_folder, node):
    """Saved from behind Apply Colorization: the weights are those of the merge, and nothing of ours is in the file."""
    merged = merge(pack, second, 0.5)
    model, positive, negative = colour.patched(before=merged)
    before = studio.sample(model, positive, negative)
    parts = {"clip": None, "vae": studio.vae} if node == "CheckpointSave" else {}
    pack.run(node, model=model, filename_prefix="saved", **parts)
    tensors = saved(output_folder)
    unet = {name for name in tensors if name.startswith("model.diffusion_model.")}
    rest = {name.split(".")[0] for name in set(tensors) - unet}
    assert rest <= {"v_pred", "first_stage_model"} and not [n for n in unet if "lora" in n or "modules" in n]
    reloaded = rebuild(pack, host, tensors, "model.diffusion_model.")
    assert studio.difference(colour(before=lambda _: reloaded), before) < SAME
    assert studio.difference(studio.sample(model, positive, negative), before) == 0, "saving changed the model"


def test_a_saved_checkpoint_is_refused_by_our_loader_with_a_sentence(
    host, studio, pack, colour, output_folder, tiny_checkpoint
):
    model, *_ = colour.patched()
    pack.run("CheckpointSave", model=model, clip=None, vae=studio.vae, filename_prefix="saved")
    (path,) = output_folder.rglob("*.safetensors")
    target = tiny_checkpoint.with_name("saved-by-comfyui.safetensors")
    path.rename(target)
    with pytest.raises(pack.Error, match=r"saved-by-comfyui\.safetensors"):
        pack.run("ColorizeCheckpointLoader", ckpt_name=target.name)


def test_at_the_published_size_the_saved_unet_is_known_to_comfyui(host, pack, golden_keys):
    """What Load Diffusion Model and Load Checkpoint do first with a saved file, on tensors without memory."""
    import comfy.model_detection
    import comfy.supported_models

    checkpoint = pack.module("colorize_core.family.checkpoint")
    tensors = {name: host.torch.empty(shape, device="meta") for name, shape in golden_keys("full").items()}
    parts = checkpoint.split_parts(tensors, "v2-full.safetensors")
    prefix = "model.diffusion_model."
    file = {prefix + name: value for name, value in checkpoint.squeeze_projections(parts["unet"]).items()}
    assert comfy.model_detection.unet_prefix_from_state_dict(file) == prefix
    config = comfy.model_detection.model_config_from_unet(file, prefix)
    assert type(config) is comfy.supported_models.SD20
