"""Cancel pressed in every phase, from the loaders to the last step: it is heard at once, nothing stays, and the next
run gives bit for bit what it gives where nothing was ever cancelled."""

import dataclasses

import pytest

#: Most of a phase's work (values worked out) that may follow once cancel has been pressed: a layer or two.
AT_ONCE = 0.1
#: Frames of a batch; what a frame takes is done to its end.
FRAMES = 5
#: Where in the work cancel is pressed.
PLACES = (0.5, *(pytest.param(place, marks=pytest.mark.thorough) for place in (0.01, 0.95)))
SAMPLING = {"seed": 3, "cfg": 2.0, "steps": 3, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}


def tensors_of(result):
    """Return all tensors of what a node gives, in a fixed order."""
    import torch

    if isinstance(result, torch.Tensor):
        return [result]
    if isinstance(result, dict):
        return [tensor for key in sorted(result) for tensor in tensors_of(result[key])]
    if isinstance(result, list | tuple):
        return [tensor for inner in result for tensor in tensors_of(inner)]
    if dataclasses.is_dataclass(result) and hasattr(result, "tokens"):
        return [tensor for field in dataclasses.fields(result) for tensor in tensors_of(getattr(result, field.name))]
    if hasattr(result, "state_dict"):
        return tensors_of(dict(result.state_dict()))
    return tensors_of(getattr(result, "model", None)) if hasattr(result, "model") else []


def loaded_tensors(outputs):
    """Return the weights of everything that a loader gives."""
    parts = []
    for output in outputs:
        inner = [getattr(output, name, None) for name in ("encoder", "patcher")]
        fields = vars(output).values() if hasattr(output, "background_path") else ()
        parts += [part for part in (output, *inner, *fields) if hasattr(part, "model")]
    return [tensor for part in parts for tensor in tensors_of(part)]


def same(host, result, expected):
    assert len(result) == len(expected) > 0
    return all(host.torch.equal(a, b) for a, b in zip(result, expected, strict=True))


@pytest.fixture(scope="module")
def image_network_files(base_directory, golden_keys, golden_weights):
    from safetensors.torch import save_file

    for folder, name, layout in (
        ("colorize_segmenters", "cancel-isnet.safetensors", "isnet"),
        ("colorize_line_extractors", "cancel-lines.safetensors", "sketch-keras"),
    ):
        path = base_directory / "models" / folder
        path.mkdir(parents=True, exist_ok=True)
        save_file(golden_weights(golden_keys(layout)), str(path / name))


@pytest.fixture(scope="module")
def known():
    """A function that does something once for each name."""
    results = {}

    def once(name, make):
        if name not in results:
            results[name] = make()
        return results[name]

    return once


# --- loaders ---

