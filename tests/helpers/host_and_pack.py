"""A real ComfyUI in this process, the pack loaded by ComfyUI's own loader, and the golden data, without pytest."""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from module_files import load_file

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
#: Image encoders of XL's checkpoint, by the name that their tensors begin with.
XL_ENCODERS = {"cond_stage_model": "xl-clip-tiny", "img_embedder": "xl-tagger-tiny"}


def start_host(
    comfyui: Path, base_directory: Path, arguments: Sequence[str], as_server: bool = False
) -> SimpleNamespace:
    """Import ComfyUI with command line arguments; `.nodes`, `.execution`, `.folder_paths`, `.torch` are its modules.

    Args:
        as_server: first what its server prepares, memory that it manages by itself among it.
    """
    sys.path.insert(0, str(comfyui))
    argv, sys.argv = sys.argv, ["main.py", *arguments]
    sys.argv += ["--base-directory", str(base_directory), "--disable-api-nodes"]
    try:
        importlib.import_module("comfy.options").enable_args_parsing()
        importlib.import_module("comfy.cli_args")
        if as_server:
            importlib.import_module("main")
    finally:
        sys.argv = argv
    # As main.py does it: `nodes` puts a folder first on the path in which there is another `utils`.
    importlib.import_module("utils.extra_config")
    names = ("torch", "folder_paths", "nodes", "execution")
    return SimpleNamespace(path=comfyui, **{name: importlib.import_module(name) for name in names})


class Pack:
    """The pack as the host has loaded it.

    Example:
        >>> model, colorizer, control, vae, clip_vision = pack.run("ColorizeCheckpointLoader", ckpt_name=name)
        >>> with pytest.raises(pack.Error, match="no mask"): ...
    """

    def __init__(self, host: SimpleNamespace, module_name: str) -> None:
        self.host = host
        self.module_name = module_name
        self.Error = self.module("colorize_core.errors").ColorizeError

    def module(self, name: str) -> Any:
        """Return a module of the loaded pack, such as `colorize_core.errors`; the bare package's are other objects."""
        return importlib.import_module(f"{self.module_name}.{name}")

    def node(self, node_id: str) -> Any:
        """Return a node class, ours or ComfyUI's; ComfyUI's extra nodes are loaded when first asked for."""
        nodes = self.host.nodes
        if node_id not in nodes.NODE_CLASS_MAPPINGS:
            asyncio.run(nodes.init_builtin_extra_nodes())
        return nodes.NODE_CLASS_MAPPINGS[node_id]

    def run(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        """Run a node by ComfyUI's executor functions and return its outputs.

        Required inputs that are left out take the schema's default, as the UI would send it. Ranges are not checked
        here: ComfyUI does that when a prompt is queued.
        """
        return self.run_ui(node_id, **inputs)[0]

    def run_ui(self, node_id: str, **inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Like `run`, and also return what the node shows in the UI."""
        node, execution = self.node(node_id), self.host.execution
        declared = node.INPUT_TYPES()
        unknown = set(inputs) - set(declared.get("required", {})) - set(declared.get("optional", {}))
        if unknown:
            raise TypeError(f"{node_id} has no input {', '.join(sorted(unknown))}")
        for name, (_kind, *options) in declared.get("required", {}).items():
            if name not in inputs and options and "default" in options[0]:
                inputs[name] = options[0]["default"]
        data, missing, hidden = execution.get_input_data(inputs, node, "1", extra_data={})
        assert not missing
        obj = node if hasattr(node, "GET_SCHEMA") else node()

        async def call() -> tuple[Any, ...]:
            return await execution.get_output_data("test", "1", obj, data, None, None, hidden)

        with self.host.torch.inference_mode():
            output, ui, _subgraph, pending = asyncio.run(call())
        assert not pending, f"{node_id} is asynchronous: run it through a server"
        return tuple(value[0] for value in output), ui


class Recorder(logging.Handler):
    """Keeps what is logged, for the message of a load that failed."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def load_pack(host: SimpleNamespace, link: Path) -> Pack:
    """Load the pack from a link in custom_nodes; a RuntimeError says what ComfyUI logged when it could not."""
    recorder = Recorder()
    logging.getLogger().addHandler(recorder)
    try:
        loaded = asyncio.run(host.nodes.load_custom_node(str(link)))
    finally:
        logging.getLogger().removeHandler(recorder)
    if not loaded:
        raise RuntimeError("ComfyUI could not load the pack:\n" + "\n".join(recorder.lines))
    return Pack(host, str(link).replace(".", "_x_"))


class Golden(Mapping[str, Any]):
    """The tensors of one golden file, read when asked for.

    Example:
        >>> golden["case/plain/out/v"].shape
        >>> golden.group("case/plain/in")  # {"x": ..., "t": ...}
    """

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self._file = safe_open(str(path), framework="pt")
        self._names = list(self._file.keys())

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def group(self, prefix: str) -> dict[str, Any]:
        """Return the tensors under `prefix/`, named by what follows it."""
        start = prefix.rstrip("/") + "/"
        return {name[len(start) :]: self[name] for name in self._names if name.startswith(start)}


def keys_of(layout: str) -> dict[str, list[int]]:
    """Read tests/golden/keys-<layout>.json, {tensor name: shape}."""
    shapes: dict[str, list[int]] = json.loads((GOLDEN / f"keys-{layout}.json").read_text())
    return shapes


def fill_of() -> Callable[..., dict[str, Any]]:
    """Return `fill(shapes, seed=0)` of tests/golden/weights.py, which makes the golden data's weights."""
    fill: Callable[..., dict[str, Any]] = load_file(GOLDEN / "weights.py", "golden_weights").fill
    return fill


def xl_tensors(model: str) -> dict[str, Any]:
    """Make the golden data's checkpoint of XL, "base" or "v2", its image encoders inside."""
    fill = fill_of()
    tensors = fill(keys_of(f"xl-{model}-tiny"), 0)
    for part, keys in XL_ENCODERS.items():
        tensors |= {f"{part}.{key}": value for key, value in fill(keys_of(keys), 0).items()}
    return tensors
