"""The scripts of demo/ by their own names, and the demonstration model among the host's checkpoints."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"


@pytest.fixture(scope="session", autouse=True)
def demo_scripts() -> Iterator[Path]:
    """Make `import scenes` and the like work, as it does for a script in demo/."""
    sys.path.append(str(DEMO))
    yield DEMO
    sys.path.remove(str(DEMO))


@pytest.fixture(scope="session")
def demo_checkpoint(base_directory: Path) -> Path:
    """demo/colorize-demo.safetensors, in models/checkpoints."""
    path = base_directory / "models" / "checkpoints" / "colorize-demo.safetensors"
    shutil.copy(DEMO / path.name, path)
    return path
