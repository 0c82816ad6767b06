"""What version 1.5 has beside the shared parts, each alone: the golden data's numbers, and sizes read off shapes."""

import pytest
import torch
from colorizediffusion.colorize_core.family.cluster_transformer import (
    ClusterTransformer,
    ThresholdEmbedding,
    cluster_sizes,
    threshold_sizes,
)
from colorizediffusion.colorize_core.sampling.attention import torch_attention


def filled(build, sizes_of, weights):
    module = build(**sizes_of(weights))
    module.load_state_dict(weights)
    return module.requires_grad_(False)


@pytest.fixture(scope="module")
def cluster(weights_of):
    return filled(ClusterTransformer, cluster_sizes, weights_of("switch-tiny", "transformer."))


@pytest.fixture(scope="module")
def embedding(weights_of):
    return filled(ThresholdEmbedding, threshold_sizes, weights_of("switch-tiny", "thresh_embedder."))


def test_gathered_tokens_are_the_golden_datas(cluster, golden_v1, relative_error):
    data = golden_v1.group("switch/cluster")
    assert relative_error(cluster(data["in/tokens"]), data["out/tokens"]) < 2e-5


def test_thresholds_are_the_golden_datas(embedding, golden_v1, relative_error):
    data = golden_v1.group("switch/threshold_embedding")
    for theta, expected in zip(data["in/thresholds"].tolist(), data["out/embedding"], strict=True):
        assert relative_error(embedding(theta, expected), expected) < 2e-5


def test_any_number_of_tokens_is_gathered_into_the_learned_ones(cluster):
    calls = []

    def watched(q, k, v, heads):
        calls.append((q.shape[1], k.shape[1], heads))
        return torch_attention(q, k, v, heads)

    tokens = cluster(torch.randn(2, 37, 1024, generator=torch.Generator().manual_seed(0)), watched)
    assert tokens.shape == (2, 16, 1024) and calls == [(16, 37, 16)] * 2
    assert not torch.equal(tokens[0], tokens[1])
