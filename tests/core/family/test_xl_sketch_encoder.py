"""The sketch encoder of XL: the golden data's hints, and what each scale sees."""

import pytest
import torch
from colorizediffusion.colorize_core.family.xl_sketch_encoder import XLSketchEncoder, xl_sketch_encoder_sizes
from colorizediffusion.colorize_core.sampling.attention import torch_attention

PREFIX = "control_encoder."


def filled(weights, **options):
    encoder = XLSketchEncoder(**xl_sketch_encoder_sizes(weights), **options)
    encoder.load_state_dict(weights)
    return encoder.requires_grad_(False)


@pytest.fixture(scope="module")
def tiny(weights_of):
    return filled(weights_of("xl-base-tiny", PREFIX))


@pytest.fixture(scope="module")
def two_heads(weights_of):
    return filled(weights_of("xl-sketch-encoder-two-heads", PREFIX))


def compare(hints, golden_xl, name, relative_error):
    assert len(hints) == 4
    for number, hint in enumerate(hints):
        assert relative_error(hint, golden_xl[f"{name}/out/{number}"]) < 2e-5


def test_hints_are_the_golden_datas(tiny, golden_xl, relative_error):
    compare(tiny(golden_xl["images/in/sketch"]), golden_xl, "sketch_hints", relative_error)


def test_a_blank_sketch_has_hints(tiny, golden_xl, relative_error):
    compare(tiny(torch.full((1, 3, 192, 128), -1.0)), golden_xl, "blank_sketch_hints", relative_error)


def test_heads_have_128_channels(two_heads, golden_xl, relative_error):
    lines = golden_xl["sketch_encoder_two_heads/in/sketch"]
    compare(two_heads(lines), golden_xl, "sketch_encoder_two_heads", relative_error)


@pytest.mark.parametrize("size", [(200, 136), (8, 8), (72, 24)])
def test_sizes_that_do_not_halve_evenly(tiny, size):
    grids = [(size[0] // 8, size[1] // 8)]
    for _ in range(2):
        grids.append(tuple((side + 1) // 2 for side in grids[-1]))
    grids.append(grids[-1])
    hints = tiny(torch.zeros(2, 3, *size))
    assert [tuple(hint.shape) for hint in hints] == [
        (2, channels, *grid) for channels, grid in zip((32, 32, 64, 128), grids, strict=True)
    ]


def test_attention_is_called_once_a_scale_on_its_own_and_coarser_tokens(two_heads, monkeypatch):
    calls = []

    def watched(q, k, v, heads):
        calls.append((q.shape[1], k.shape[1], v.shape[1], heads))
        return torch_attention(q, k, v, heads)

    monkeypatch.setattr(two_heads, "attention", watched)
    two_heads(torch.zeros(1, 3, 64, 64))
    # 64, 16, 4 and 4 tokens, and one of the coarsest scale's mean
    assert calls == [(5, 5, 5, 2), (4, 9, 9, 2), (16, 25, 25, 2), (64, 89, 89, 2)]


def test_it_computes_in_the_dtype_that_comes_in(tiny, weights_of, golden_xl, relative_error):
    half = filled(weights_of("xl-base-tiny", PREFIX), dtype=torch.bfloat16)
    lines = golden_xl["images/in/sketch"]
    for hint, expected in zip(half(lines.bfloat16()), tiny(lines), strict=True):
        assert hint.dtype == torch.bfloat16
        assert relative_error(hint.float(), expected) < 0.05


@pytest.mark.parametrize("layout", ["xl-base-full", "xl-v2-full"])
def test_the_published_files_layout_fits(shapes_alone, layout):
    weights = shapes_alone(layout, PREFIX)
    encoder = XLSketchEncoder(**xl_sketch_encoder_sizes(weights), device="meta")
    encoder.load_state_dict(weights, assign=True)
    assert not list(encoder.buffers()) and encoder.attn_layer.heads == 10
    # Without contents nothing can be asked of the device, and nothing lies on another.
    hints = encoder(torch.empty(1, 3, 1024, 1024, device="meta"))
    sides = [(320, 128, 128), (320, 64, 64), (640, 32, 32), (1280, 32, 32)]
    assert [tuple(hint.shape) for hint in hints] == [(1, *size) for size in sides]
