"""XL's v2-style model among other nodes and packs, with a background: LoRA, ControlNet, adapters, patches, parts."""

from pathlib import Path

import pytest
from module_files import load_file

HERE = Path(__file__).parent
SAME, NOTICED = 2e-5, 1e-3
#: Sums in another order, or a Fourier transform and back.
ROUNDED = 1e-4
STEPS = 2
#: IP-Adapter and its kin name each transformer of SDXL by itself.
BLOCKS = [
    *(("input", block, layer) for block, layers in ((4, 2), (5, 2), (7, 10), (8, 10)) for layer in range(layers)),
    *(("middle", 0, layer) for layer in range(10)),
    *(("output", block, layer) for block, layers in ((0, 10), (2, 10), (3, 2), (5, 2)) for layer in range(layers)),
]
adapt = load_file(HERE / "adapter_pack" / "__init__.py", "adapter_pack_xl").adapt
parts = load_file(HERE / "test_parts_of_the_picture.py", "parts_of_the_picture_xl")


@pytest.fixture(scope="module")
def studio(studio_xl_v2):
    return studio_xl_v2


@pytest.fixture(scope="module")
def carrier(studio):
    return studio.carrier("background_image")


@pytest.fixture(scope="module")
def colour(studio, carrier):
    """A function: nodes before and after Apply Colorization -> the latent."""

    def run(before=None, after=None, noise=None, mask=None, carrier=carrier, lines=None, steps=STEPS):
        model = studio.model if before is None else before(studio.model)
        model, *conditioning = studio.apply(carrier, studio.mask() if mask is None else mask, model)
        model = model if after is None else after(model)
        latent = studio.sample(model, *studio.sketch(*conditioning, lines), noise, steps=steps)
        assert latent.isfinite().all()
        return latent

    return run


@pytest.fixture(scope="module")
def plain(colour):
    return colour()


def put(studio, node, **inputs):
    """A function that puts a node's patch on a MODEL; HyperTile and ToMe draw from the global generator."""

    def install(model):
        studio.torch.manual_seed(0)
        return studio.pack.run(node, model=model, **inputs)[0]

    return install


# --- LoRA ---


@pytest.fixture(scope="module", params=["kohya", pytest.param("diffusers", marks=pytest.mark.thorough)])
def lora_name(request, host, studio, base_directory):
    """A LoRA for SDXL on all cross-attentions, which the background's own LoRA patches too."""
    import comfy.lora
    from safetensors.torch import save_file

    start, down, up = {
        "kohya": ("lora_unet_", ".lora_down.weight", ".lora_up.weight"),
        "diffusers": ("unet.", "_lora.down.weight", "_lora.up.weight"),
    }[request.param]
    generator, tensors = host.torch.Generator().manual_seed(3), {}
    shapes = {name: tensor.shape for name, tensor in studio.model.model.state_dict().items()}
    names = comfy.lora.model_lora_keys_unet(studio.model.model, {})
    weights = {
        weight: name for name, weight in sorted(names.items()) if name.startswith(start) and ".attn2.to_" in weight
    }
    for weight, name in weights.items():
        c_out, c_in = shapes[weight]
        tensors[name + down] = host.torch.randn(4, c_in, generator=generator) / c_in**0.5
        tensors[name + up] = host.torch.randn(c_out, 4, generator=generator) * 0.05
    assert len(weights) == 4 * 70
    folder = base_directory / "models" / "loras"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(folder / f"xl-{request.param}.safetensors"))
    return f"xl-{request.param}.safetensors"


def test_a_lora_for_sdxl_before_and_after_apply_and_on_the_plain_model(studio, colour, plain, lora_name):
    with_lora = put(studio, "LoraLoaderModelOnly", lora_name=lora_name, strength_model=0.7)
    before, after = colour(before=with_lora), colour(after=with_lora)
    assert studio.difference(before, after) < SAME and studio.difference(before, plain) > NOTICED
    patched, *conditioning = studio.apply(studio.carrier())
    both = (with_lora(patched), with_lora(studio.model))
    ours, stock = (studio.sample(model, *conditioning, steps=1) for model in both)
    assert studio.difference(ours, stock) == 0
    off = put(studio, "LoraLoaderModelOnly", lora_name=lora_name, strength_model=0.0)
    assert studio.difference(colour(after=off), plain) == 0


