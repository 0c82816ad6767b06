"""Batches, img2img, inpainting, previews, compilation, tiles, second passes and every sampler, with everything on."""

import pytest

SAME, NOTICED = 2e-5, 1e-3


@pytest.fixture(scope="module")
def source(studio, pack):
    """The latent of a finished picture, as VAE Encode gives it."""
    return pack.run("VAEEncode", vae=studio.vae, pixels=studio.picture("finished", 96, 64))[0]


@pytest.fixture
def sample(pack, colour):
    """A function that runs the KSampler node on a latent and returns LATENT's samples."""

    def run(latent, after=None, patched=None, **settings):
        model, positive, negative = patched or colour.patched(after=after)
        inputs = {"seed": 3, "steps": 3, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
        inputs |= {"positive": positive, "negative": negative, "latent_image": latent, **settings}
        samples = pack.run("KSampler", model=model, **inputs)[0]["samples"]
        assert samples.isfinite().all()
        return samples

    return run


# --- batches, img2img, inpainting ---


def test_a_batch_is_the_same_as_one_picture_after_the_other(studio, colour):
    noise = studio.noise(batch=3)
    together = colour(noise=noise)
    for i in range(3):
        assert studio.difference(together[i : i + 1], colour(noise=noise[i : i + 1])) < SAME


def test_a_repeated_latent(studio, pack, sample, source):
    (several,) = pack.run("RepeatLatentBatch", samples=source, amount=2)
    assert sample(several, denoise=0.5).shape[0] == 2


def test_image_to_image_stays_nearer_the_picture_the_less_is_denoised(studio, sample, source):
    far = [studio.difference(sample(source, denoise=denoise), source["samples"]) for denoise in (0.1, 0.4, 1.0)]
    assert far == sorted(far) and far[0] < far[2] / 2
    assert studio.difference(sample(source, denoise=0.4), sample(source, denoise=1.0)) > NOTICED


@pytest.fixture(params=["plain", "differential"])
def inpainting(request, pack):
    """What changes the MODEL for inpainting."""
    if request.param == "plain":
        return None
    return lambda model: pack.run("DifferentialDiffusion", model=model, strength=1.0)[0]


@pytest.mark.parametrize("denoise", [1.0, 0.6])
def test_inpainting_keeps_what_is_not_masked(studio, pack, sample, source, inpainting, denoise):
    (masked,) = pack.run("SetLatentNoiseMask", samples=source, mask=studio.mask("top"))
    samples, kept = sample(masked, inpainting, denoise=denoise), source["samples"]
    half = samples.shape[2] // 2
    inside, outside = (
        studio.difference(samples[:, :, rows], kept[:, :, rows]) for rows in (slice(0, half - 1), slice(half + 1, None))
    )
    assert inside > NOTICED
    # Differential diffusion frees the whole picture at the last step, where hardly any noise is left.
    assert outside < (SAME if inpainting is None else 0.5 * inside)


def test_inpainting_everything_is_image_to_image(studio, pack, sample, source, inpainting):
    (masked,) = pack.run("SetLatentNoiseMask", samples=source, mask=studio.mask("all"))
    assert studio.difference(sample(masked, inpainting, denoise=0.6), sample(source, denoise=0.6)) < SAME


def test_a_soft_mask_for_differential_diffusion(studio, pack, sample, source):
    import torch

    ramp = torch.linspace(0, 1, 96).view(1, 96, 1).expand(1, 96, 64)
    (masked,) = pack.run("SetLatentNoiseMask", samples=source, mask=ramp)
    soft = sample(masked, lambda model: pack.run("DifferentialDiffusion", model=model, strength=1.0)[0])
    assert studio.difference(soft[:, :, :1], source["samples"][:, :, :1]) < studio.difference(
        soft[:, :, -1:], source["samples"][:, :, -1:]
    )


# --- previews ---


def test_previews_show_every_step(studio, sample, source):
    """ComfyUI's latent2rgb previews, through the hook by which they reach the page."""
    import comfy.utils
    from comfy.cli_args import LatentPreviewMethod, args

    shown = []

    def keep(value, total, preview, node_id=None):
        if preview is not None:
            shown.append((value, total, preview))

    usual_hook, usual_method = comfy.utils.PROGRESS_BAR_HOOK, args.preview_method
    comfy.utils.set_progress_bar_global_hook(keep)
    args.preview_method = LatentPreviewMethod.Latent2RGB
    try:
        sample(source)
    finally:
        comfy.utils.set_progress_bar_global_hook(usual_hook)
        args.preview_method = usual_method
    assert [(value, total) for value, total, _ in shown] == [(1, 3), (2, 3), (3, 3)]
    pictures = [image for _, _, (_, image, _) in shown]
    assert all(image.size == (8, 12) for image in pictures)
    assert pictures[0].tobytes() != pictures[-1].tobytes()


# --- compilation ---


def compile_with(backend):
    """A function that compiles a MODEL as the TorchCompileModel node does, which offers no light backend."""

    def compiled(model):
        from comfy_api.torch_helpers import set_torch_compile_wrapper

        model = model.clone()
        set_torch_compile_wrapper(model=model, backend=backend)
        return model

    return compiled


@pytest.mark.parametrize("where", ["after", pytest.param("before", marks=pytest.mark.slow)])
def test_a_compiled_model_gives_the_same(host, studio, colour, where):
    host.torch._dynamo.reset()
    expected = colour(steps=2)
    assert studio.difference(colour(**{where: compile_with("eager")}, steps=2), expected) < 1e-4


@pytest.mark.slow
def test_the_compile_node_gives_the_same(host, studio, pack, colour):
    host.torch._dynamo.reset()

    def compiled(model):
        return pack.run("TorchCompileModel", model=model, backend="inductor")[0]

    assert studio.difference(colour(after=compiled, steps=2), colour(steps=2)) < 1e-4


# --- tiles and second passes ---


def test_a_tiled_vae_gives_about_the_same_picture(studio, pack, plain):
    (whole,) = pack.run("VAEDecode", vae=studio.vae, samples={"samples": plain})
    tiles = {"tile_size": 64, "overlap": 32}
    (tiled,) = pack.run("VAEDecodeTiled", vae=studio.vae, samples={"samples": plain}, **tiles)
    assert tiled.shape == whole.shape == (1, 96, 64, 3)
    assert float((tiled - whole).abs().mean()) < 0.1


@pytest.mark.parametrize("size", [(144, 96), (192, 128), (136, 88)], ids=lambda size: f"{size[1]}x{size[0]}")
def test_a_second_pass_at_another_size_with_the_same_patched_model(studio, pack, colour, sample, source, size):
    patched = colour.patched()
    first = sample(source, patched=patched)
    inputs = {"upscale_method": "bilinear", "width": size[1], "height": size[0], "crop": "disabled"}
    (larger,) = pack.run("LatentUpscale", samples={"samples": first}, **inputs)
    second = sample(larger, patched=patched, denoise=0.5)
    assert second.shape == (1, 4, size[0] // 8, size[1] // 8)
    # Mask and line map follow the size: as if they had been drawn for it. The carrier is that of the first pass.
    fitted = colour.patched(mask=studio.mask("left", size))
    assert studio.difference(second, sample(larger, patched=fitted, denoise=0.5)) < SAME
    other = colour.patched(mask=studio.mask("top", size))
    assert studio.difference(second, sample(larger, patched=other, denoise=0.5)) > NOTICED
    assert studio.difference(sample(source, patched=patched), first) == 0, "the second pass left something behind"


# --- samplers ---


def test_every_sampler_runs(studio, pack, colour):
    import comfy.samplers

    model, positive, negative = colour.patched()
    noise = studio.noise((64, 64))
    failed = []
    for name in comfy.samplers.KSampler.SAMPLERS:
        latent = studio.sample(model, positive, negative, noise, steps=2, sampler_name=name)
        if latent.shape != noise.shape or not latent.isfinite().all():
            failed.append(name)
    assert not failed


def test_every_scheduler_runs(studio, pack, colour):
    import comfy.samplers

    model, positive, negative = colour.patched(end_percent=0.6)
    noise = studio.noise((64, 64))
    for name in comfy.samplers.KSampler.SCHEDULERS:
        assert studio.sample(model, positive, negative, noise, steps=2, scheduler=name).isfinite().all(), name
