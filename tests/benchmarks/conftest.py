"""The short benchmarks, run once by their command; what they watch with; and the studio of tests/graph."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from module_files import fixtures_of, load_file

ROOT = Path(__file__).resolve().parent.parent.parent


studio = fixtures_of("graph").studio


@pytest.fixture(scope="session")
def watches() -> ModuleType:
    """The module benchmarks/watches.py."""
    return load_file(ROOT / "benchmarks" / "watches.py", "benchmark_watches")


@dataclass
class ShortRun:
    """What `benchmarks/run.py --short` gave: the page, and the rows of each table by its name."""

    page: str
    tables: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def short_run(comfyui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> ShortRun:
    """Run the benchmarks' short version in a process of its own, for they start a ComfyUI with their own arguments."""
    values = tmp_path_factory.mktemp("benchmarks") / "values.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--short", "--json", str(values)]
    environment = {**os.environ, "COMFYUI_PATH": str(comfyui_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return ShortRun(done.stdout, json.loads(values.read_text()))
