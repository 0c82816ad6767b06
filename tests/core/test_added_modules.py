"""Background injection, style modulation, split LoRA, heads and tokens: what each promises on its own."""

import pytest
import torch
from colorizediffusion.colorize_core.carrier.tokens import CLIP_MEAN, CLIP_STD, normalise_for_clip
from colorizediffusion.colorize_core.family.latent_heads import build_heads
from colorizediffusion.colorize_core.sampling.background_injection import (
    BackgroundInjection,
    InjectionBlocks,
    injection_sizes,
)
from colorizediffusion.colorize_core.sampling.split_lora import SplitLora, rename_split_lora
from colorizediffusion.colorize_core.sampling.style_modulation import StyleModulation, modulate, style_sizes


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_injection_treats_each_position_alone():
    block = BackgroundInjection(128)
    x, (keys, values) = torch.randn(2, 10, 128), block.keys_values(torch.randn(2, 7, 128))
    some = torch.tensor([1, 4, 9])
    assert torch.allclose(block(x[:, some], keys, values), block(x, keys, values)[:, some], atol=1e-5)


def test_injection_is_the_formula():
    block = BackgroundInjection(64)
    x, features = torch.randn(1, 5, 64), torch.randn(1, 7, 64)
    q, k, v = block.attn.to_q(block.norm1(x)), block.attn.to_k(features), block.attn.to_v(features)
    after = x + block.attn.to_out(torch.softmax(q @ k.transpose(1, 2) / 8, dim=-1) @ v)
    first, second = block.ff[0], block.ff[2]
    expected = after + second(torch.nn.functional.silu(first(block.norm2(after))))
    assert torch.allclose(block(x, *block.keys_values(features)), expected, atol=1e-5)


def test_injection_sizes_are_read_off_the_weights():
    assert injection_sizes(InjectionBlocks((64, 128, 64)).state_dict()) == (64, 128, 64)


def test_style_modulation_is_the_formula():
    heads = StyleModulation((8, 12), 16)
    embedding, style = torch.randn(3, 16), [torch.randn(3, 8), torch.randn(3, 12)]
    for (norm, embed, out), s, (scale, shift) in zip(heads.style_modules, style, heads(style, embedding), strict=True):
        both = out(norm(s + embed(embedding)))
        half = both.shape[1] // 2
        assert torch.allclose(scale[:, :, 0, 0], both[:, :half]) and torch.allclose(shift[:, :, 0, 0], both[:, half:])
    h = torch.randn(3, 6, 2, 2)
    assert torch.allclose(modulate(h, scale, shift), h + h * scale + shift, atol=1e-6)


def test_one_style_serves_a_batch():
    heads = StyleModulation((8,), 16)
    embedding, style = torch.randn(3, 16), torch.randn(1, 8)
    (alone,), (repeated,) = heads([style], embedding), heads([style.expand(3, -1)], embedding)
    assert torch.allclose(alone[0], repeated[0], atol=1e-6)


def test_style_sizes_are_read_off_the_weights():
    assert style_sizes(StyleModulation((8, 12), 16).state_dict()) == {"widths": (8, 12), "embed_channels": 16}


def lora_weights():
    name = "output_blocks.{}.1.transformer_blocks.0.attn2.{}.lora_{}_{}.weight"
    return {
        name.format(block, projection, half, side): torch.randn(2, 6) if half == "down" else torch.randn(6, 2)
        for block in (3, 11)
        for projection in ("to_q", "to_k", "to_v")
        for half in ("down", "up")
        for side in ("fg", "bg")
    }


def test_the_split_lora_adds_up_of_down_by_block_projection_and_side():
    given = lora_weights()
    renamed = rename_split_lora(given)
    lora = SplitLora({name: tuple(tensor.shape) for name, tensor in renamed.items()})
    lora.load_state_dict(renamed)
    x = torch.randn(1, 4, 6)
    start = "output_blocks.11.1.transformer_blocks.0.attn2.to_v.lora_"
    expected = x @ given[f"{start}down_bg.weight"].T @ given[f"{start}up_bg.weight"].T
    assert torch.allclose(lora.addition(("output", 11), "to_v", "bg", x), expected, atol=1e-5)


@pytest.mark.parametrize("block", [("input", 3), ("middle", 0), ("output", 4)])
def test_there_is_no_lora_elsewhere(block):
    lora = SplitLora({name: tuple(tensor.shape) for name, tensor in rename_split_lora(lora_weights()).items()})
    assert lora.addition(block, "to_q", "fg", torch.randn(1, 4, 6)) is None


def test_names_of_another_form_are_kept_for_the_strict_load_to_report():
    assert list(rename_split_lora({"output_blocks.3.1.odd.lora_down_fg.weight": torch.zeros(1)})) == [
        "output_blocks.3.1.odd.lora_down_fg.weight"
    ]


def test_the_heads_weights_tell_a_background_encoder_from_a_style_encoder():
    h = torch.randn(2, 4, 3, 5)
    layers, background = build_heads([(4, 4, 1, 1)])
    assert torch.allclose(background(layers[0], h), layers[0](h).permute(0, 2, 3, 1).reshape(2, 15, 4), atol=1e-6)
    layers, style = build_heads([(8, 4)])
    assert torch.allclose(style(layers[0], h), layers[0](h.mean(dim=(2, 3))), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (7, 90), (224, 224)])
def test_a_picture_is_squeezed_to_a_square_and_normalised(size):
    image = torch.ones(2, *size, 3) * torch.tensor(CLIP_MEAN)
    pixels = normalise_for_clip(image, 56)
    assert pixels.shape == (2, 3, 56, 56) and pixels.abs().max() < 1e-4
    white = normalise_for_clip(torch.ones(1, *size, 3), 56)[0, :, 0, 0]
    assert torch.allclose(white, (1 - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD), atol=1e-5)
