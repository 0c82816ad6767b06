"""What comes by wire is not checked by ComfyUI, so the nodes hold it against their own schemas."""

import math

import pytest


@pytest.fixture
def bleach(pack, studio):
    def run(**inputs):
        return pack.run("ColorizeBleach", **({"image": studio.picture(), "mask": studio.mask()} | inputs))[0]

    return run


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, math.inf, 10**30, None, "much"])
def test_a_number_outside_its_range_is_named_with_the_range(pack, bleach, value):
    with pytest.raises(pack.Error, match=r"`threshold` is .*; expected a number from 0.0 to 1.0\. Where the mask"):
        bleach(threshold=value)


def test_whole_numbers_and_those_of_numpy_are_numbers(bleach, studio):
    import numpy as np

    assert studio.torch.equal(bleach(threshold=1), bleach(threshold=np.float32(1)))


@pytest.mark.parametrize("value", ["everything", "", "x" * 1000, None, 3])
def test_a_choice_that_is_none_is_told_with_the_choices(pack, bleach, value):
    with pytest.raises(pack.Error, match=r"`whiten` is .*; expected one of character, background\.") as caught:
        bleach(whiten=value)
    assert len(str(caught.value)) < 400


def test_a_long_list_of_choices_is_cut(pack, studio):
    with pytest.raises(pack.Error, match=r"`sampler_name` is 'mine'; expected one of euler, .*, …\.") as caught:
        pack.run(
            "ColorizeSampleSequence",
            **dict(zip(("model", "positive", "negative"), studio.apply(studio.carrier()), strict=True)),
            latent_image={"samples": studio.noise()},
            sampler_name="mine",
        )
    assert str(caught.value).count(",") < 12


@pytest.mark.parametrize("name", ["image", "mask"])
def test_a_socket_to_which_a_switch_gives_nothing_is_named(pack, bleach, name):
    with pytest.raises(pack.Error, match=f"`{name}` is empty; expected a {name.upper()}"):
        bleach(**{name: None})


def test_an_optional_input_that_is_wired_and_empty_counts_as_not_wired(pack, studio, bleach):
    assert studio.torch.equal(bleach(kind=None), bleach())
    (merged,) = pack.run("ColorizeMergeMasks", mask_a=studio.mask(), mask_b=None, grow_shape=None, merge_batch=None)
    assert studio.torch.equal(merged, studio.mask())


def test_every_node_checks_its_inputs(pack):
    """A new node may forget to."""
    unchecked = [node.__name__ for node in pack.module("nodes").NODES if not hasattr(node.execute, "__wrapped__")]
    assert unchecked == [], "nodes whose execute lacks the decorator `checked`"
