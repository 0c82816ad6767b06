"""Reference tokens of XL out of both image encoders' features."""

import pytest
import torch
from colorizediffusion.colorize_core.family.xl_reference_tokens import (
    ReferenceProjection,
    reference_projection_sizes,
)
from colorizediffusion.colorize_core.sampling.attention import torch_attention


@pytest.fixture(scope="module")
def tiny(weights_of):
    weights = weights_of("xl-base-tiny", "proj.")
    projection = ReferenceProjection(**reference_projection_sizes(weights))
    projection.load_state_dict(weights)
    return projection.requires_grad_(False)


@pytest.mark.parametrize("name", ["reference", "background", "bleached"])
def test_tokens_are_the_golden_datas(tiny, golden_xl, relative_error, name):
    features = golden_xl.group(f"encoders/{name}/out")
    tokens = tiny(features["clip_tokens"], features["tagger_features"])
    assert relative_error(tokens, features["tokens"]) < 2e-5


def test_only_tokens_that_are_kept_are_asked_for(tiny):
    calls = []

    def watched(q, k, v, heads):
        calls.append((q.shape[1], k.shape[1], heads))
        return torch_attention(q, k, v, heads)

    tokens = tiny(torch.zeros(2, 257, 256), torch.zeros(2, 196, 128), watched)
    assert tokens.shape == (2, 196, 256) and calls == [(196, 257, 2)]


@pytest.mark.parametrize("layout", ["xl-base-full", "xl-v2-full"])
def test_the_published_files_layout_fits(shapes_alone, layout):
    weights = shapes_alone(layout, "proj.")
    sizes = reference_projection_sizes(weights)
    assert sizes == {"clip_channels": 1280, "tagger_channels": 1024, "context_channels": 2048}
    projection = ReferenceProjection(**sizes, device="meta")
    projection.load_state_dict(weights, assign=True)
    assert projection.attn.heads == 10
    clip_tokens, features = (torch.empty(2, *size, device="meta") for size in ((257, 1280), (196, 1024)))
    assert projection(clip_tokens, features).shape == (2, 196, 2048)
