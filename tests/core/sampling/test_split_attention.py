"""Split cross-attention against the plain formula: both passes for every position, then one of the two is kept."""

import pytest
import torch
from colorizediffusion.colorize_core.prepare.regions import region_indices, soft_regions
from colorizediffusion.colorize_core.sampling.split_attention import Projected, split_attention, tokens_by_region
from hypothesis import given, settings
from hypothesis import strategies as st

B, C, D, N = 2, 6, 5, 3


def attend(q, k, v):
    return torch.softmax(q @ k.transpose(1, 2) / C**0.5, dim=-1) @ v


def inputs_for(positions: int, regions: int, seed: int = 0) -> tuple[Projected, dict]:
    """Made-up tokens and projections, and a low-rank addition for each projection and region."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.randn(*shape, generator=generator)

    x, context = rand(B, positions, C), rand(B, regions * N, D)
    projected = Projected(x, context, context, x @ rand(C, C), context @ rand(D, C), context @ rand(D, C))
    additions = {
        (name, region): rand(C if name == "to_q" else D, C)
        for name in ("to_q", "to_k", "to_v")
        for region in range(regions)
    }
    return projected, additions


def plainly(p: Projected, labels, regions, strengths, additions, merge):
    """Every region's pass over all positions, as the spec writes it."""
    passes = []
    for region in range(regions):
        own = slice(region * N, (region + 1) * N)
        q = p.q + p.x @ additions["to_q", region]
        k = p.k[:, own] + p.context[:, own] @ additions["to_k", region]
        v = p.v[:, own] + p.value[:, own] @ additions["to_v", region]
        passes.append(strengths[region] * attend(q, k, v))
    background = passes[-1]
    out = torch.empty_like(p.q)
    for region in range(regions):
        kept = passes[region]
        if region != regions - 1:
            kept = (1 - merge) * kept + merge * background
        out[:, labels == region] = kept[:, labels == region]
    return out


@settings(max_examples=150)
@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    merge=st.sampled_from([0.0, 0.3, 1.0]),
    strengths=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=4, max_size=4),
)
def test_it_is_the_plain_formula(labels, merge, strengths):
    layout = torch.tensor(labels)
    inputs, additions = inputs_for(len(labels), 4)
    (index,) = region_indices(layout[None, None], 4)
    ours = split_attention(
        inputs,
        index,
        tokens_by_region(4 * N, [N] * 4),
        strengths,
        attend,
        lambda projection, region, x: x @ additions[projection, region],
        merge,
    )
    assert torch.allclose(ours, plainly(inputs, layout, 4, strengths, additions, merge), atol=1e-5)


@pytest.mark.parametrize(("characters", "pairs"), [(1, True), (2, False)])
def test_soft_regions_are_added_up_with_their_weights_into_what_is_given(characters, pairs):
    generator = torch.Generator().manual_seed(5)
    masks = [torch.rand(1, 3, 4, generator=generator) for _ in range(characters)]
    masks[0][:, 0] = 0.0
    (index,), regions = soft_regions(masks, 3, 4), characters + 1
    assert index.pairs is pairs
    inputs, _ = inputs_for(12, regions)
    given = torch.zeros(2 * B, 12, C)
    ours = split_attention(
        inputs, index, tokens_by_region(regions * N, [N] * regions), [1.0] * regions, attend, out=given[::2]
    )
    expected = torch.zeros_like(inputs.q)
    for region, (positions, weight) in enumerate(zip(index.positions, index.weights, strict=True)):
        own = slice(region * N, (region + 1) * N)
        part = slice(None) if positions is None else positions
        expected[:, part] += attend(inputs.q, inputs.k[:, own], inputs.v[:, own])[:, part] * weight[:, None]
    assert torch.allclose(ours, expected, atol=1e-6)
    assert ours.data_ptr() == given.data_ptr() and not given[1::2].any()