# --- ControlNet ---


@pytest.fixture(scope="module")
def controlnet(host, studio, pack, base_directory):
    """A CONTROL_NET of ComfyUI's own loader for SDXL's labels of 2816 numbers, with made-up weights."""
    import comfy.cldm.cldm
    import comfy.ops
    from safetensors.torch import save_file

    config = dict(studio.model.model.model_config.unet_config)
    config.pop("out_channels")
    config |= {"hint_channels": 3, "adm_in_channels": 2816, "operations": comfy.ops.manual_cast}
    config |= {"dtype": host.torch.float32}
    module = comfy.cldm.cldm.ControlNet(**config)
    generator, weights = host.torch.Generator().manual_seed(5), {}
    for name, weight in module.state_dict().items():
        drawn = host.torch.randn(weight.shape, generator=generator)
        ones = weight.ndim == 1 and name.endswith("weight")
        weights[name] = drawn / weight[0].numel() ** 0.5 if weight.ndim > 1 else ones + 0.1 * drawn
    folder = base_directory / "models" / "controlnet"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, str(folder / "tiny-sdxl.safetensors"))
    return pack.run("ControlNetLoader", control_net_name="tiny-sdxl.safetensors")[0]


def test_a_controlnet_for_sdxl_is_told_sdxls_labels_and_the_unet_its_own(studio, carrier, controlnet):
    model, *conditioning = studio.apply(carrier, studio.mask())
    sketch, depth = (studio.control_net, studio.line_map(), 0.8), (controlnet, studio.picture("depth", 96, 64), 0.4)
    told = {"unet": set(), "controlnet": set()}
    handles = [
        module.label_emb.register_forward_pre_hook(lambda _, args, name=name: told[name].add(tuple(args[0].shape[1:])))
        for name, module in (("unet", model.model.diffusion_model), ("controlnet", controlnet.control_model))
    ]

    def run(*chain):
        conds = conditioning
        for control, image, strength in chain:
            conds = studio.sketch(*conds, image, control, strength=strength)
        return studio.sample(model, *conds, steps=1)

    try:
        before, after, alone = run(depth, sketch), run(sketch, depth), run(sketch)
    finally:
        for handle in handles:
            handle.remove()
    assert told == {"unet": {(512,)}, "controlnet": {(2816,)}}
    assert studio.difference(before, after) < SAME and studio.difference(before, alone) > NOTICED


# --- adapters ---


def test_an_adapter_adds_to_ours_in_either_order(studio, colour, plain):
    theirs = adapt(blocks=BLOCKS)
    first, last = colour(before=theirs), colour(after=theirs)
    assert studio.difference(first, last) < SAME and studio.difference(first, plain) > NOTICED
    assert studio.difference(colour(after=adapt(weight=0.0, blocks=BLOCKS)), plain) < SAME
    assert studio.difference(colour(), plain) == 0, "the adapter has joined the MODEL that went in"


# --- patches of the core ---

#: node: (inputs that do something, inputs that do nothing, whether the order of the nodes is that of the patches)
PATCHES = {
    "FreeU_V2": ({}, {"b1": 1.0, "b2": 1.0, "s1": 1.0, "s2": 1.0}, True),
    "PerturbedAttentionGuidance": ({}, {"scale": 0.0}, False),
    "RescaleCFG": ({}, {"multiplier": 0.0}, False),
    "PatchModelAddDownscale": (
        {"downscale_method": "bicubic", "upscale_method": "bicubic", "end_percent": 1.0},
        {"downscale_method": "bicubic", "upscale_method": "bicubic", "downscale_factor": 1.0},
        False,
    ),
}


