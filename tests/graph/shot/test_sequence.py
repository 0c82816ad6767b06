"""A shot: every frame comes out the same however the shot is cut."""

import itertools

import pytest

SIZE = (96, 64)
FRAMES = 8
TOLERANCE = 1e-4
SETTINGS = {"seed": 11, "steps": 2, "cfg": 4.0, "sampler_name": "euler", "scheduler": "normal"}


def with_lines(studio, model_positive_negative, lines):
    model, positive, negative = model_positive_negative
    return model, *studio.sketch(positive, negative, lines)


@pytest.fixture(scope="module")
def shot(studio):
    """(model, positive, negative) of eight frames, each with a line map and a mask of its own."""
    torch = studio.torch
    masks = torch.zeros(FRAMES, *SIZE)
    for frame in range(FRAMES):
        masks[frame, 8 : 40 + 5 * frame, 4 + 4 * frame : 30 + 4 * frame] = 1.0
    carrier = studio.carrier(background="background_image", style=True)
    return with_lines(studio, studio.apply(carrier, masks), studio.line_map(batch=FRAMES))


@pytest.fixture(scope="module")
def sample(studio):
    """A function that samples a shot, cut as asked, through the node."""

    def run(shot, cut=(FRAMES,), first_frame=0, **settings):
        """Each number of `cut` is a batch of its own; only its own part of the shot goes into the node."""
        model, positive, negative = shot
        latent = {"samples": studio.torch.zeros(sum(cut), 4, SIZE[0] // 8, SIZE[1] // 8)}
        (sampled,) = studio.pack.run(
            "ColorizeSampleSequence",
            model=model,
            positive=positive,
            negative=negative,
            latent_image=latent,
            first_frame=first_frame,
            **{**SETTINGS, **settings},
        )
        return sampled["samples"]

    return run


@pytest.mark.parametrize("rule", ["same_noise", "seed_per_frame"])
@pytest.mark.parametrize("chunk", [1, 3, 0])
def test_chunks_do_not_matter(studio, shot, sample, rule, chunk):
    whole = sample(shot, chunk_size=8, seed_rule=rule)
    assert whole.shape == (FRAMES, 4, 12, 8)
    assert studio.difference(sample(shot, chunk_size=chunk, seed_rule=rule), whole) <= TOLERANCE
    assert min(studio.difference(a, b) for a, b in itertools.pairwise(whole)) > 0.01, "all frames look the same"


@pytest.mark.parametrize(
    ("studio", "rule", "cut"),
    [
        *(("v2", rule, cut) for rule in ("same_noise", "seed_per_frame") for cut in ((3, 5), (1,) * 8)),
        *((version, "seed_per_frame", (3, 5)) for version in ("switch", "mult")),
    ],
    indirect=["studio"],
)
def test_parts_of_a_shot_are_its_frames(studio, sample, rule, cut):
    """As on several machines: every part has its own line maps, masks and first_frame."""
    torch = studio.torch
    masks, lines = torch.zeros(FRAMES, *SIZE), studio.line_map(batch=FRAMES)
    for frame in range(FRAMES):
        masks[frame, :, : 8 * frame] = 1.0
    carrier = studio.carrier(background="background_image")

    def part(start, stop):
        shot = with_lines(studio, studio.apply(carrier, masks[start:stop]), lines[start:stop])
        return sample(shot, (stop - start,), first_frame=100 + start, seed_rule=rule)

    ends = [*itertools.accumulate(cut)]
    parts = torch.cat([part(stop - length, stop) for length, stop in zip(cut, ends, strict=True)])
    assert studio.difference(parts, part(0, FRAMES)) <= TOLERANCE


@pytest.mark.parametrize(
    "sampler_name", ["euler_ancestral", "dpmpp_2m_sde", "dpmpp_sde_gpu", "lcm", "er_sde", "uni_pc"]
)
def test_samplers_that_add_noise(studio, shot, sample, sampler_name):
    whole = sample(shot, chunk_size=8, seed_rule="seed_per_frame", sampler_name=sampler_name, steps=3)
    pieces = sample(shot, chunk_size=3, seed_rule="seed_per_frame", sampler_name=sampler_name, steps=3)
    assert studio.torch.isfinite(whole).all()
    assert studio.difference(pieces, whole) <= TOLERANCE


def test_a_sampler_with_steps_for_the_whole_batch_goes_frame_by_frame(studio, shot, sample):
    """dpm_adaptive chooses its steps by the error over the batch; many of them, so that one frame has to do here."""
    module = studio.pack.module("colorize_core.host.shot.sequence")
    settings = module.SequenceSettings(sampler_name="dpm_adaptive", chunk_size=8)
    conds = dict(zip(("positive", "negative"), shot[1:], strict=True))
    latent = studio.torch.zeros(FRAMES, 4, 12, 8)
    assert module.Shot(shot[0], conds, latent, None, range(FRAMES), settings).chunk_size() == 1


@pytest.mark.slow
def test_every_sampler_of_the_host(studio, sample):
    """A sampler whose own noise cannot be given to it would be noticed by a cut that shows."""
    carrier = studio.carrier()
    shot = with_lines(studio, studio.apply(carrier), studio.line_map(batch=2))
    import comfy.samplers

    for name in set(comfy.samplers.KSampler.SAMPLERS) - {"dpm_adaptive"}:
        settings = {"sampler_name": name, "steps": 3, "seed_rule": "seed_per_frame"}
        whole = sample(shot, (2,), chunk_size=2, **settings)
        assert studio.difference(sample(shot, (2,), chunk_size=1, **settings), whole) <= TOLERANCE, name


def test_a_frame_is_what_ksampler_gives(studio, sample):
    carrier = studio.carrier()
    lines = studio.line_map(batch=3)
    frames = sample(with_lines(studio, studio.apply(carrier), lines), (3,), first_frame=5, seed_rule="seed_per_frame")
    model, positive, negative = with_lines(studio, studio.apply(carrier), lines[1:2])
    (alone,) = studio.pack.run(
        "KSampler",
        model=model,
        positive=positive,
        negative=negative,
        latent_image={"samples": studio.torch.zeros(1, 4, 12, 8)},
        denoise=1.0,
        **{**SETTINGS, "seed": SETTINGS["seed"] + 6},
    )
    assert studio.difference(frames[1:2], alone["samples"]) <= TOLERANCE


def test_frames_that_are_left_out_do_not_move_the_others(studio, sample):
    """Drawings on twos, sampled alone: each is the frame that it is in the whole shot, and in every part of it."""
    model, lines = studio.apply(studio.carrier()), studio.line_map(batch=4)

    def part(frames, **numbers):
        shot = with_lines(studio, model, lines[list(frames)])
        return sample(shot, (len(frames),), seed_rule="seed_per_frame", chunk_size=2, **numbers)

    whole = part(range(4), first_frame=-1)
    assert studio.difference(part((0, 2), frame_numbers="-1,1", first_frame=7), whole[[0, 2]]) <= TOLERANCE
    assert studio.difference(part((2, 3), frame_numbers="1-2"), whole[2:]) <= TOLERANCE
    with pytest.raises(studio.pack.Error, match=r"`frame_numbers` has 3 numbers, but `latent_image` 2 frames"):
        part((0, 2), frame_numbers="1-3")


def test_frame_numbers_of_a_latent_that_was_cut(studio, sample):
    module = studio.pack.module("colorize_core.host.shot.shot_latents")
    assert module.shot_numbers({"batch_index": [2, 0]}, 2, 5, "10-14:2") == [14, 10]
    assert module.shot_numbers({"batch_index": [2, 0]}, 2, 5, "") == [7, 5]
    with pytest.raises(studio.pack.Error, match="frame_numbers"):
        module.shot_numbers({"batch_index": [3]}, 1, 0, "10-14:2")


def test_same_noise_makes_equal_drawings_equal(studio, sample):
    shot = with_lines(studio, studio.apply(studio.carrier()), studio.line_map())
    steady = sample(shot, (3,), chunk_size=2)
    assert studio.difference(steady[2], steady[0]) <= TOLERANCE
    assert studio.difference(*sample(shot, (2,), seed_rule="seed_per_frame")) > 0.01


def test_a_reference_for_each_frame(studio, sample):
    """References, backgrounds and styles in batches are cut too."""
    carrier = studio.carrier(background="background_image", style=True, batch=4)
    shot = with_lines(studio, studio.apply(carrier, studio.mask()), studio.line_map(batch=4))
    whole = sample(shot, (4,), chunk_size=4)
    assert studio.difference(sample(shot, (4,), chunk_size=3), whole) <= TOLERANCE
    assert studio.difference(whole[1], whole[0]) > 0.01


def test_chained_controls_inpainting_and_a_second_pass(studio, shot, sample):
    torch, (model, positive, negative) = studio.torch, shot
    twice = model, *studio.sketch(positive, negative, studio.line_map("other", batch=FRAMES), strength=0.5)
    latent = {"samples": sample(twice, chunk_size=8), "noise_mask": torch.zeros(FRAMES, *SIZE)}
    latent["noise_mask"][:, :48] = 1.0
    latent["noise_mask"][3] = 0.0

    def second(chunk, name):
        inputs = dict(zip(("model", "positive", "negative"), twice, strict=True))
        settings = {
            **SETTINGS,
            "denoise": 0.6,
            "chunk_size": chunk,
            "sampler_name": name,
            "seed_rule": "seed_per_frame",
        }
        return studio.pack.run("ColorizeSampleSequence", **inputs, latent_image=latent, **settings)[0]["samples"]

    for name in ("euler", "ddim"):
        whole = second(8, name)
        assert studio.difference(second(3, name), whole) <= TOLERANCE
        assert studio.difference(whole[3], latent["samples"][3]) <= TOLERANCE
        assert studio.difference(whole[2], latent["samples"][2]) > 0.01


def test_guidance_by_the_sketch(studio, shot, sample):
    _, positive, _ = shot
    bare = [[positive[0][0], {}]]
    blank, _ = studio.sketch(bare, bare, studio.line_map() * 0)
    whole = sample(shot, chunk_size=8, blank_sketch=blank, cfg_sketch=2.0)
    assert studio.difference(sample(shot, chunk_size=3, blank_sketch=blank, cfg_sketch=2.0), whole) <= TOLERANCE
    assert studio.difference(sample(shot, chunk_size=8), whole) > 0.01


def test_injection_patches_are_cut_as_well(studio, sample):
    lines = studio.line_map(batch=4)
    model, positive, negative = with_lines(studio, studio.apply(studio.carrier()), lines)
    (model,) = studio.pack.run(
        "ColorizeAttentionInjection",
        model=model,
        control_net=studio.control_net,
        vae=studio.vae,
        image=studio.picture(batch=4),
        height=SIZE[0],
        width=SIZE[1],
    )
    whole = sample((model, positive, negative), (4,), chunk_size=4)
    assert studio.difference(sample((model, positive, negative), (4,), chunk_size=3), whole) <= TOLERANCE


def test_absolute_numbers_of_a_batch_taken_apart(studio, shot, sample):
    """LatentFromBatch says which frames it has taken."""
    whole = sample(shot, seed_rule="seed_per_frame")
    model, positive, negative = shot
    latent = {"samples": studio.torch.zeros(FRAMES, 4, 12, 8), "batch_index": list(range(40, 40 + FRAMES))}
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
    settings = {**SETTINGS, "seed_rule": "seed_per_frame"}
    (moved,) = studio.pack.run("ColorizeSampleSequence", **inputs, **settings)
    assert studio.difference(moved["samples"], sample(shot, first_frame=40, seed_rule="seed_per_frame")) <= TOLERANCE
    assert studio.difference(moved["samples"], whole) > 0.01


def test_the_models_that_go_in_are_not_changed(studio, shot, sample):
    model, positive, _ = shot
    control, before = positive[0][1]["control"], studio.digest(model)
    hint = control.cond_hint_original
    sample(shot, chunk_size=3)
    assert studio.digest(model) == before
    assert control.cond_hint_original is hint and len(hint) == FRAMES
    assert not studio.alive("SamplingRun", "UNetCall", "Frames", "Shot")


@pytest.mark.parametrize("what", ["lines", "masks", "references"])
def test_batches_that_do_not_fit(studio, sample, what):
    count = {name: 3 if name == what else 4 for name in ("lines", "masks", "references")}
    carrier = studio.carrier(batch=count["references"])
    masks = studio.mask().repeat(count["masks"], 1, 1)
    shot = with_lines(studio, studio.apply(carrier, masks), studio.line_map(batch=count["lines"]))
    with pytest.raises(studio.pack.Error, match=r"3, but `latent_image` has 4 frames"):
        sample(shot, (4,))


def test_no_steps_give_the_frames_back(studio, shot, sample):
    assert not sample(shot, denoise=0.0).any()


def test_a_latent_of_no_pictures(studio, shot):
    model, positive, negative = shot
    inputs = {"model": model, "positive": positive, "negative": negative, **SETTINGS}
    for shape in ((0, 4, 12, 8), (1, 4, 2, 12, 8)):
        with pytest.raises(studio.pack.Error, match="latent_image"):
            studio.pack.run("ColorizeSampleSequence", latent_image={"samples": studio.torch.zeros(shape)}, **inputs)


def test_progress_counts_the_whole_shot_and_cancel_stops_it(studio, shot, sample, progress):
    import comfy.model_management

    sample(shot, chunk_size=3, steps=4)
    told = [3 * step for step in range(1, 9)] + [24 + 2 * step for step in range(1, 5)]
    assert progress[0] == (3, 32) and progress[-1] == (32, 32) and progress == sorted(progress)
    assert set(progress) <= {(done, 32) for done in told}
    progress.clear()

    (model, *conditioning), calls = shot, []

    def cancel_at_six(apply_model, args):
        calls.append(args["input"].shape)
        if len(calls) == 6:
            comfy.model_management.interrupt_current_processing()
        return apply_model(args["input"], args["timestep"], **args["c"])

    model = model.clone()
    model.set_model_unet_function_wrapper(cancel_at_six)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            sample((model, *conditioning), chunk_size=3, steps=4)
    finally:
        comfy.model_management.interrupt_current_processing(False)
    assert len(calls) == 6 and progress[-1][0] < 24
    assert not studio.alive("SamplingRun", "UNetCall", "Frames")
    assert sample(shot, chunk_size=3).shape[0] == FRAMES


@pytest.fixture
def short_of_memory(shot):
    """The shot on a model that runs out of memory when it is called with more than four frames."""
    import comfy.model_management

    model, *conditionings = shot
    model = model.clone()
    calls = []

    def call(executor, x, *args, **kwargs):
        calls.append(len(x) // 2)
        if len(x) > 8:
            raise comfy.model_management.OOM_EXCEPTION("made for this test")
        return executor(x, *args, **kwargs)

    model.add_wrapper("diffusion_model", call)
    return (model, *conditionings), calls


def test_goes_on_in_smaller_chunks_when_memory_does_not_suffice(studio, shot, sample, short_of_memory):
    short, calls = short_of_memory
    assert studio.difference(sample(short, chunk_size=0), sample(shot, chunk_size=8)) <= TOLERANCE
    assert calls == [8, 4, 4, 4, 4]


def test_a_chunk_size_that_was_asked_for_is_kept(sample, short_of_memory):
    import comfy.model_management

    with pytest.raises(comfy.model_management.OOM_EXCEPTION):
        sample(short_of_memory[0], chunk_size=8)


def test_chunks_follow_the_estimate(studio, shot):
    module = studio.pack.module("colorize_core.host.shot.sequence")
    model, *conds = shot
    conds = dict(zip(("positive", "negative"), conds, strict=True))

    def chunk(frames, side, **settings):
        latent = studio.torch.zeros(frames, 4, side, side)
        sequence = module.SequenceSettings(**settings)
        return module.Shot(model, conds, latent, None, range(frames), sequence).chunk_size()

    assert chunk(8, 8) == 8
    assert chunk(17, 8) == 9, "9 + 8, not 16 + 1"
    assert chunk(8, 1024) == 1
    assert chunk(8, 8, chunk_size=3) == 3 and chunk(2, 8, chunk_size=3) == 2
