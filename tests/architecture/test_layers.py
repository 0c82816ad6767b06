"""Dependencies run one way: nodes -> colorize_core.host -> colorize_core, and to ComfyUI only where it is meant.

The same goes for the rooms inside them, in the order in which a picture passes.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

COMFYUI = {
    "app",
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "comfyui_version",
    "execution",
    "folder_paths",
    "latent_preview",
    "node_helpers",
    "nodes",
    "server",
}
# What a room may import of ComfyUI, and which other rooms it may know.
MAY_IMPORT = {
    "colorize_core": set(),
    "colorize_core.host": {
        "comfy",
        "comfy_execution",
        "comfyui_version",
        "folder_paths",
        "latent_preview",
        "node_helpers",
    },
    "nodes": {"comfy_api", "folder_paths"},
    "": {"folder_paths", "comfy_api"},
}
MAY_KNOW = {
    "colorize_core": {"colorize_core"},
    "colorize_core.host": {"colorize_core", "colorize_core.host"},
    "nodes": {"nodes", "colorize_core", "colorize_core.host"},
    "": {"nodes", "colorize_core", "colorize_core.host"},
}
#: Rooms of each layer, each of which may know those before it; what lies beside them is for all.
ROOMS = ("prepare", "carrier", "sampling", "family", "shot", "finish")
OURS = {"colorize_core", "demo", "benchmarks", "scripts", "tests", "farm"}
FILES = [ROOT / "__init__.py", *sorted((ROOT / "nodes").rglob("*.py")), *sorted((ROOT / "colorize_core").rglob("*.py"))]


def package_of(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).parent.parts


def layer(parts: tuple[str, ...]) -> str:
    """Return the layer that a module lies in: the pack's own top level is the empty name."""
    if parts[:2] == ("colorize_core", "host"):
        return "colorize_core.host"
    return parts[0] if parts and parts[0] in ("colorize_core", "nodes") else ""


def room(parts: tuple[str, ...]) -> int:
    """Return the place of a module's room among `ROOMS`, from 1; 0 for what lies beside the rooms."""
    inner = parts[len(layer(parts).split(".")) :]
    return ROOMS.index(inner[0]) + 1 if inner and inner[0] in ROOMS else 0


def imports(path: Path) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield (line, level, dotted name) of every import in a file, wherever it stands; level 0 is absolute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield node.lineno, node.level, (*module, alias.name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    here = layer(package_of(path))
    for line, level, name in imports(path):
        place = f"{path.relative_to(ROOT)}:{line} imports {'.' * level}{'.'.join(name)}"
        if level:
            package = package_of(path)
            assert level <= len(package) + 1, f"{place}: leaves the pack"
            module = (*package[: len(package) + 1 - level], *name)
            target = layer(module)
            assert target in MAY_KNOW[here], f"{place}: {here or 'the top level'} must not know {target}"
            if here != "nodes":  # a node may show choices of any room, and rooms of nodes do not know one another
                assert room(module) <= room(package), f"{place}: a room must not know a later one"
            elif target == here:
                assert room(module) in (0, room(package)) or not room(package), f"{place}: from another room of nodes"
        else:
            assert name[0] not in OURS, f"{place}: our own modules are imported relatively"
            assert name[0] not in COMFYUI - MAY_IMPORT[here], f"{place}: not from {here or 'the top level'}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_read_in_one_sitting(path):
    """About 300 lines a file."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize("folder", ["colorize_core", "colorize_core/host", "nodes"])
def test_every_folder_is_a_room(folder):
    folders = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}
    assert folders <= {*ROOMS, "host"}