@pytest.mark.parametrize(
    "name", ["FreeU_V2", *(pytest.param(name, marks=pytest.mark.thorough) for name in list(PATCHES)[1:])]
)
def test_a_patch_of_the_core_acts_in_either_order_and_off_changes_nothing(studio, colour, plain, name):
    on, off, ordered = PATCHES[name]
    first, last = colour(before=put(studio, name, **on)), colour(after=put(studio, name, **on))
    assert studio.difference(first, plain) > NOTICED and studio.difference(last, plain) > NOTICED
    assert ordered or studio.difference(first, last) < ROUNDED
    assert studio.difference(colour(after=put(studio, name, **off)), plain) < ROUNDED


def test_hyper_tile_is_told_and_leaves_the_background_out(studio, carrier, caplog):
    """Where its tiles are, the background's tokens cannot look at the stored states; nothing fails."""
    size, patch = (128, 128), put(studio, "HyperTile", tile_size=32, max_depth=1)
    model, *conditioning = studio.apply(carrier, studio.mask(size=size))
    latent = studio.sample(patch(model), *conditioning, studio.noise(size), steps=STEPS)
    assert latent.isfinite().all()
    assert len([line for line in caplog.messages if "cuts the self-attentions into tiles" in line]) == 1


@pytest.fixture(scope="module")
def injected(studio, pack):
    """A function that puts Attention Injection on a MODEL."""
    inputs = {
        "control_net": studio.control_net,
        "vae": studio.vae,
        "image": studio.picture(),
        "width": 64,
        "height": 96,
    }
    return put(studio, "ColorizeAttentionInjection", **inputs)


def test_attention_injection_and_perturbed_attention(studio, colour, injected):
    on, off = (put(studio, "PerturbedAttentionGuidance", scale=scale) for scale in (3.0, 0.0))
    alone = colour(after=injected, steps=1)
    for chain in (lambda model: on(injected(model)), lambda model: injected(on(model))):
        assert studio.difference(colour(after=chain, steps=1), alone) > NOTICED
    assert studio.difference(colour(after=lambda model: injected(off(model)), steps=1), alone) < ROUNDED


def test_a_replacement_of_the_self_attentions_of_a_block_goes_before_stored_states(studio, colour, plain):
    """As other packs choose blocks for perturbed attention: by their names alone, at the time of a call or before."""

    def perturbed(q, k, v, extra_options, mask=None):
        return v

    def replaced(model):
        model = model.clone()
        model.set_model_attn1_replace(perturbed, "output", 1)
        return model

    first, last = colour(before=replaced), colour(after=replaced)
    assert studio.difference(last, plain) > NOTICED and studio.difference(first, plain) > NOTICED


# --- compilation, inpainting ---


@pytest.mark.thorough
def test_a_compiled_model_gives_the_same(host, studio, colour, plain):
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    host.torch._dynamo.reset()

    def compiled(model):
        model = model.clone()
        set_torch_compile_wrapper(model=model, backend="eager")
        return model

    assert studio.difference(colour(after=compiled), plain) < ROUNDED


def test_inpainting_keeps_what_is_not_masked(studio, pack, carrier):
    (source,) = pack.run("VAEEncode", vae=studio.vae, pixels=studio.picture("finished", 96, 64))
    (masked,) = pack.run("SetLatentNoiseMask", samples=source, mask=studio.mask("top"))
    model, positive, negative = studio.apply(carrier, studio.mask())
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": masked, "seed": 3}
    inputs |= {"steps": STEPS, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 0.6}
    (latent,) = pack.run("KSampler", **inputs)
    upper, lower = (studio.difference(latent["samples"][:, :, rows], source["samples"][:, :, rows])
                    for rows in (slice(0, 5), slice(7, None)))  # fmt: skip
    assert upper > NOTICED and lower < SAME


# --- parts of the picture, parts of the batch ---


def area_of(pack, conditioning, area):
    height, width, y, x = area
    inputs = {"conditioning": conditioning, "height": height, "width": width, "y": y, "x": x, "strength": 1.0}
    return pack.run("ConditioningSetArea", **inputs)[0]