#: Node, inputs, and the most of the work that may follow once cancel has been pressed. The small networks' weights are
#: prepared in a fraction of a second, which is not interrupted.
LOADERS = {
    "checkpoint": ("ColorizeCheckpointLoader", {"ckpt_name": "tiny-v2.safetensors"}, AT_ONCE),
    "segmenter": ("ColorizeSegmenterLoader", {"model_name": "cancel-isnet.safetensors"}, 0.5 + AT_ONCE),
    "line extractor": ("ColorizeLineExtractorLoader", {"model_name": "cancel-lines.safetensors"}, 0.5 + AT_ONCE),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("loader", LOADERS)
def test_while_weights_are_loaded(host, pack, studio, faults, known, image_network_files, loader, place):
    node, inputs, limit = LOADERS[loader]

    def load():
        return pack.run(node, **inputs)

    expected = known((node, "tensors"), lambda: loaded_tensors(load()))
    whole = known((node, "work"), lambda: faults.follow(load).before)
    broken = faults.break_off(load, int(place * whole))
    assert broken.pressed and broken.after <= limit * whole
    assert broken.left() == []
    assert same(host, loaded_tensors(load()), expected)


# --- what is done to pictures before the sampling ---


def encode(node, **inputs):
    def prepare(studio):
        common = {"colorizer": studio.colorizer, "vae": studio.vae, "width": 64, "height": 96}
        common = {} if node == "ColorizeEncodeReference" else common
        carrier = {} if node == "ColorizeEncodeReference" else {"carrier": studio.carrier()}
        image = studio.picture("cancelled", batch=inputs.get("batch", 1))
        more = {name: value for name, value in inputs.items() if name != "batch"}
        return lambda: studio.pack.run(node, image=image, clip_vision=studio.clip_vision, **carrier, **common, **more)

    return prepare


def picture_network(loader, socket, node, **inputs):
    def prepare(studio):
        kind, file, _ = LOADERS[loader]
        (network,) = studio.pack.run(kind, **file)
        image = studio.picture("cancelled", batch=2)
        return lambda: studio.pack.run(node, image=image, **{socket: network}, **inputs)

    return prepare


def frame_by_frame(node, **inputs):
    def prepare(studio):
        image = studio.picture("cancelled", batch=FRAMES)
        mask = studio.mask().expand(FRAMES, -1, -1)
        given = {"image": image, "mask": mask, "mask_a": mask, "mask_b": 1 - mask}
        given |= {"drawing": (image > 0.5).float(), "truth": image.flip(0)}
        declared = studio.pack.node(node).INPUT_TYPES()
        wanted = {name: given[name] for name in given if name in declared["required"] | declared.get("optional", {})}
        return lambda: studio.pack.run(node, **wanted, **inputs)

    return prepare


def flats_of_a_shot(studio):
    """Without a palette: all frames are looked at for their colours, and then each is painted."""
    image = studio.picture("cancelled", batch=FRAMES)
    regions = studio.pack.run("ColorizeLineRegions", drawing=(image > 0.5).float())[0]
    return lambda: studio.pack.run("ColorizeFlats", image=image, regions=regions, shading="two_tones")


def tracks_of_a_shot(studio):
    """Without a palette, of regions without one: colours, then votes, then paint."""
    image = studio.picture("cancelled", batch=FRAMES)
    regions = studio.pack.run("ColorizeLineRegions", drawing=(image > 0.5).float())[0]
    return lambda: studio.pack.run("ColorizeTrackRegions", image=image, regions=regions)


def large(node, **inputs):
    """One picture of 1024×1024, which is worked through in four strips."""

    def prepare(studio):
        image, mask = studio.picture("cancelled", 1024, 1024), studio.mask("middle", (1024, 1024))
        wanted = {"image": image} if node == "ColorizePrepareSketch" else {"mask_a": mask}
        return lambda: studio.pack.run(node, **wanted, **inputs)

    return prepare


PICTURES = {
    "image tower": encode("ColorizeEncodeReference"),
    "image tower, a batch": encode("ColorizeEncodeReference", batch=FRAMES),
    "background": encode("ColorizeEncodeBackground"),
    "style": encode("ColorizeEncodeStyle"),
    "segmenter": picture_network("segmenter", "segmenter", "ColorizeSegmentCharacter", resolution=64),
    "line extractor": picture_network("line extractor", "line_extractor", "ColorizeExtractLines"),
    "drawings": frame_by_frame("ColorizePrepareSketch", lines="pencil", width=64, height=64),
    "masks": frame_by_frame("ColorizeMergeMasks", grow=3, feather=3),
    "bleaching": frame_by_frame("ColorizeBleach"),
    "a large drawing": large("ColorizePrepareSketch", lines="pencil", width=1024, height=1024),
    "a large mask that grows": large("ColorizeMergeMasks", grow=16),
    "a large mask that is feathered": large("ColorizeMergeMasks", feather=16),
    "preview": frame_by_frame("ColorizePreviewRegions", width=64, height=96),
    "palette": frame_by_frame("ColorizeExtractPalette"),
    "lines over colours": frame_by_frame("ColorizeInkOver", line_color="tinted"),
    "regions": frame_by_frame("ColorizeLineRegions"),
    "flats": flats_of_a_shot,
    "tracks": tracks_of_a_shot,
    "layers": frame_by_frame("ColorizeSaveLayers", format="ora"),
    "measuring": frame_by_frame("ColorizeMeasure"),
}
#: How much is done to its end.
PARTS = dict.fromkeys(
    (
        "drawings",
        "masks",
        "bleaching",
        "preview",
        "palette",
        "lines over colours",
        "regions",
        "flats",
        "tracks",
        "layers",
        "measuring",
    ),
    1 / FRAMES,
)
PARTS |= dict.fromkeys(("a large drawing", "a large mask that grows", "a large mask that is feathered"), 1 / 4)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("phase", PICTURES)
def test_while_pictures_are_looked_at(host, studio, fresh, faults, known, image_network_files, phase, place):
    expected = known((phase, "tensors"), lambda: tensors_of(PICTURES[phase](fresh)()))
    work = known((phase, "prepared"), lambda: PICTURES[phase](studio))
    whole = known((phase, "work"), lambda: faults.follow(work).before)
    broken = faults.break_off(work, int(place * whole))
    assert broken.pressed and broken.after <= whole * (AT_ONCE + PARTS.get(phase, 0))
    faults.check_clean(broken)
    assert same(host, tensors_of(work()), expected)


def test_loading_tells_its_progress(pack, progress):
    node, inputs, _ = LOADERS["checkpoint"]
    pack.run(node, **inputs)
    ((first, whole), *_, last) = progress
    assert first <= whole / 5 and last == (whole, whole)
    assert progress == sorted(progress) and len({whole for _, whole in progress}) == 1


@pytest.mark.parametrize("phase", PICTURES)
def test_looking_at_pictures_tells_its_progress(studio, known, image_network_files, progress, phase):
    work = known((phase, "prepared"), lambda: PICTURES[phase](studio))
    progress.clear()
    work()
    assert progress and progress[-1][0] == progress[-1][1]


# --- sampling ---


def latent(studio, batch=1):
    return {"samples": studio.torch.zeros(batch, 4, 12, 8)}


def by_ksampler(coloured, studio, change=None):
    model, positive, negative = coloured(studio)
    inputs = {"model": model if change is None else change(studio, model), "latent_image": latent(studio)}
    inputs |= {"positive": positive, "negative": negative}
    return inputs["model"], lambda: studio.pack.run("KSampler", **inputs, **SAMPLING)


def inject(studio, model):
    inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture("injected")}
    inputs |= {"width": 64, "height": 96, "fidelity": 0.4, "sketch_fidelity": 0.5}
    return studio.pack.run("ColorizeAttentionInjection", model=model, **inputs)[0]