def test_without_additions_and_with_equal_tokens_it_is_plain_attention():
    inputs, _ = inputs_for(8, 2)
    same = Projected(*(t if t.shape[1] == 8 else torch.cat([t[:, :N]] * 2, dim=1) for t in vars(inputs).values()))
    (index,) = region_indices(torch.tensor([[[0, 1, 1, 0, 1, 0, 0, 1]]]), 2)
    ours = split_attention(same, index, tokens_by_region(2 * N, [N, N]), (1.0, 1.0), attend)
    assert torch.allclose(ours, attend(same.q, same.k, same.v), atol=1e-6)


@pytest.mark.parametrize("label", [0, 1])
def test_only_what_is_kept_is_computed(label):
    """A region without positions has no pass, and a region's pass sees its own positions only."""
    inputs, _ = inputs_for(6, 2)
    calls = []

    def counted(q, k, v):
        calls.append((q.shape[1], k.shape[1]))
        return attend(q, k, v)

    (index,) = region_indices(torch.full((1, 1, 6), label), 2)
    split_attention(inputs, index, tokens_by_region(2 * N, [N, N]), (1.0, 1.0), counted)
    assert calls == [(6, N)]
    calls.clear()
    (index,) = region_indices(torch.tensor([[[0, 0, 1, 1, 1, 1]]]), 2)
    split_attention(inputs, index, tokens_by_region(2 * N, [N, N]), (1.0, 1.0), counted)
    assert calls == [(2, N), (4, N)]


def test_the_background_has_no_merge():
    inputs, _ = inputs_for(6, 2)
    (index,) = region_indices(torch.ones(1, 1, 6, dtype=torch.int64), 2)
    whole, merged = (
        split_attention(inputs, index, tokens_by_region(2 * N, [N, N]), (1.0, 1.0), attend, merge=m) for m in (0.0, 0.7)
    )
    assert torch.equal(whole, merged)


def test_the_result_has_the_type_of_the_queries_whatever_the_additions_have():
    inputs, _ = inputs_for(6, 2)
    half = Projected(*(t.to(torch.bfloat16) for t in vars(inputs).values()))
    (index,) = region_indices(torch.tensor([[[0, 0, 1, 1, 1, 1]]]), 2)
    out = split_attention(half, index, tokens_by_region(2 * N, [N, N]), (1.0, 0.5), attend)
    assert out.dtype == torch.bfloat16 and out.isfinite().all()


def test_rows_are_taken_from_every_tensor():
    inputs, _ = inputs_for(4, 2)
    picked = inputs.rows([1])
    assert all(torch.equal(a, b[1:]) for a, b in zip(vars(picked).values(), vars(inputs).values(), strict=True))


def test_each_region_has_its_tokens_in_order():
    assert tokens_by_region(12, [4, 4, 4]) == [slice(0, 4), slice(4, 8), slice(8, 12)]


@pytest.mark.parametrize("tokens", [1, 7, 77])
def test_a_context_that_is_not_made_of_parts_is_shared_by_all(tokens):
    assert tokens_by_region(tokens, [4, 4]) == [slice(None)] * 2


def test_each_region_has_its_tokens_of_every_context_in_a_row():
    assert tokens_by_region(10, [3, 2]) == [[0, 1, 2, 5, 6, 7], [3, 4, 8, 9]]
    assert tokens_by_region(16, [4, 4]) == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]]


@pytest.mark.parametrize("copies", [2, 3])
def test_a_context_several_times_in_a_row_is_the_context(copies):
    """ComfyUI repeats contexts of different lengths to run them in one batch."""
    inputs, _ = inputs_for(7, 2)
    (index,) = region_indices(torch.tensor([[[0, 0, 1, 1, 1, 1, 0]]]), 2)

    def result(times):
        """With keys and values `times` times in a row; the 7 queries stay."""
        given = Projected(*(t if t.shape[1] == 7 else t.repeat(1, times, 1) for t in vars(inputs).values()))
        return split_attention(given, index, tokens_by_region(2 * N * times, [N, N]), (1.0, 1.0), attend)

    once, repeated = result(1), result(copies)
    assert torch.allclose(once, repeated, atol=1e-6)
