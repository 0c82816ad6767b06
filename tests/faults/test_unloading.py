"""Models that ComfyUI takes from the device between runs, and weights that nobody needs any more."""

import gc
import weakref


def sample(studio, model, positive, negative):
    latent = {"samples": studio.torch.zeros(1, 4, 12, 8)}
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent, "denoise": 1.0}
    settings = {"seed": 3, "cfg": 2.0, "steps": 3, "sampler_name": "euler", "scheduler": "normal"}
    return studio.pack.run("KSampler", **inputs, **settings)[0]["samples"]


def parts(studio):
    """All models of a checkpoint."""
    colorizer = studio.colorizer
    side = (colorizer.background_encoder, colorizer.style_encoder, colorizer.background_path, colorizer.style)
    rest = (studio.model, studio.control_net.encoder, studio.vae.patcher, studio.clip_vision.patcher)
    return [patcher.model for patcher in (*side, *rest)]


def test_the_next_run_is_the_same(host, studio, fresh, faults, coloured):
    import comfy.model_management

    expected, conditioned = sample(fresh, *coloured(fresh)), coloured(studio)
    for _ in range(2):
        assert host.torch.equal(sample(studio, *conditioned), expected)
        comfy.model_management.unload_all_models()
        assert comfy.model_management.current_loaded_models == []
        faults.check_clean()
    # Encoders too: what they give now is what they gave before.
    assert host.torch.equal(sample(studio, *coloured(studio)), expected)


def test_weights_die_with_the_last_that_needs_them(host, pack, studio, tiny_checkpoint, coloured):
    """Not one tensor of a checkpoint stays when ComfyUI drops the loader's and the later nodes' results."""
    import comfy.model_management

    other = type(studio)(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name))
    model, positive, negative = coloured(other)
    sample(other, model, positive, negative)
    weights = [weakref.ref(tensor) for module in parts(other) for tensor in module.state_dict(keep_vars=True).values()]
    assert len(weights) > 1000 and all(ref() is not None for ref in weights)
    del other, model
    comfy.model_management.unload_all_models()
    gc.collect()
    held = [ref() is not None for ref in weights]
    assert any(held) and not all(held), "the conditioning holds the sketch encoder, and nothing else"
    del positive, negative
    gc.collect()
    assert not any(ref() is not None for ref in weights)