def by_sequence(coloured, studio):
    model, positive, negative = coloured(studio, batch=4)
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent(studio, 4)}
    return model, lambda: studio.pack.run("ColorizeSampleSequence", **inputs, chunk_size=2, **SAMPLING)


def dual_guider(coloured, studio):
    model, positive, negative = coloured(studio)
    blank, _ = studio.sketch(positive, negative, studio.line_map() * 0)
    conds = {"positive": positive, "negative": negative, "blank_sketch": blank}
    return studio.pack.run("ColorizeGuider", model=model, **conds, cfg_reference=2.0, cfg_sketch=1.5)[0]


def by_guider(coloured, studio, guider=None):
    run = studio.pack.run
    guider = guider or dual_guider(coloured, studio)
    model = guider.model_patcher
    (sampler,) = run("KSamplerSelect", sampler_name="euler")
    (sigmas,) = run("BasicScheduler", model=model, scheduler="normal", steps=3, denoise=1.0)
    (noise,) = run("RandomNoise", noise_seed=3)
    inputs = {"noise": noise, "guider": guider, "sampler": sampler, "sigmas": sigmas, "latent_image": latent(studio)}
    return model, lambda: run("SamplerCustomAdvanced", **inputs)


SAMPLERS = {
    "KSampler": by_ksampler,
    "attention injection": lambda coloured, studio: by_ksampler(coloured, studio, inject),
    "Sample Sequence": by_sequence,
    "Colorize Guider": by_guider,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_while_sampling(host, studio, fresh, faults, known, coloured, sampler, place):
    expected = known((sampler, "latent"), lambda: tensors_of(SAMPLERS[sampler](coloured, fresh)[1]()))
    model, work = known((sampler, "prepared"), lambda: SAMPLERS[sampler](coloured, studio))
    whole = known((sampler, "work"), lambda: faults.follow(work).before)
    options = faults.options(model)
    broken = faults.break_off(work, int(place * whole))
    assert broken.pressed and broken.after <= AT_ONCE * whole
    faults.check_clean(broken)
    assert faults.options(model) == options
    assert same(host, tensors_of(work()), expected)


def lora(studio):
    return studio.colorizer.background_path.model.lora.blocks["5"]["to_q"]["fg"].down


def injection(studio):
    return studio.colorizer.background_path.model.injection.warp_modules[4].attn


#: A layer at which cancel is pressed, and at which of its calls; three steps, both conditionings in one call.
LAYERS = {
    "the line map's encoder": (lambda studio: studio.control_net.encoder.model, 0),
    "the first step": (lambda studio: studio.model.model.diffusion_model.input_blocks[4][0], 0),
    "a middle step": (lambda studio: studio.model.model.diffusion_model.middle_block[1], 1),
    "the last step": (lambda studio: studio.model.model.diffusion_model.output_blocks[7][0], 2),
    "the attention's replacement": (lora, 1),
    "injection, as its keys are made": (lambda studio: injection(studio).to_k, 0),
    "injection": (lambda studio: injection(studio).to_out[0], 1),
    "style": (lambda studio: studio.colorizer.style.model.style_modules[6][2], 1),
    "the last layers": (lambda studio: studio.model.model.diffusion_model.out[2], 2),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_inside_the_patch_and_at_every_step(host, studio, fresh, faults, known, coloured, layer):
    expected = known(("KSampler", "latent"), lambda: tensors_of(SAMPLERS["KSampler"](coloured, fresh)[1]()))
    model, work = known(("KSampler", "prepared"), lambda: SAMPLERS["KSampler"](coloured, studio))
    options = faults.options(model)
    module, call = LAYERS[layer]
    with faults.at_call(module(studio), call, faults.press):
        broken = faults.break_off(work)
    faults.check_clean(broken)
    assert faults.options(model) == options
    assert same(host, tensors_of(work()), expected)


@pytest.mark.parametrize("call", [0, 1, 4])
def test_while_the_reference_is_denoised_for_attention_injection(host, studio, fresh, faults, known, coloured, call):
    """Calls 0, 2 and 4 are the reference's, whose attention inputs are kept; 1, 3 and 5 look at them."""
    name = "attention injection"
    expected = known((name, "latent"), lambda: tensors_of(SAMPLERS[name](coloured, fresh)[1]()))
    _, work = known((name, "prepared"), lambda: SAMPLERS[name](coloured, studio))
    with faults.at_call(studio.model.model.diffusion_model.output_blocks[5][0], call, faults.press):
        broken = faults.break_off(work)
    faults.check_clean(broken)
    assert same(host, tensors_of(work()), expected)


def test_a_guider_holds_nothing_of_a_cancelled_run(studio, faults, coloured):
    """ComfyUI keeps the GUIDER in its cache, with whatever a run has left on it."""
    guider = dual_guider(coloured, studio)
    before = set(vars(guider))
    _, work = by_guider(coloured, studio, guider)
    with faults.at_call(studio.model.model.diffusion_model.middle_block[1], 1, faults.press):
        faults.break_off(work)
    assert set(vars(guider)) == before
    work()
    assert set(vars(guider)) == before
