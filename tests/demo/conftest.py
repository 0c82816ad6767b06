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
def demo_folder(base_directory: Path) -> Path:
    """The in-process host's models/checkpoints."""
    return base_directory / "models" / "checkpoints"


@pytest.fixture
def demo_checkpoint(demo_folder: Path) -> Path:
    """samples/colorize-demo.safetensors, in models/checkpoints."""
    path = demo_folder / "colorize-demo.safetensors"
    shutil.copy(DEMO.parent / "samples" / path.name, path)
    return path
