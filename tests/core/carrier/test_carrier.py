"""The carrier: immutable, and wary of what belongs to another checkpoint."""

import dataclasses

import pytest
import torch
from colorizediffusion.colorize_core.carrier.carrier import Carrier, check_batches, fit_rows
from colorizediffusion.colorize_core.errors import ColorizeError

N, D = 4, 6
FEATURES = (torch.ones(1, 3, 2), torch.ones(1, 3, 2))
STYLE = (torch.ones(1, 8),)


def tokens(rows=1, value=1.0, count=N, width=D):
    return torch.full((rows, count, width), value)


@pytest.fixture
def carrier():
    return Carrier(tokens=tokens(), class_token=torch.zeros(1, 1, D))


def test_it_cannot_be_changed(carrier):
    with pytest.raises(dataclasses.FrozenInstanceError):
        carrier.style = STYLE


def test_adding_gives_a_new_one_and_leaves_the_old(carrier):
    full = carrier.with_background(tokens(value=2), FEATURES, "a").with_style(STYLE, False, "a")
    assert full.has_background and full.style is STYLE and full.checkpoint == "a"
    assert not carrier.has_background and carrier.style == () and carrier.checkpoint is None


def test_the_order_of_background_and_style_is_free(carrier):
    background = tokens(value=2)
    one = carrier.with_background(background, FEATURES, "a").with_style(STYLE, True, "a")
    assert one == carrier.with_style(STYLE, True, "a").with_background(background, FEATURES, "a")


def test_without_characters_the_context_is_the_references(carrier):
    assert carrier.with_background(tokens(value=2), FEATURES, "a").context([]) is carrier.tokens


def test_without_a_background_both_halves_are_the_references(carrier):
    context = carrier.context(carrier.characters(torch.ones(1, 2, 2)))
    assert torch.equal(context, torch.cat([carrier.tokens] * 2, dim=1))


def test_the_backgrounds_tokens_come_last(carrier):
    full = carrier.with_background(tokens(value=2), FEATURES, "a")
    full = full.with_region(Carrier(tokens(value=3), torch.zeros(1, 1, D)), torch.ones(1, 2, 2))
    context = full.context(full.characters(torch.ones(1, 2, 2)))
    assert context[0, :, 0].tolist() == [1.0] * N + [3.0] * N + [2.0] * N


@pytest.mark.parametrize(("references", "backgrounds"), [(1, 3), (3, 1), (3, 3)])
def test_a_single_picture_goes_with_many(references, backgrounds):
    carrier = Carrier(tokens(references), torch.zeros(references, 1, D))
    full = carrier.with_background(tokens(backgrounds), FEATURES, "a")
    assert full.context(full.characters(torch.ones(1, 2, 2))).shape == (3, 2 * N, D)


def test_tokens_of_another_image_tower_are_refused(carrier):
    with pytest.raises(ColorizeError, match="one and the same CLIP_VISION"):
        carrier.with_background(tokens(width=8), FEATURES, "a")


def test_parts_of_two_checkpoints_are_refused(carrier):
    first = carrier.with_background(tokens(), FEATURES, "a")
    with pytest.raises(ColorizeError, match="another checkpoint"):
        first.with_style(STYLE, False, "b")
    with pytest.raises(ColorizeError, match="another checkpoint"):
        first.with_background(tokens(), FEATURES, "b")
    with pytest.raises(ColorizeError, match=r"another checkpoint than v2\.safetensors"):
        first.check_checkpoint("b", D, "v2.safetensors", "ViT-H")
    first.check_checkpoint("a", D, "v2.safetensors", "ViT-H")
    carrier.check_checkpoint("b", D, "v2.safetensors", "ViT-H")  # tokens alone belong to no checkpoint


def test_tokens_of_another_width_name_the_image_tower(carrier):
    with pytest.raises(
        ColorizeError, match=r"6 channels, but v2\.safetensors takes 1024.*CLIP-ViT-H-14-laion2B-s32B-b79K"
    ):
        carrier.check_checkpoint("a", 1024, "v2.safetensors", "CLIP-ViT-H-14-laion2B-s32B-b79K")


def test_one_row_is_repeated_and_more_are_kept():
    assert fit_rows(tokens(1), 3).shape[0] == 3
    many = tokens(3)
    assert fit_rows(many, 3) is many


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 5), (5, 1), (3, 3)])
def test_batches_that_go_together(first, second):
    check_batches(first, second, ("a", "b"))


@pytest.mark.parametrize(("first", "second"), [(2, 3), (4, 2), (0, 2)])
def test_batches_that_do_not(first, second):
    with pytest.raises(ColorizeError, match=f"`a` holds {first} pictures and `b` holds {second}"):
        check_batches(first, second, ("a", "b"))
