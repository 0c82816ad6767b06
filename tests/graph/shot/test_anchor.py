"""An anchor: every frame of a shot looks at one frame, denoised with the mask and lines that it was coloured with."""

import pytest

SIZE = (96, 64)
FRAMES = 6
TOLERANCE = 1e-4
#: Of decoded pictures in [0, 1].
PICTURES = 1 / 255


@pytest.fixture(scope="module")
def frames(studio):
    """Line maps and masks of a character that moves."""
    masks = studio.torch.zeros(FRAMES, *SIZE)
    for frame in range(FRAMES):
        masks[frame, 8 : 40 + 8 * frame, 4 + 5 * frame : 30 + 5 * frame] = 1.0
    return studio.line_map(batch=FRAMES), masks


@pytest.fixture(scope="module")
def anchored(studio):
    """A function that patches a model with Attention Injection."""

    def patch(model, **inputs):
        inputs = {"control_net": studio.control_net, "vae": studio.vae, "image": studio.picture("anchor"), **inputs}
        return studio.pack.run(
            "ColorizeAttentionInjection", model=model, height=SIZE[0], width=SIZE[1], sketch_fidelity=1.0, **inputs
        )[0]

    return patch


@pytest.fixture(scope="module")
def shot(studio, frames, anchored):
    """A function that samples some frames of the shot, through the nodes."""
    lines, masks = frames
    carrier = studio.carrier(background="background_image", style=True)

    def run(which=range(FRAMES), chunk=FRAMES, patch=anchored, **inputs):
        which = list(which)
        model, *conditionings = studio.apply(carrier, masks[which])
        positive, negative = studio.sketch(*conditionings, lines[which])
        return studio.pack.run(
            "ColorizeSampleSequence",
            model=patch(model, **inputs) if patch else model,
            positive=positive,
            negative=negative,
            latent_image={"samples": studio.torch.zeros(len(which), 4, SIZE[0] // 8, SIZE[1] // 8)},
            seed=11,
            steps=2,
            cfg=4.0,
            sampler_name="euler",
            scheduler="normal",
            chunk_size=chunk,
        )[0]["samples"]

    return run


@pytest.fixture(scope="module")
def own(frames):
    lines, masks = frames
    return {"reference_mask": masks[:1], "reference_lines": lines[:1]}


@pytest.mark.parametrize("told", [True, False])
def test_chunks_do_not_matter(studio, shot, own, told):
    own = own if told else {}
    whole = shot(**own)
    (pictures,) = studio.pack.run("VAEDecode", samples={"samples": whole}, vae=studio.vae)
    for chunk in (1, 4):
        cut = shot(chunk=chunk, **own)
        assert studio.difference(cut, whole) <= TOLERANCE
        (decoded,) = studio.pack.run("VAEDecode", samples={"samples": cut}, vae=studio.vae)
        assert float((decoded - pictures).abs().max()) < PICTURES
    assert studio.difference(shot(patch=None), whole) > 0.01


def test_a_part_of_the_shot_is_its_frames(studio, shot, own):
    """On another machine, which has neither the anchor's frame nor its mask in the batch."""
    assert studio.difference(shot(range(3, 6), **own), shot(**own)[3:]) <= TOLERANCE


def test_mask_and_lines_are_the_reference_s_own(studio, shot, own, frames):
    """Each of them counts; the first frame, whose mask and lines they are, is denoised as without a mask of its own."""
    lines, masks = frames
    whole = shot(**own)
    bare = shot(reference_lines=own["reference_lines"])
    assert studio.difference(bare[0], whole[0]) <= TOLERANCE
    assert studio.difference(bare[-1], whole[-1]) > 0.001
    assert studio.difference(shot(reference_mask=masks[:1]), whole) > 0.001
    assert studio.difference(shot(reference_mask=masks[-1:], reference_lines=lines[:1])[0], whole[0]) > 0.001


def test_the_reference_is_denoised_once_for_all_frames(studio, shot, own, anchored):
    rows = []

    def counting(model, **inputs):
        model = anchored(model, **inputs)
        model.set_model_attn1_patch(lambda q, k, v, options: (rows.append((options["block"], len(q))), (q, k, v))[1])
        return model

    shot(patch=counting, **own)
    first = rows[0][0]
    counts = [count for block, count in rows if block == first]
    assert counts == [2, 2 * FRAMES] * 2, "two conditionings of the reference, then all frames, in each of two steps"


def test_one_anchor_a_frame(studio, shot, frames):
    """References in a batch have their masks and lines in a batch; each frame looks at its own."""
    lines, masks = frames
    pictures = studio.torch.cat([studio.picture(f"anchor {frame}") for frame in range(FRAMES)])
    own = {"image": pictures, "reference_mask": masks, "reference_lines": lines}
    whole = shot(**own)
    assert studio.difference(shot(chunk=4, **own), whole) <= TOLERANCE
    alone = {name: value[2:3] for name, value in own.items()}
    assert studio.difference(shot([2], **alone)[0], whole[2]) <= TOLERANCE


def test_the_lines_of_several_references_are_those_of_each(studio, shot):
    pictures = studio.torch.cat([studio.picture(f"anchor {frame}") for frame in range(FRAMES)])
    whole = shot(image=pictures)
    assert studio.difference(shot([4], image=pictures[4:5])[0], whole[4]) <= TOLERANCE


def test_before_and_after_apply(studio, frames, anchored, own):
    """The mask is known in either order of the two patches."""
    lines, masks = frames
    carrier = studio.carrier(background="background_image", style=True)

    def run(before=False):
        model = anchored(studio.model, **own) if before else studio.model
        model, *conditionings = studio.apply(carrier, masks[3:5], model=model)
        model = model if before else anchored(model, **own)
        positive, negative = studio.sketch(*conditionings, lines[3:5])
        return studio.sample(model, positive, negative, noise=studio.noise(batch=2), steps=2)

    assert studio.difference(run(before=True), run()) <= TOLERANCE


def test_batches_that_do_not_fit(studio, anchored, frames):
    lines, masks = frames
    with pytest.raises(studio.pack.Error, match="`reference_mask` holds 2 pictures, but `image` 1"):
        anchored(studio.model, reference_mask=masks[:2])
    with pytest.raises(studio.pack.Error, match="`reference_lines` holds 2 pictures"):
        anchored(studio.model, reference_lines=lines[:2])


def test_a_mask_for_several_characters(studio, anchored, own):
    """It is of one; the message says which wire to take out."""
    carrier = studio.carrier()
    (carrier,) = studio.pack.run(
        "ColorizeAddRegion", carrier=carrier, region=studio.carrier(reference="other"), mask=studio.mask("top")
    )
    model, positive, negative = studio.apply(carrier, studio.mask("left"))
    with pytest.raises(studio.pack.Error, match=r"`reference_mask` .* one character, but the carrier holds 2"):
        studio.sample(anchored(model, **own), positive, negative, steps=1)
