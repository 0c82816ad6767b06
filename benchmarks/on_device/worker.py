"""A process of its own for some parts: a ComfyUI on the device, the parts one after the other, lines for the others."""

import argparse
import functools
import importlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host import COMFYUI, ROOT, core, device_argument, start_comfyui

from .records import Journal, NotHere, reason

Parts = dict[str, Callable[[], None]]
#: For every process: what PyTorch itself attends with is on every device.
ARGUMENTS = ("--use-pytorch-cross-attention",)


def work(group: str, journal: Journal, options: argparse.Namespace) -> None:
    """Run the parts of a group but those that are done; what fails is told, and the rest goes on."""
    try:
        parts = GROUPS[group](journal, options)
    except Exception as error:
        traceback.print_exc()
        journal.skip(NAMES[group], reason(error))
        return
    for name, part in parts.items():
        if name in options.done:
            continue
        print(f"device: {name}", file=sys.stderr, flush=True)
        journal.write("begin", part=name)
        started = time.perf_counter()
        try:
            part()
        except Exception as error:
            traceback.print_exc()
            journal.skip(name, reason(error))
        journal.write("end", part=name, seconds=round(time.perf_counter() - started, 1))


def step_parts(journal: Journal, options: argparse.Namespace) -> Parts:
    """Steps of the published networks, and last their compiling, which may take longer than there is time."""
    start_comfyui(*ARGUMENTS, device=device_argument())
    from . import compiled, steps
    from .backend import Backend

    backend = tell(journal, Backend())
    if backend.is_processor:
        journal.skip("all in float16", "A processor takes many times as long for it, which tells nothing of a card.")
    compiling = functools.partial(compiled.measure, backend, journal, options.tiny)
    return steps.parts(backend, journal, options.tiny, options.share) | {"v2, compiled": compiling}


def node_parts(journal: Journal, options: argparse.Namespace) -> Parts:
    """Golden cases through the nodes, and weights that are taken away."""
    goldens = load(options, [device_argument(), *ARGUMENTS])
    from .backend import Backend

    backend = tell(journal, Backend())
    dtypes = ("float32", *(str(dtype).removeprefix("torch.") for dtype in backend.dtypes()))
    parts: Parts = {
        f"golden cases, {dtype}": functools.partial(goldens.compare, dtype, journal, options.tiny) for dtype in dtypes
    }
    how = "half of the weights taken"
    return parts | {"weights taken": functools.partial(goldens.pressed, journal, how, options.tiny)}


def dynamic_parts(journal: Journal, options: argparse.Namespace) -> Parts:
    """The same with weights that ComfyUI moves as they are needed, where it does so."""
    goldens = load(options, list(ARGUMENTS), as_server=True)
    memory = importlib.import_module("comfy.memory_management")
    if not memory.aimdo_enabled:
        raise NotHere("This ComfyUI does not move weights dynamically on this device; its log above says why.")
    return {"dynamic offload": functools.partial(goldens.pressed, journal, "dynamic offload", options.tiny)}


#: What tables call them.
NAMES = {"nodes": "golden cases and weights taken", "dynamic": "dynamic offload", "steps": "steps"}
GROUPS = {"nodes": node_parts, "dynamic": dynamic_parts, "steps": step_parts}


def load(options: argparse.Namespace, arguments: list[str], as_server: bool = False) -> Any:
    """Load the pack in a ComfyUI of its own folders, and return what runs the golden data.

    Args:
        as_server: import what prepares ComfyUI's server, too.
    """
    sys.path.append(str(ROOT / "tests" / "helpers"))
    from host_and_pack import load_pack, start_host

    base = Path(options.folder) / ("server" if as_server else "nodes")
    for name in ("custom_nodes", "input", "output", "models/checkpoints"):
        (base / name).mkdir(parents=True, exist_ok=True)
    host = start_host(COMFYUI, base, [argument for argument in arguments if argument], as_server)
    pack = load_pack(host, ROOT)
    from .golden import Goldens

    return Goldens(host, pack, base)


def tell(journal: Journal, backend: Any) -> Any:
    """Write what machine this is, and hand the device on."""
    versions = {"comfyui": importlib.import_module("comfyui_version").__version__, "pack": core("version").VERSION}
    journal.write("machine", **backend.describe(), **versions)
    return backend
