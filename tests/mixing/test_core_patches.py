"""ComfyUI's own model patches before and after Apply Colorization, with everything on."""

import pytest

SAME, NOTICED = 2e-5, 1e-3

#: node: (inputs that do something, inputs that do nothing)
PATCHES = {
    "FreeU": ({}, {"b1": 1.0, "b2": 1.0, "s1": 1.0, "s2": 1.0}),
    "FreeU_V2": ({}, {"b1": 1.0, "b2": 1.0, "s1": 1.0, "s2": 1.0}),
    "PerturbedAttentionGuidance": ({}, {"scale": 0.0}),
    "SelfAttentionGuidance": ({}, {"scale": 0.0}),
    "RescaleCFG": ({}, {"multiplier": 0.0}),
    "ModelSamplingDiscrete": (
        {"sampling": "v_prediction", "zsnr": True},
        {"sampling": "v_prediction", "zsnr": False},
    ),
    "HyperTile": ({"tile_size": 32, "max_depth": 1}, {"tile_size": 2048}),
    "TomePatchModel": ({"ratio": 0.5}, {"ratio": 0.0}),
    "PatchModelAddDownscale": (
        {"downscale_method": "bicubic", "upscale_method": "bicubic", "end_percent": 1.0},
        {"downscale_method": "bicubic", "upscale_method": "bicubic", "downscale_factor": 1.0},
    ),
    "DifferentialDiffusion": (None, {}),  # does something where there is a denoise mask: see test_sampling
    "ContextWindowsManual": (
        None,  # does something where there is a batch: see below
        {"context_length": 1, "context_overlap": 0, "context_schedule": "standard_static", "closed_loop": False}
        | {"context_stride": 1, "fuse_method": "pyramid", "dim": 0},
    ),
}
ACTING = [name for name, (on, _) in PATCHES.items() if on is not None]
#: Those for which the order of the nodes is the order of the patches on the skips.
ORDERED = ("FreeU", "FreeU_V2")
#: Self-attention guidance cannot work on the two positions that the middle block has of the usual picture.
SIZES = {"SelfAttentionGuidance": (128, 128)}
#: Sums in another order, or a Fourier transform and back.
ROUNDED = 1e-4


@pytest.fixture
def put(pack, host):
    """A function that makes a function that puts a node's patch on a MODEL."""

    def with_node(name, inputs):
        def install(model):
            host.torch.manual_seed(0)
            return pack.run(name, model=model, **inputs)[0]

        return install

    return with_node


@pytest.fixture
def noise_for(studio):
    """A function that makes noise of a size that a node can work on."""
    return lambda name: studio.noise(SIZES.get(name, (96, 64)))


@pytest.mark.parametrize("name", PATCHES)
def test_switched_off_it_changes_nothing(studio, colour, noise_for, put, name):
    off, noise = put(name, PATCHES[name][1]), noise_for(name)
    without = colour(noise=noise)
    for where in ("before", "after"):
        assert studio.difference(colour(**{where: off}, noise=noise), without) < ROUNDED


@pytest.mark.parametrize("name", ACTING)
def test_switched_on_it_acts_in_either_order(host, studio, colour, noise_for, put, name):
    noise, latents = noise_for(name), []
    without = colour(noise=noise)
    for where in ("before", "after"):
        host.torch.manual_seed(0)  # HyperTile and ToMe draw from the global generator
        latents.append(colour(**{where: put(name, PATCHES[name][0])}, noise=noise))
        assert studio.difference(latents[-1], without) > NOTICED
    if name not in ORDERED:
        assert studio.difference(*latents) < ROUNDED


def test_many_at_once(studio, colour, plain, put):
    def all_of_them(model):
        for name in ("FreeU_V2", "PerturbedAttentionGuidance", "RescaleCFG", "TomePatchModel"):
            model = put(name, PATCHES[name][0])(model)
        return model

    for where in ("before", "after"):
        assert studio.difference(colour(**{where: all_of_them}), plain) > NOTICED


def test_guidance_by_reference_and_sketch_with_a_guidance_of_the_core(host, studio, pack, colour, put):
    model, positive, negative = colour.patched(after=put("PerturbedAttentionGuidance", {"scale": 2.0}))
    _, bare, _ = studio.apply(colour.carrier, studio.mask())
    blank, _ = studio.sketch(bare, bare, studio.line_map() * 0)
    (guider,) = pack.run(
        "ColorizeGuider", model=model, positive=positive, negative=negative, blank_sketch=blank, cfg_sketch=2.0
    )
    (sampler,) = pack.run("KSamplerSelect", sampler_name="euler")
    (sigmas,) = pack.run("BasicScheduler", model=model, scheduler="normal", steps=2, denoise=1.0)
    (noise,) = pack.run("RandomNoise", noise_seed=1)
    latent = {"samples": host.torch.zeros_like(studio.noise())}
    inputs = {"noise": noise, "guider": guider, "sampler": sampler, "sigmas": sigmas, "latent_image": latent}
    output, _ = pack.run("SamplerCustomAdvanced", **inputs)
    assert output["samples"].isfinite().all()


# --- attention injection, which acts on the self-attentions as these do ---


@pytest.fixture
def injected(studio, pack):
    """A function that puts Attention Injection on a MODEL."""

    def install(model):
        inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture()}
        return pack.run("ColorizeAttentionInjection", model=model, width=64, height=96, **inputs)[0]

    return install


@pytest.mark.parametrize(
    "name", ["PerturbedAttentionGuidance", "SelfAttentionGuidance", "TomePatchModel", "HyperTile", "FreeU"]
)
def test_attention_injection_and_a_patch_of_the_self_attentions(studio, colour, noise_for, put, injected, name):
    on, off = (put(name, inputs) for inputs in PATCHES[name])
    noise = noise_for(name)
    alone = colour(after=injected, noise=noise)
    for chain in (lambda m: on(injected(m)), lambda m: injected(on(m))):
        assert studio.difference(colour(after=chain, noise=noise), alone) > NOTICED
    if name != "SelfAttentionGuidance":  # it takes the middle block over, also at scale 0
        assert studio.difference(colour(after=lambda m: injected(off(m)), noise=noise), alone) < ROUNDED


# --- context windows over the pictures of a batch ---


def windows(put, length):
    inputs = PATCHES["ContextWindowsManual"][1] | {"context_length": length}
    return put("ContextWindowsManual", inputs)


@pytest.mark.parametrize("length", [2, 3])
def test_context_windows_take_each_picture_s_own_mask(host, studio, colour, put, length):
    """The UNet sees every picture alone, so windows over a batch change nothing but what is computed together."""
    noise = studio.noise(batch=4)
    masks = host.torch.cat([studio.mask(kind) for kind in ("left", "none", "all", "top")])
    whole = colour(mask=masks, noise=noise)
    assert studio.difference(colour(after=windows(put, length), mask=masks, noise=noise), whole) < SAME


def test_context_windows_take_each_picture_s_own_line_map(host, studio, colour, put):
    noise, line_maps = studio.noise(batch=4), studio.line_map(batch=4)
    model, positive, negative = studio.apply(colour.carrier, studio.mask())
    positive, negative = studio.sketch(positive, negative, line_maps)
    whole = studio.sample(model, positive, negative, noise)
    assert studio.difference(studio.sample(windows(put, 2)(model), positive, negative, noise), whole) < SAME
