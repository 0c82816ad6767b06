"""LoRA files of the SD 2.x layout, through ComfyUI's loaders."""

import pytest

SAME, NOTICED = 2e-5, 1e-3
RANK, ALPHA = 4, 2.0
STRENGTH = 0.7

#: How each kind of file ends its names: (down, up).
ENDINGS = {
    "kohya": (".lora_down.weight", ".lora_up.weight"),
    "diffusers": ("_lora.down.weight", "_lora.up.weight"),
    "original": (".lora_down.weight", ".lora_up.weight"),
}


def names_of(kind, model):
    """{start of the name in the file: UNet weight} for attentions, feed-forward and projections of all transformers."""
    import comfy.lora

    starts = {"kohya": ("lora_unet_down_blocks_", "lora_unet_mid_block_", "lora_unet_up_blocks_")}
    starts["diffusers"] = ("unet.down_blocks.", "unet.mid_block.", "unet.up_blocks.")
    starts["original"] = ("lora_unet_input_blocks_", "lora_unet_middle_block_", "lora_unet_output_blocks_")
    shapes = {name: tensor.shape for name, tensor in model.model.state_dict().items()}
    found = {}
    for name, weight in comfy.lora.model_lora_keys_unet(model.model, {}).items():
        in_transformer = ".transformer_blocks." in weight or ".proj_" in weight
        if name.startswith(starts[kind]) and in_transformer and len(shapes[weight]) == 2:
            found[name] = weight
    return found, shapes


@pytest.fixture(scope="session")
def deltas(host, studio):
    """{UNet weight: (down, up)}, the same for all kinds of file."""
    generator = host.torch.Generator().manual_seed(3)
    names, shapes = names_of("original", studio.model)

    def random(*shape):
        return host.torch.randn(*shape, generator=generator)

    return {
        weight: (random(RANK, shapes[weight][1]) / shapes[weight][1] ** 0.5, random(shapes[weight][0], RANK) * 0.05)
        for weight in sorted(names.values())
    }


@pytest.fixture(scope="session")
def lora_file(host, studio, deltas, base_directory):
    """A function that writes a file of one kind into models/loras and returns its name."""
    from safetensors.torch import save_file

    def write(kind):
        names, _ = names_of(kind, studio.model)
        assert set(names.values()) == set(deltas), "a weight of the transformers has no name of this kind"
        tensors = {}
        for name, weight in names.items():
            for ending, tensor in zip(ENDINGS[kind], deltas[weight], strict=True):
                tensors[name + ending] = tensor
            tensors[name + ".alpha"] = host.torch.tensor(ALPHA)
        folder = base_directory / "models" / "loras"
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(folder / f"{kind}.safetensors"))
        return f"{kind}.safetensors"

    return write


@pytest.fixture(scope="session", params=ENDINGS)
def lora_name(request, lora_file):
    return lora_file(request.param)


def load(pack, lora_name, node="LoraLoaderModelOnly"):
    """A function that puts the LoRA on a MODEL."""
    clip = {"clip": None, "strength_clip": 1.0} if node == "LoraLoader" else {}
    return lambda model: pack.run(node, model=model, lora_name=lora_name, strength_model=STRENGTH, **clip)[0]


def test_the_effect_is_that_on_the_plain_model_where_the_pack_adds_nothing(studio, pack, lora_name):
    carrier = studio.carrier()
    patched, positive, negative = studio.apply(carrier)
    with_lora = load(pack, lora_name)
    on_plain = studio.sample(with_lora(studio.model), positive, negative)
    assert studio.difference(studio.sample(with_lora(patched), positive, negative), on_plain) == 0
    before = studio.apply(carrier, model=with_lora(studio.model))
    assert studio.difference(studio.sample(*before), on_plain) == 0
    assert studio.difference(studio.sample(studio.model, positive, negative), on_plain) > NOTICED


@pytest.mark.parametrize("node", ["LoraLoaderModelOnly", "LoraLoader"])
def test_before_and_after_apply_are_the_same_with_everything_on(studio, pack, colour, plain, lora_name, node):
    with_lora = load(pack, lora_name, node)
    before, after = colour(before=with_lora), colour(after=with_lora)
    assert studio.difference(before, after) == 0
    assert studio.difference(before, plain) > NOTICED


def test_a_lora_merged_into_the_checkpoint_by_hand_is_the_lora_loaded(
    host, studio, pack, colour, lora_file, deltas, tiny_tensors, tiny_checkpoint
):
    """Base and split passes see the same weights: those of the file itself would be the same for both."""
    from safetensors.torch import save_file

    merged = dict(tiny_tensors)
    for weight, (down, up) in deltas.items():
        name = f"model.{weight}"
        delta = (STRENGTH * ALPHA / RANK * up @ down).view_as(merged[name])  # 1×1 convolutions in the file
        merged[name] = merged[name] + delta
    path = tiny_checkpoint.with_name("tiny-merged.safetensors")
    save_file(merged, str(path))
    other = type(studio)(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=path.name))
    carrier = other.carrier("background_image", style=True)
    model, positive, negative = other.apply(carrier, other.mask())
    by_hand = other.sample(model, *other.sketch(positive, negative))
    assert studio.difference(colour(after=load(pack, lora_file("kohya"))), by_hand) < SAME


def test_several_loras_add_up_and_strength_zero_is_none(studio, pack, colour, plain, lora_file):
    import comfy.lora  # noqa: F401  (the names come from the loaded host)

    name = lora_file("kohya")

    def half(model):
        return pack.run("LoraLoaderModelOnly", model=model, lora_name=name, strength_model=STRENGTH / 2)[0]

    twice = colour(before=half, after=half)
    assert studio.difference(twice, colour(after=load(pack, name))) < SAME

    def none(model):
        return pack.run("LoraLoaderModelOnly", model=model, lora_name=name, strength_model=0.0)[0]

    assert studio.difference(colour(after=none), plain) == 0
