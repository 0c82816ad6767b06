"""LoRA files of the SD 2.x layout, through ComfyUI's loaders."""

import pytest

SAME, NOTICED = 2e-5, 1e-3
STRENGTH = 0.7  # at which the checkpoint with the LoRA in it has it


def load(pack, lora_name, node="LoraLoaderModelOnly"):
    """A function that puts the LoRA on a MODEL."""
    clip = {"clip": None, "strength_clip": 1.0} if node == "LoraLoader" else {}
    return lambda model: pack.run(node, model=model, lora_name=lora_name, strength_model=STRENGTH, **clip)[0]


def test_the_effect_is_that_on_the_plain_model_where_the_pack_adds_nothing(studio, pack, lora_name):
    carrier = studio.carrier()
    patched, positive, negative = studio.apply(carrier)
    with_lora = load(pack, lora_name)
    on_plain = studio.sample(with_lora(studio.model), positive, negative)
    assert studio.difference(studio.sample(with_lora(patched), positive, negative), on_plain) == 0
    before = studio.apply(carrier, model=with_lora(studio.model))
    assert studio.difference(studio.sample(*before), on_plain) == 0
    assert studio.difference(studio.sample(studio.model, positive, negative), on_plain) > NOTICED


@pytest.mark.parametrize("node", ["LoraLoaderModelOnly", "LoraLoader"])
def test_before_and_after_apply_are_the_same_with_everything_on(studio, pack, colour, plain, lora_name, node):
    with_lora = load(pack, lora_name, node)
    before, after = colour(before=with_lora), colour(after=with_lora)
    assert studio.difference(before, after) == 0
    assert studio.difference(before, plain) > NOTICED


def test_a_lora_merged_into_the_checkpoint_by_hand_is_the_lora_loaded(
    host, studio, pack, colour, lora_file, checkpoint_with_lora
):
    """Base and split passes see the same weights: those of the file itself would be the same for both."""
    other = type(studio)(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=checkpoint_with_lora))
    carrier = other.carrier("background_image", style=True)
    model, positive, negative = other.apply(carrier, other.mask())
    by_hand = other.sample(model, *other.sketch(positive, negative))
    assert studio.difference(colour(after=load(pack, lora_file("kohya"))), by_hand) < SAME


@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)
def test_several_loras_add_up_and_strength_zero_is_none(studio, pack, colour, plain, lora_file):
    import comfy.lora  # noqa: F401  (the names come from the loaded host)

    name = lora_file("kohya")

    def half(model):
        return pack.run("LoraLoaderModelOnly", model=model, lora_name=name, strength_model=STRENGTH / 2)[0]

    twice = colour(before=half, after=half)
    assert studio.difference(twice, colour(after=load(pack, name))) < SAME

    def none(model):
        return pack.run("LoraLoaderModelOnly", model=model, lora_name=name, strength_model=0.0)[0]

    assert studio.difference(colour(after=none), plain) == 0
