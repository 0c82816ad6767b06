"""What a sampler of ours cannot work with: told by name before the first step."""

import pytest

SIZE = (64, 64)


@pytest.fixture(scope="module")
def applied(studio):
    return dict(zip(("model", "positive", "negative"), studio.apply(studio.carrier()), strict=True))


@pytest.fixture
def sample(pack, studio, applied):
    """A function that samples two frames in one step by Sample Sequence."""

    def run(latent=None, **inputs):
        latent = {"samples": studio.torch.zeros(2, 4, 8, 8)} | (latent or {})
        return pack.run("ColorizeSampleSequence", **(applied | {"latent_image": latent, "steps": 1} | inputs))[0]

    return run


CONTEXTS = {
    "of another width": (lambda torch: torch.rand(1, 77, 768), r"\[1, 77, 768\]; expected \[batch, tokens, 1024\]"),
    "without channels": (lambda torch: torch.rand(1, 77, 0), r"\[1, 77, 0\]"),
    "flat": (lambda torch: torch.rand(1, 1024), r"\[1, 1024\]"),
    "NaN": (lambda torch: torch.full((1, 7, 1024), float("nan")), "NaN"),
}


@pytest.mark.parametrize("kind", CONTEXTS)
@pytest.mark.parametrize("name", ["positive", "negative", "blank_sketch"])
def test_a_conditioning_that_the_model_cannot_attend_to_is_named(pack, studio, applied, sample, name, kind):
    make, message = CONTEXTS[kind]
    wrong = {name: [[make(studio.torch), {}]], "cfg_sketch": 2.0}
    with pytest.raises(pack.Error, match=f"`{name}`.*{message}"):
        sample(**({"blank_sketch": applied["positive"]} | wrong))
    inputs = applied | {"blank_sketch": applied["positive"]} | wrong
    with pytest.raises(pack.Error, match=f"`{name}`.*{message}"):
        pack.run("ColorizeGuider", **inputs)


def test_an_empty_conditioning_is_named(pack, applied, sample):
    with pytest.raises(pack.Error, match="`negative` is an empty conditioning"):
        sample(negative=[])
    with pytest.raises(pack.Error, match="`positive` is an empty conditioning"):
        pack.run("ColorizeGuider", **(applied | {"positive": []}))


def test_frames_that_come_out_as_no_numbers_end_the_shot(pack, studio, applied, sample):
    """A model whose last layer gives NaN, as half precision can."""
    model = applied["model"].clone()
    bias = "diffusion_model.out.2.bias"
    model.add_patches({bias: (studio.torch.full_like(model.model.state_dict()[bias], float("nan")),)})
    with pytest.raises(pack.Error, match=r"NaN or infinite values in 1 of 1 frames \(first: 7\).*`cfg`"):
        sample(model=model, first_frame=7, chunk_size=1)


LATENTS = {
    "NaN": (lambda torch: {"samples": torch.full((2, 4, 8, 8), float("nan"))}, "NaN"),
    "of another model": (lambda torch: {"samples": torch.rand(2, 16, 8, 8)}, "has 16 channels; `model` takes 4"),
    "a video": (lambda torch: {"samples": torch.rand(2, 4, 2, 8, 8)}, r"of shape \[2, 4, 2, 8, 8\]"),
    "too many numbers": (lambda torch: {"batch_index": [0, 1, 2]}, "says which 3 frames it holds, but holds 2"),
    "no numbers": (lambda torch: {"batch_index": []}, "says which 0 frames"),
    "a mask too many": (lambda torch: {"noise_mask": torch.ones(3, 64, 64)}, "holds 3 masks for 2 frames"),
    "a mask of channels": (lambda torch: {"noise_mask": torch.ones(1, 3, 64, 64)}, "noise mask.*expected"),
    "a mask of NaN": (lambda torch: {"noise_mask": torch.full((1, 64, 64), float("nan"))}, "noise mask.*NaN"),
}


@pytest.mark.parametrize("kind", LATENTS)
def test_a_latent_that_holds_no_frames_of_the_model_is_named(pack, studio, sample, kind):
    make, message = LATENTS[kind]
    with pytest.raises(pack.Error, match=f"`?latent_image.*{message}|{message}"):
        sample(latent=make(studio.torch))


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (2, 64, 64), (2, 1, 64, 64), (2, 5, 9)])
def test_a_noise_mask_of_any_form_masks(studio, sample, shape):
    mask = studio.torch.zeros(shape)
    kept = sample(latent={"samples": studio.noise(SIZE, batch=2), "noise_mask": mask})["samples"]
    assert studio.difference(kept, studio.noise(SIZE, batch=2)) < 1e-4