def test_mask_line_map_and_size_in_an_area_and_in_a_tile(host, studio, pack, carrier):
    """An area and a tile at the same place are the same, and both are told the size of the whole picture."""
    torch, noise, lines = host.torch, studio.noise(), studio.line_map()
    mask = studio.mask("middle")
    model, *conditioning = studio.apply(carrier, mask)
    conditioning = studio.sketch(*conditioning, lines)
    whole = studio.sample(model, *conditioning, noise, steps=1)
    ours = studio.sample(model, *(area_of(pack, c, (96, 64, 0, 0)) for c in conditioning), noise, steps=1)
    assert studio.difference(ours, whole) < SAME
    (top, left), (height, width) = (32, 32), parts.TILE
    place = (..., slice(top // 8, (top + height) // 8), slice(left // 8, (left + width) // 8))
    in_area = studio.sample(
        model, *(area_of(pack, c, (height, width, top, left)) for c in conditioning), noise, steps=1
    )[place]
    tiled = model.clone()
    tiled.set_model_unet_function_wrapper(parts.Tiles(torch))
    control = conditioning[0][0][1]["control"]
    control.get_control = lambda *args: control  # as Tiled Diffusion does; the control is asked by tile
    in_tiles = studio.sample(tiled, *conditioning, noise, steps=1)[place]
    assert studio.difference(in_tiles, in_area) < SAME and studio.difference(in_tiles, whole[place]) > NOTICED
    # What lies under the tile is what counts: the same crop of another mask gives the same, another crop does not.
    for other, limit in ((studio.mask("all"), NOTICED), (mask.clone(), None)):
        again, *conds = studio.apply(carrier, other)
        latent = studio.sample(
            again, *(area_of(pack, c, (height, width, top, left)) for c in studio.sketch(*conds, lines)), noise, steps=1
        )[place]
        assert studio.difference(latent, in_area) > limit if limit else studio.difference(latent, in_area) == 0


def test_context_windows_take_each_picture_s_own(host, studio, colour):
    """Masks, line maps, references and backgrounds, one for each picture."""
    noise, lines = studio.noise(batch=4), studio.line_map(batch=4)
    masks = host.torch.cat([studio.mask(kind) for kind in ("left", "none", "all", "top")])
    carrier = studio.carrier("background_image", batch=4, mask=masks)
    inputs = {"context_length": 2, "context_overlap": 0, "context_schedule": "standard_static", "closed_loop": False}
    inputs |= {"context_stride": 1, "fuse_method": "pyramid", "dim": 0}
    common = {"noise": noise, "mask": masks, "carrier": carrier, "lines": lines, "steps": 3}
    whole = colour(**common)
    assert studio.difference(colour(after=put(studio, "ContextWindowsManual", **inputs), **common), whole) < SAME
    assert studio.difference(whole[1], whole[0]) > NOTICED


@pytest.mark.parametrize("injecting", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_shot_is_the_same_however_it_is_cut(host, studio, pack, injecting):
    masks = host.torch.cat([studio.mask(kind) for kind in ("left", "none", "top")])
    carrier = studio.carrier("background_image", batch=3, mask=masks)
    model, *conditioning = studio.apply(carrier, masks)
    if injecting:
        inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture(batch=3)}
        (model,) = pack.run("ColorizeAttentionInjection", model=model, width=64, height=96, **inputs)
    positive, negative = studio.sketch(*conditioning, studio.line_map(batch=3))
    inputs = {"model": model, "positive": positive, "negative": negative, "seed": 11, "steps": STEPS, "cfg": 2.0}
    inputs |= {"latent_image": {"samples": host.torch.zeros(3, 4, 12, 8)}, "sampler_name": "euler"}
    inputs |= {"scheduler": "normal", "seed_rule": "seed_per_frame"}
    whole, single = (pack.run("ColorizeSampleSequence", **inputs, chunk_size=size)[0]["samples"] for size in (3, 1))
    assert studio.difference(single, whole) < SAME and studio.difference(whole[1], whole[0]) > NOTICED
