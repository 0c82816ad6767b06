"""A ComfyUI that is too old is told so in one line, and nothing else happens."""

import importlib.util
import logging
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize(
    ("version", "fine"), [("0.3.60", True), ("0.3.75", True), ("0.38.1", True), ("0.3.59", False), ("0.2.0", False)]
)
def test_versions(host, pack, monkeypatch, caplog, version, fine):
    monkeypatch.setattr(sys.modules["comfyui_version"], "__version__", version)
    spec = importlib.util.spec_from_file_location(
        "another_copy", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "another_copy", module)
    with caplog.at_level(logging.ERROR):
        spec.loader.exec_module(module)
    assert hasattr(module, "comfy_entrypoint") == fine
    assert [f"this is {version}" in record.getMessage() for record in caplog.records] == [True] * (not fine)
