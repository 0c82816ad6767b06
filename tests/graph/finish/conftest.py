"""What the tests of savers share."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import painted_regions
import pytest


@pytest.fixture
def output(host: Any) -> Iterator[Path]:
    """The output folder; what savers put there is taken away after the test."""
    folder = Path(host.folder_paths.get_output_directory())
    yield folder
    for place in ("cels", "layers", "palettes"):
        shutil.rmtree(folder / place, ignore_errors=True)


@pytest.fixture(scope="session")
def painted(pack: Any) -> Any:
    """Return `painted(frames=1, …)`: regions with swatches of the loaded pack, see `painted_regions.painted`."""
    modules = (pack.module(f"colorize_core.finish.{name}") for name in ("regions", "palette"))
    regions, palette = modules
    return lambda frames=1, **more: painted_regions.painted(regions, palette, frames, **more)
