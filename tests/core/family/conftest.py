"""What the tests of the versions' networks share: golden data, and weights that are shapes alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="session")
def golden_xl(golden: Any) -> Any:
    """tests/golden/xl.safetensors."""
    return type(golden)(GOLDEN / "xl.safetensors")


@pytest.fixture(scope="session")
def golden_v1(golden: Any) -> Any:
    """tests/golden/v1.safetensors."""
    return type(golden)(GOLDEN / "v1.safetensors")


@pytest.fixture(scope="session")
def shapes_alone(golden_keys: Callable[[str], dict[str, list[int]]]) -> Callable[..., dict[str, torch.Tensor]]:
    """Return a function: the tensors of a layout under a prefix, without their contents and without the prefix."""

    def read(layout: str, prefix: str = "") -> dict[str, torch.Tensor]:
        shapes = {key: shape for key, shape in golden_keys(layout).items() if key.startswith(prefix)}
        return {key[len(prefix) :]: torch.empty(shape, device="meta") for key, shape in shapes.items()}

    return read


@pytest.fixture(scope="session")
def weights_of(golden_keys, golden_weights) -> Callable[..., dict[str, torch.Tensor]]:
    """Return a function: the golden data's weights of a layout under a prefix, without the prefix."""

    def read(layout: str, prefix: str = "") -> dict[str, torch.Tensor]:
        shapes = {key: shape for key, shape in golden_keys(layout).items() if key.startswith(prefix)}
        return {key[len(prefix) :]: value for key, value in golden_weights(shapes, 0).items()}

    return read


@pytest.fixture(scope="session")
def relative_error() -> Callable[[torch.Tensor, torch.Tensor], float]:
    """Return a function: the largest difference of two tensors, relative to the largest number of the second."""

    def measure(result: torch.Tensor, expected: torch.Tensor) -> float:
        assert result.shape == expected.shape and result.dtype == expected.dtype
        return ((result - expected).abs().max() / expected.abs().max()).item()

    return measure
