"""Memory that runs out inside a patch, ours or one of the user's on the same MODEL: the error comes through, nothing
stays, and the next run is the same bit for bit.

On a GPU it is torch's own error; on a CPU an allocation that no machine can give fails for real.
"""

import itertools

import pytest

SAMPLING = {"seed": 3, "cfg": 2.0, "steps": 3, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}


def raise_out_of_memory():
    import comfy.model_management

    raise comfy.model_management.OOM_EXCEPTION("CUDA out of memory. Tried to allocate 20.00 GiB.")


def allocate_too_much():
    import torch

    torch.empty(1 << 48)


#: How memory runs out, the error, and a word of its message.
ERRORS = {
    "as a GPU says it": (raise_out_of_memory, Exception, "out of memory"),
    "for real": (allocate_too_much, RuntimeError, "allocate"),
}
EACH_ERROR = ("as a GPU says it", pytest.param("for real", marks=pytest.mark.thorough))


class RunsOut:
    """A patch of a user's that lets memory run out at one of its calls, once, and otherwise changes nothing."""

    def __init__(self, act, number, changes_nothing):
        self.calls, self.act, self.number, self.changes_nothing = itertools.count(), act, number, changes_nothing

    def __call__(self, *args, **kwargs):
        if next(self.calls) == self.number:
            self.act()
        return self.changes_nothing(*args, **kwargs)

    def __deepcopy__(self, memo):
        return self


def same_inputs(*tensors_and_options):
    return tensors_and_options[:-1]


def attention_patch(model, act):
    model.set_model_attn2_patch(RunsOut(act, 20, same_inputs))


def attention_kernel(model, act):
    """Called from inside our own replacement of the attention."""
    kernel = RunsOut(act, 20, lambda attention, *args, **kwargs: attention(*args, **kwargs))
    model.model_options["transformer_options"]["optimized_attention_override"] = kernel


def behind_the_injection(model, act):
    model.set_model_output_block_patch(RunsOut(act, 17, same_inputs))


def behind_the_style(model, act):
    model.set_model_patch(RunsOut(act, 1, lambda embedding, *_: embedding), "emb_patch")


def around_the_unet(model, act):
    unet = RunsOut(act, 1, lambda apply, given: apply(given["input"], given["timestep"], **given["c"]))
    model.set_model_unet_function_wrapper(unet)


def self_attention(model, act):
    model.set_model_attn1_patch(RunsOut(act, 20, same_inputs))


PATCHES = [attention_patch, attention_kernel, behind_the_injection, behind_the_style, around_the_unet, self_attention]
#: With another patch of the attention's inputs, no row is left out there: the same sums in another order.
OWN_WAY = [attention_patch]


def patched(conditioned, patch, act):
    model, *conditionings = conditioned
    model = model.clone()
    patch(model, act)
    return model, *conditionings


@pytest.fixture(scope="module")
def expected(fresh, coloured):
    """The latent where memory never runs out."""
    return sample(fresh, *coloured(fresh))


@pytest.fixture(scope="module")
def conditioned(studio, coloured):
    return coloured(studio)


def sample(studio, model, positive, negative):
    latent = {"samples": studio.torch.zeros(1, 4, 12, 8)}
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
    return studio.pack.run("KSampler", **inputs, **SAMPLING)[0]["samples"]


@pytest.mark.parametrize("error", EACH_ERROR)
@pytest.mark.parametrize("patch", PATCHES)
def test_in_a_patch_of_the_users(host, studio, fresh, faults, coloured, conditioned, expected, patch, error):
    act, kind, word = ERRORS[error]
    with_patch = expected if patch not in OWN_WAY else sample(fresh, *patched(coloured(fresh), patch, lambda: None))
    model, positive, negative = patched(conditioned, patch, act)
    options = faults.options(model)
    broken = faults.break_off(lambda: sample(studio, model, positive, negative), kind=kind)
    assert word in broken.message
    faults.check_clean(broken)
    assert faults.options(model) == options
    assert host.torch.equal(sample(studio, model, positive, negative), with_patch)
    assert host.torch.equal(sample(studio, *conditioned), expected)


#: A layer of ours in which memory runs out, and at which of its calls.
LAYERS = {
    "split LoRA, in the attention": (lambda parts: parts.background_path.model.lora.blocks["5"]["to_q"]["bg"].down, 1),
    "injection, its keys": (lambda parts: parts.background_path.model.injection.warp_modules[4].attn.to_k, 0),
    "injection": (lambda parts: parts.background_path.model.injection.warp_modules[4].attn.to_out[0], 1),
    "style": (lambda parts: parts.style.model.style_modules[6][2], 1),
}


@pytest.mark.parametrize("error", EACH_ERROR)
@pytest.mark.parametrize("layer", LAYERS)
def test_in_our_own_patch(host, studio, faults, conditioned, expected, layer, error):
    act, kind, word = ERRORS[error]
    find, call = LAYERS[layer]
    with faults.at_call(find(studio.colorizer), call, act):
        broken = faults.break_off(lambda: sample(studio, *conditioned), kind=kind)
    assert word in broken.message
    faults.check_clean(broken)
    assert host.torch.equal(sample(studio, *conditioned), expected)


def test_comfyui_frees_all_models_and_the_next_run_is_right(host, studio, faults, conditioned, expected):
    """What ComfyUI's executor does with every lack of memory of a GPU."""
    import comfy.model_management

    act, kind, _ = ERRORS["as a GPU says it"]
    with faults.at_call(studio.colorizer.style.model.style_modules[6][2], 1, act):
        faults.break_off(lambda: sample(studio, *conditioned), kind=kind)
    comfy.model_management.unload_all_models()
    assert comfy.model_management.current_loaded_models == []
    faults.check_clean()
    assert host.torch.equal(sample(studio, *conditioned), expected)


def test_a_chunk_that_was_too_large_is_gone_before_the_smaller_ones_begin(studio, faults, coloured):
    """Sample Sequence goes on with fewer frames; what it held of the failed ones must not stand in their way."""
    import comfy.model_management

    model, positive, negative = coloured(studio, batch=5)
    model, left, trace = model.clone(), {}, faults.trace()

    def short_of_memory(apply, given):
        result = apply(given["input"], given["timestep"], **given["c"])
        if len(result) == 10:
            left["in the failed chunk"] = trace.left()
            raise comfy.model_management.OOM_EXCEPTION("CUDA out of memory.")
        if "afterwards" not in left:
            left["before a collection"] = trace.left(collect=False)
            left["afterwards"] = trace.left()
        return result

    model.set_model_unet_function_wrapper(short_of_memory)
    latent = {"samples": studio.torch.zeros(5, 4, 12, 8)}
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent, "chunk_size": 0}
    with trace:
        studio.pack.run("ColorizeSampleSequence", **inputs, **SAMPLING)
    assert any(shape[:1] == (10,) for shape in left["in the failed chunk"])
    assert not any(shape[:1] == (10,) for shape in left["before a collection"])
    assert left["before a collection"] == left["afterwards"], "the failed chunk is held by a circle of references"
