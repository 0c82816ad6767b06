"""Clones, runs and memory: the MODEL stays as it was, patched clones do not see one another, runs leave nothing."""

import dataclasses
import gc
import threading
import weakref

import pytest

SAME = 2e-5
#: What a run of ours makes and must not outlive it.
RUN_OBJECTS = ("SamplingRun", "UNetCall", "RegionIndex", "Projected")


@pytest.fixture(scope="module")
def everything(studio):
    return studio.carrier("background_image", style=True)


@pytest.fixture(scope="module")
def plans(studio, everything):
    """Three differently patched clones with their conditionings, line map and all."""
    other = studio.carrier("bleached_reference", reference="another")
    return [
        (model, *studio.sketch(positive, negative))
        for model, positive, negative in (
            studio.apply(everything, studio.mask("left"), merge=0.2),
            studio.apply(other, studio.mask("top"), foreground_strength=1.5),
            studio.apply(dataclasses.replace(everything, style=())),
        )
    ]


def take_turns(host, count, run):
    """Run `run(number, pass_on)` in threads of which only one works at a time; `pass_on()` lets the next one work."""
    turn, condition, alive, errors = [0], threading.Condition(), set(range(count)), []

    def wait_for(number):
        while turn[0] != number:
            condition.wait(timeout=60)

    def advance(number):
        following = sorted(alive, key=lambda other: (other <= number, other))
        turn[0] = following[0] if following else -1
        condition.notify_all()

    def work(number):
        def pass_on():
            with condition:
                advance(number)
                wait_for(number)

        with condition:
            wait_for(number)
        try:
            with host.torch.inference_mode():
                run(number, pass_on)
        except Exception as error:
            errors.append(error)
        finally:
            with condition:
                alive.discard(number)
                advance(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_the_model_is_unchanged_by_applying_and_by_sampling(studio, everything):
    before = studio.digest(studio.model)
    patched = studio.apply(everything, studio.mask())
    assert studio.digest(studio.model) == before
    studio.sample(patched[0], *studio.sketch(*patched[1:]))
    assert studio.digest(studio.model) == before
    assert studio.digest(patched[0]) != before  # the hash does see patches


def test_the_model_that_went_in_colours_as_before(host, studio, everything):
    conditioning = ([[everything.tokens, {}]], [[everything.tokens * 0, {}]])
    before = studio.sample(studio.model, *conditioning)
    studio.sample(*studio.apply(everything, studio.mask()))
    assert host.torch.equal(studio.sample(studio.model, *conditioning), before)
    out = studio.model.model.diffusion_model.out
    assert not out._forward_pre_hooks and not out._forward_hooks


def test_the_carrier_and_the_mask_are_unchanged(host, studio, everything):
    torch = host.torch
    mask = studio.mask()
    tensors = [*everything.background_features, *everything.style, everything.tokens, mask]
    copies = [tensor.clone() for tensor in tensors]
    studio.sample(*studio.apply(everything, mask))
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(tensors, copies, strict=True))


def test_clones_sampled_in_turn_give_what_each_alone_gives(host, studio, plans):
    alone = [studio.sample(*plan) for plan in plans]
    for i in (0, 1, 2, 1, 0):
        assert host.torch.equal(studio.sample(*plans[i]), alone[i])


def test_clones_sampled_step_by_step_in_turn_give_what_each_alone_gives(host, studio, plans):
    alone, together, order = [studio.sample(*plan) for plan in plans], {}, []

    def run(number, pass_on):
        def callback(*args):
            order.append(number)
            pass_on()

        together[number] = studio.sample(*plans[number], callback=callback)

    take_turns(host, len(plans), run)
    assert order == [0, 1, 2] * 3
    for number, latent in enumerate(alone):
        assert host.torch.equal(together[number], latent)


def test_applying_twice_is_applying_the_last(host, studio, everything):
    other = studio.carrier("bleached_reference", reference="another")
    first, _, _ = studio.apply(everything, studio.mask("left"), color_strength=0.5)
    for carrier, mask in ((other, studio.mask("top")), (other, None)):
        twice, once = studio.apply(carrier, mask, model=first), studio.apply(carrier, mask)
        assert host.torch.equal(studio.sample(*twice), studio.sample(*once))


