"""The pack together with the rest of ComfyUI: real nodes, real classes, tiny weights.

The studio is that of tests/graph.
"""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

#: Relative difference that another order of the same sums makes in float32, over three steps.
SAME = 2e-5
#: Relative difference that a feature must make at least.
NOTICED = 1e-3


def _graph_fixtures() -> ModuleType:
    path = Path(__file__).parent.parent / "graph" / "conftest.py"
    spec = importlib.util.spec_from_file_location("graph_fixtures", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_graph = _graph_fixtures()
studio, tiny_tensors = _graph.studio, _graph.tiny_tensors


@pytest.fixture(scope="session")
def everything(studio: Any) -> Any:
    """A carrier with background and style."""
    return studio.carrier("background_image", style=True)


class Colour:
    """Colours with everything on: split, background, style, line map.

    Example:
        >>> latent = colour(before=lambda model: freeu(model))
        >>> latent = colour(after=lambda model: freeu(model), steps=1)
    """

    def __init__(self, studio: Any, everything: Any) -> None:
        self.studio, self.carrier = studio, everything

    def patched(self, before: Any = None, after: Any = None, mask: Any = None, carrier: Any = None, **settings: Any):
        """Return (model, positive, negative); `before` and `after` change the MODEL around Apply Colorization."""
        model = self.studio.model if before is None else before(self.studio.model)
        mask = self.studio.mask() if mask is None else mask
        model, positive, negative = self.studio.apply(carrier or self.carrier, mask, model, **settings)
        return (model if after is None else after(model)), *self.studio.sketch(positive, negative)

    def __call__(self, before: Any = None, after: Any = None, noise: Any = None, **settings: Any):
        """Return the latent."""
        sampling = {name: settings.pop(name) for name in ("steps", "cfg", "sampler_name") if name in settings}
        latent = self.studio.sample(*self.patched(before, after, **settings), noise=noise, **sampling)
        assert latent.isfinite().all()
        return latent


@pytest.fixture(scope="session")
def colour(studio: Any, everything: Any) -> Colour:
    """Colour with everything on."""
    return Colour(studio, everything)


@pytest.fixture(scope="session")
def plain(colour: Colour) -> Any:
    """The latent with everything on and nothing mixed in."""
    return colour()
