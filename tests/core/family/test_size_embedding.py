"""The size embedding y of the background and style encoders."""

import pytest
import torch
from colorizediffusion.colorize_core.family.size_embedding import sinusoidal_embedding, size_embedding


@pytest.mark.parametrize("name", ["reference", "background"])
def test_it_is_the_published_one(golden, name):
    image_size = golden[f"images/in/{name}"].shape[-2:]
    size = golden["images/in/sketch"].shape[-2:]
    ours, published = size_embedding(*image_size, *size), golden[f"size_embedding_{name}/out/y"]
    assert ours.shape == published.shape == (1, 512)
    assert float((ours - published).norm() / published.norm()) < 2e-5


def test_the_cosine_half_comes_first():
    embedding = sinusoidal_embedding(0.0)
    assert embedding.tolist() == [1.0] * 128 + [0.0] * 128
    assert sinusoidal_embedding(2.0)[0] == pytest.approx(torch.tensor(2.0).cos())
    assert sinusoidal_embedding(2.0)[128] == pytest.approx(torch.tensor(2.0).sin())


def test_an_image_at_least_as_large_as_the_output_counts_as_it_is():
    y = size_embedding(800, 1200, 400, 600)
    assert torch.equal(y[0, :256], sinusoidal_embedding(2.0)) and torch.equal(y[0, 256:], sinusoidal_embedding(2.0))


@pytest.mark.parametrize(("height", "width"), [(100, 900), (900, 100), (100, 50)])
def test_an_image_smaller_in_any_direction_counts_as_larger_with_its_proportions(height, width):
    y = size_embedding(height, width, 512, 768)
    ih = height + 768
    assert torch.equal(y[0, :256], sinusoidal_embedding(ih / 512))
    assert torch.equal(y[0, 256:], sinusoidal_embedding(width / height * ih / 768))


def test_two_shapes_have_two_embeddings():
    assert not torch.equal(size_embedding(512, 768, 512, 512), size_embedding(768, 512, 512, 512))