def test_a_clone_of_a_clone_colours_the_same_and_shares_the_tensors(host, studio, everything):
    model, positive, negative = studio.apply(everything, studio.mask())
    held = len(studio.alive("ColorizePatch"))
    clone = model.clone().clone()
    assert len(studio.alive("ColorizePatch")) == held
    assert host.torch.equal(studio.sample(clone, positive, negative), studio.sample(model, positive, negative))


def test_a_lora_on_the_patched_model_counts(host, studio, everything):
    import comfy.sd

    torch = host.torch
    model, positive, negative = studio.apply(everything, studio.mask())
    lora = {
        "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": torch.ones(2, 64),
        "lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight": torch.ones(64, 2),
    }
    patched, _ = comfy.sd.load_lora_for_models(model, None, lora, 0.05, 0.0)
    before = studio.sample(model, positive, negative)
    assert studio.difference(studio.sample(patched, positive, negative), before) > 1e-3
    assert studio.difference(studio.sample(model, positive, negative), before) < 1e-6


def test_a_run_leaves_nothing_behind(studio, plans):
    studio.sample(*plans[0])
    assert studio.alive(*RUN_OBJECTS) == []


@pytest.mark.parametrize("how", ["interrupt", "exception"])
def test_a_run_that_is_broken_off_leaves_nothing_behind_and_the_next_is_exact(host, studio, plans, how):
    import comfy.model_management

    expected = studio.sample(*plans[0])

    class Broken(Exception):
        pass

    def callback(step, *args):
        if step == 1 and how == "exception":
            raise Broken
        if step == 1:
            host.nodes.interrupt_processing()

    kind = Broken if how == "exception" else comfy.model_management.InterruptProcessingException
    with pytest.raises(kind):
        studio.sample(*plans[0], callback=callback)
    host.nodes.interrupt_processing(False)
    assert studio.alive(*RUN_OBJECTS) == []
    out = studio.model.model.diffusion_model.out
    assert not out._forward_pre_hooks
    assert host.torch.equal(studio.sample(*plans[0]), expected)


def test_a_patched_model_that_is_dropped_frees_its_carrier(studio):
    carrier = studio.carrier("background_image", style=True)
    features = weakref.ref(carrier.background_features[0])
    model, positive, negative = studio.apply(carrier, studio.mask())
    studio.sample(model, positive, negative)
    del carrier, model, positive, negative
    gc.collect()
    assert features() is None


def test_the_side_models_are_loaded_with_the_run_and_can_be_unloaded(studio, everything):
    import comfy.model_management

    model, positive, negative = studio.apply(everything, studio.mask())
    before = studio.sample(model, positive, negative)
    loaded = [entry.model for entry in comfy.model_management.current_loaded_models]
    assert studio.colorizer.background_path in loaded and studio.colorizer.style in loaded
    comfy.model_management.unload_all_models()
    assert comfy.model_management.current_loaded_models == []
    assert studio.difference(studio.sample(model, positive, negative), before) < 1e-6


def test_plain_attention_loads_no_side_models(studio, everything):
    import comfy.model_management

    comfy.model_management.unload_all_models()
    studio.sample(*studio.apply(dataclasses.replace(everything, style=())))
    loaded = [entry.model for entry in comfy.model_management.current_loaded_models]
    assert studio.colorizer.background_path not in loaded and studio.colorizer.style not in loaded


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "uni_pc", "euler_ancestral", "lcm"])
def test_other_samplers_and_schedulers_work(studio, plans, sampler):
    latent = studio.sample(*plans[0], sampler_name=sampler, scheduler="karras", steps=2)
    assert latent.isfinite().all()


def test_models_whose_weights_go_away_in_mid_run_give_the_same(host, studio, plans):
    """What --lowvram leads to on a GPU: weights lie elsewhere and are cast as each layer runs."""
    import comfy.model_management

    expected = studio.sample(*plans[0])
    parts = [studio.model, studio.control_net.encoder, studio.colorizer.background_path, studio.colorizer.style]
    modules = [part.model for part in parts]

    def callback(step, *args):
        loaded = [entry.model for entry in comfy.model_management.current_loaded_models]
        for patcher in loaded:
            if step == 0:
                patcher.partially_unload(host.torch.device("cpu"), 1 << 40)
        assert {id(p.model) for p in loaded if p.model.model_lowvram} >= {id(module) for module in modules}

    try:
        assert studio.difference(studio.sample(*plans[0], callback=callback), expected) < 1e-6
    finally:
        comfy.model_management.unload_all_models()
