"""How much Segment Character adds to its network's own forward pass, at the published size.

    .venv/bin/python benchmarks/segment.py [--side 1024] [--frames 1] [--repeats 5] [--threads 2] [--limit 0.10]

Both are timed in turn in one process, on a ComfyUI on the CPU (COMFYUI_PATH, or the one that `make setup` unpacked),
with made-up weights of the published layout. The fastest of the repeats counts, which other load on the machine
disturbs least; the processor's time, summed over threads, is printed beside it. The exit code is 1 when the node takes
longer than the forward pass plus the limit.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
PACK_FOLDER = "colorizediffusion"


def load_nodes(base: Path) -> dict[str, Any]:
    """Start ComfyUI in this process on the CPU, with the pack in custom_nodes, and return its node classes."""
    for name in ("custom_nodes", "input", "output", "models/colorize_segmenters"):
        (base / name).mkdir(parents=True)
    (base / "custom_nodes" / PACK_FOLDER).symlink_to(ROOT, target_is_directory=True)
    # This file's own folder would come first, and hide modules of ComfyUI.
    sys.path[0] = str(COMFYUI)
    arguments, sys.argv = sys.argv, ["main.py", "--cpu", "--base-directory", str(base), "--disable-api-nodes"]
    importlib.import_module("comfy.options").enable_args_parsing()
    importlib.import_module("comfy.cli_args")
    sys.argv = arguments
    nodes = importlib.import_module("nodes")
    if not asyncio.run(nodes.load_custom_node(str(base / "custom_nodes" / PACK_FOLDER))):
        raise SystemExit("ComfyUI could not load the pack: see its log above.")
    return nodes.NODE_CLASS_MAPPINGS


def write_weights(path: Path) -> None:
    """Write a file of the published layout with made-up weights."""
    from safetensors.torch import save_file

    spec = importlib.util.spec_from_file_location("golden_weights", ROOT / "tests" / "golden" / "weights.py")
    assert spec and spec.loader
    weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(weights)
    save_file(weights.fill(json.loads((ROOT / "tests" / "golden" / "keys-isnet.json").read_text())), str(path))


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Time one run: seconds passed, and seconds of processor time over all threads."""
    passed, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - passed, time.process_time() - processor


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=0.10)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        base = Path(folder)
        nodes = load_nodes(base)
        write_weights(base / "models" / "colorize_segmenters" / "isnetis.safetensors")
        segmenter = nodes["ColorizeSegmenterLoader"].execute("isnetis.safetensors").result[0]
        images = torch.rand(options.frames, options.side, options.side, 3)
        inputs = [1 - image.movedim(-1, 0)[None].contiguous() for image in images]
        network = segmenter.patcher.model

        def forward() -> list[Any]:
            return [network(x) for x in inputs]

        def node() -> Any:
            return nodes["ColorizeSegmentCharacter"].execute(segmenter, images, "color", 5, resolution=options.side)

        seconds(node)  # brings the weights in
        forwards, whole = [], []
        for repeat in range(options.repeats):
            forwards.append(seconds(forward))
            whole.append(seconds(node))
            print(f"{repeat + 1}: forward {forwards[-1][0]:.2f} s, node {whole[-1][0]:.2f} s", flush=True)
    print(f"{options.frames} × {options.side}², {options.threads} threads, fastest of {options.repeats}:")
    added = []
    for index, clock in enumerate(("passed", "processor")):
        best_forward, best_node = (min(times[index] for times in runs) for runs in (forwards, whole))
        added.append(best_node / best_forward - 1)
        print(f"{clock}: forward {best_forward:.2f} s, node {best_node:.2f} s ({added[-1]:+.1%})")
    print(f"limit: {options.limit:+.0%}")
    return int(added[0] > options.limit)


if __name__ == "__main__":
    sys.exit(main())
