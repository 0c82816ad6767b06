"""Split cross-attention: each region of the picture attends to its own reference tokens only.

Only what is kept is computed: the queries of a region meet the keys of that region and no others.

Source: spec section 5; arXiv 2504.06895, split cross-attention; arXiv 2502.19937.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..prepare.regions import RegionIndex

#: (projection, region, input tokens) -> what to add to the projected tokens, or None.
Addition = Callable[[str, int, Tensor], Tensor | None]


@dataclass(frozen=True)
class Projected:
    """What one cross-attention works on: the inputs of its projections and their results.

    Attributes:
        x: [B, T, C], the queries' input.
        context, value: [B, S, D], the keys' and the values' input, as a rule the same.
        q: [B, T, C]. k, v: [B, S, C].
    """

    x: Tensor
    context: Tensor
    value: Tensor
    q: Tensor
    k: Tensor
    v: Tensor

    def rows(self, index) -> "Projected":
        """Return some rows of the batch."""
        return Projected(*(getattr(self, f.name)[index] for f in fields(self)))


def tokens_by_region(tokens: int, counts: Sequence[int]) -> list[slice] | list[list[int]]:
    """Say where each region's tokens lie in a context of `tokens` tokens.

    Several contexts in a row (Conditioning Concat) count for each region alike. A context that is not made of such
    parts (a one-token context, say, or a text prompt) is shared by all.

    Args:
        counts: how many tokens each region has, one after the other.
    """
    contexts, rest = divmod(tokens, sum(counts))
    if rest or not contexts:
        return [slice(None)] * len(counts)
    ends = list(itertools.accumulate(counts))
    own = [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]
    if contexts == 1:
        return own
    return [[i for i in range(tokens) if part.start <= i % ends[-1] < part.stop] for part in own]


def split_attention(
    inputs: Projected,
    index: RegionIndex,
    tokens: Sequence[slice] | Sequence[Tensor],
    strengths: Sequence[float],
    attend: Callable[[Tensor, Tensor, Tensor], Tensor],
    addition: Addition | None = None,
    merge: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """Attend region by region; all positions are gathered by one call and scattered by another.

    Args:
        inputs: projected tokens of B rows that share one region layout.
        index: the positions of each region among the T queries; the last region is the background. Where regions
            overlap, their results are added up with their weights.
        tokens: where each region's tokens lie among the S keys, as slices or positions.
        strengths: each region's factor on the attention's result.
        attend: (q, k, v) -> result, all [B, ·, C].
        addition: low-rank additions to the projections, if any.
        merge: μ in [0, 1]; a character's result becomes (1 - μ)·itself + μ·the background pass at its positions.
        out: zeros [B, T, C] to write the result to.

    Returns:
        [B, T, C], to be projected by `to_out`.
    """
    background = len(tokens) - 1

    def plus(projected: Tensor, projection: str, region: int, source: Tensor) -> Tensor:
        extra = None if addition is None else addition(projection, region, source)
        return projected if extra is None else projected + extra

    keys_values: dict[int, tuple[Tensor, Tensor]] = {}

    def attend_to(region: int, x: Tensor, q: Tensor) -> Tensor:
        if region not in keys_values:
            own = tokens[region]
            keys_values[region] = (
                plus(inputs.k[:, own], "to_k", region, inputs.context[:, own]),
                plus(inputs.v[:, own], "to_v", region, inputs.value[:, own]),
            )
        result = attend(plus(q, "to_q", region, x), *keys_values[region])
        return result if strengths[region] == 1.0 else result * strengths[region]

    order = index.order
    q = inputs.q if order is None else inputs.q.index_select(1, order)
    # Nothing but an addition looks at what the queries were projected from.
    x = q if addition is None else inputs.x if order is None else inputs.x.index_select(1, order)
    results = []
    for region, x_part, q_part in zip(index.present, x.split(index.sizes, 1), q.split(index.sizes, 1), strict=True):
        result = attend_to(region, x_part, q_part)
        if merge and region != background:
            result = result.lerp(attend_to(background, x_part, q_part), merge)
        results.append(result.to(q.dtype))
    whole = results[0] if len(results) == 1 else torch.cat(results, dim=1)
    if index.weights:
        whole = whole * index.joined_weights(whole.dtype)
    if order is None:
        return whole if out is None else out.copy_(whole)
    if not index.weights:
        out = torch.empty_like(inputs.q) if out is None else out
        return out.index_copy_(1, order, whole)
    out = torch.zeros_like(inputs.q) if out is None else out
    if index.pairs:
        return out.index_add_(1, order, whole)
    # Where three meet, a device adds them in any order unless told one after the other.
    for positions, part in zip(order.split(index.sizes), whole.split(index.sizes, 1), strict=True):
        out.index_add_(1, positions, part)
    return out
