"""Python files imported by their paths, for conftest.py files and tests: importlib mode gives them no names."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).resolve().parent.parent


def load_file(path: Path, name: str) -> ModuleType:
    """Import one Python file under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def fixtures_of(folder: str) -> ModuleType:
    """Import another folder's conftest.py, for fixtures to take over: `studio = fixtures_of("graph").studio`."""
    return load_file(TESTS / folder / "conftest.py", f"{folder}_fixtures")
