"""XL's v2-style model broken off, unloaded and forgotten: its two image encoders, its background encoder, its runs."""

import gc
import weakref

import pytest

#: Most of a phase's work that may follow once cancel has been pressed.
AT_ONCE = 0.1
SAMPLING = {"seed": 3, "cfg": 2.0, "steps": 2, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}


def reference(studio, batch=1):
    image = studio.picture("cancelled", batch=batch)
    return lambda: [studio.pack.run("ColorizeEncodeReference", image=image, **studio.encoders)[0].tokens]


def background(studio):
    inputs = {"carrier": studio.carrier(), "image": studio.picture("hills"), "sketch_mask": studio.mask()}
    inputs |= {"vae": studio.vae, "width": 64, "height": 96, **studio.encoders}
    return lambda: list(studio.pack.run("ColorizeEncodeBackground", **inputs)[0].background_features)


def by_ksampler(studio, coloured, injecting=False):
    model, positive, negative = coloured(studio)
    if injecting:
        inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture("injected")}
        (model,) = studio.pack.run("ColorizeAttentionInjection", model=model, width=64, height=96, **inputs)
    inputs = {"model": model, "positive": positive, "negative": negative}
    inputs["latent_image"] = {"samples": studio.torch.zeros(1, 4, 12, 8)}
    return lambda: [studio.pack.run("KSampler", **inputs, **SAMPLING)[0]["samples"]]


PHASES = {
    "reference": lambda studio, coloured: reference(studio),
    "references": lambda studio, coloured: reference(studio, 5),
    "background": lambda studio, coloured: background(studio),
    "sampling": by_ksampler,
    "attention injection": lambda studio, coloured: by_ksampler(studio, coloured, injecting=True),
}


def same(host, result, expected):
    return len(result) == len(expected) > 0 and all(map(host.torch.equal, result, expected))


@pytest.mark.parametrize("place", [0.5, pytest.param(0.9, marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    "phase",
    ["reference", "background", "sampling"]
    + [pytest.param(phase, marks=pytest.mark.thorough) for phase in ("references", "attention injection")],
)
def test_cancelled_in_every_phase(host, studio_xl_v2, faults_xl, coloured, phase, place):
    work = PHASES[phase](studio_xl_v2, coloured)
    expected = work()
    whole = faults_xl.follow(work).before
    broken = faults_xl.break_off(work, int(place * whole))
    assert broken.pressed and broken.after <= AT_ONCE * whole
    faults_xl.check_clean(broken)
    assert same(host, work(), expected)


def layers_of(studio):
    """Layers at which a run is broken off, with the number of the call."""
    unet = studio.model.model.diffusion_model
    return {
        "the line map's encoder": (studio.control_net.encoder.model, 0),
        "keys of the stored states": (unet.output_blocks[1][1].transformer_blocks[4].attn1.to_k, 0),
        "the soft split": (unet.output_blocks[4][1].transformer_blocks[1].attn2.to_out[0], 1),
    }


@pytest.mark.parametrize(
    "layer",
    ["keys of the stored states"]
    + [pytest.param(layer, marks=pytest.mark.thorough) for layer in ("the line map's encoder", "the soft split")],
)
def test_cancelled_inside_the_patch(host, studio_xl_v2, faults_xl, coloured, layer):
    work = by_ksampler(studio_xl_v2, coloured)
    expected = work()
    module, call = layers_of(studio_xl_v2)[layer]
    with faults_xl.at_call(module, call, faults_xl.press):
        broken = faults_xl.break_off(work)
    faults_xl.check_clean(broken)
    assert same(host, work(), expected)


def test_models_whose_weights_go_away_in_mid_run_give_the_same(host, studio_xl_v2, coloured):
    """What --lowvram leads to on a GPU; the LoRA is then added as each layer runs."""
    import comfy.model_management

    studio = studio_xl_v2
    model, positive, negative = coloured(studio)
    expected = studio.sample(model, positive, negative, steps=2)
    modules = {id(studio.model.model), id(studio.control_net.encoder.model)}

    def callback(step, *args):
        loaded = [entry.model for entry in comfy.model_management.current_loaded_models]
        for patcher in loaded:
            if step == 0:
                patcher.partially_unload(host.torch.device("cpu"), 1 << 40)
        assert {id(patcher.model) for patcher in loaded if patcher.model.model_lowvram} >= modules

    try:
        ours = studio.sample(model, positive, negative, steps=2, callback=callback)
        assert studio.difference(ours, expected) < 1e-5
    finally:
        comfy.model_management.unload_all_models()
    assert studio.difference(studio.sample(model, positive, negative, steps=2), expected) < 1e-6


def test_weights_die_with_the_last_that_needs_them(host, pack, studio_xl_v2, coloured, base_directory, caplog):
    """Nothing of ours keeps a model: not the labels' wrapper, not the stored states' projections, not the LoRA."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    name = "tiny-xl-v2.safetensors"
    other = type(studio_xl_v2)(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=name))
    model, positive, negative = coloured(other)
    inputs = {"control_net": other.control_net, "vae": other.vae, "image": other.picture("injected")}
    (model,) = pack.run("ColorizeAttentionInjection", model=model, width=64, height=96, **inputs)
    other.sample(model, positive, negative, steps=1)
    parts = [part for part in vars(other.colorizer).values() if hasattr(part, "model")]
    parts += [other.model, other.control_net.encoder, other.vae.patcher, other.clip_vision.patcher]
    modules = [weakref.ref(part.model) for part in parts]
    assert len(modules) == 7
    del other, model, parts, positive, negative, inputs
    gc.collect()
    comfy.model_management.cleanup_models_gc()
    assert not [line for line in caplog.messages if "memory leak" in line]
    comfy.model_management.cleanup_models()
    assert [type(ref()).__name__ for ref in modules if ref() is not None] == []
