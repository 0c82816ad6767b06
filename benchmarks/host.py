"""A ComfyUI in this process for the benchmarks, and the pack's core in it."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()


def start_comfyui(*arguments: str, cpu: bool = True) -> None:
    """Make ComfyUI's modules importable, with these command line arguments; call it before anything imports comfy.

    Args:
        cpu: whether ComfyUI has to keep to the processor, or may choose a device.
    """
    # Before this file's own folder, which must not hide modules of ComfyUI.
    sys.path.insert(0, str(COMFYUI))
    own, sys.argv = sys.argv, ["main.py", *(["--cpu"] if cpu else []), *arguments]
    importlib.import_module("comfy.options").enable_args_parsing()
    importlib.import_module("comfy.cli_args")
    sys.argv = own


def core(name: str) -> Any:
    """Return a module of `colorize_core`, by its name there."""
    if "colorizediffusion" not in sys.modules:
        bare = ModuleType("colorizediffusion")
        bare.__path__ = [str(ROOT)]
        sys.modules["colorizediffusion"] = bare
    return importlib.import_module(f"colorizediffusion.colorize_core.{name}")
