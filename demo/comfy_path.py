"""Make a real ComfyUI and the pack's mathematics importable for the scripts in this folder.

`COMFYUI_PATH` names the ComfyUI; without it the one that `make setup` unpacks is used. The checkout itself is never
put on sys.path: its `nodes` would hide ComfyUI's.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

DEMO = Path(__file__).resolve().parent
ROOT = DEMO.parent
EXAMPLES = ROOT / "samples"
PACK = "colorizediffusion"


def import_comfyui(*arguments: str) -> Path:
    """Put ComfyUI on sys.path and let it read these command line arguments; `colorizediffusion.colorize_core` imports.

    Returns:
        ComfyUI's folder.
    """
    comfyui = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
    if not (comfyui / "main.py").is_file():
        raise SystemExit(f"No ComfyUI in {comfyui}: run 'make setup', or set COMFYUI_PATH to yours.")
    sys.path.insert(0, str(comfyui))
    argv, sys.argv = sys.argv, ["main.py", "--cpu", *arguments]
    try:
        importlib.import_module("comfy.options").enable_args_parsing()
        importlib.import_module("comfy.cli_args")
    finally:
        sys.argv = argv
    _name_pack()
    return comfyui


def import_core(name: str) -> ModuleType:
    """Return a module of the pack's mathematics, such as `finish.color`; these need no ComfyUI."""
    _name_pack()
    return importlib.import_module(f"{PACK}.colorize_core.{name}")


def _name_pack() -> None:
    """Let the checkout be imported from under the pack's name, without running its `__init__.py`."""
    bare = ModuleType(PACK)
    bare.__path__ = [str(ROOT)]
    sys.modules.setdefault(PACK, bare)
