"""Dependencies run one way: nodes -> colorize_core.host -> colorize_core, and to ComfyUI only where it is meant."""

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
OURS = {"colorize_core", "demo", "benchmarks", "scripts", "tests", "farm"}
FILES = [ROOT / "__init__.py", *sorted((ROOT / "nodes").rglob("*.py")), *sorted((ROOT / "colorize_core").rglob("*.py"))]


def package_of(path: Path) -> tuple[str, ...]:
    return path.relative_to(ROOT).parent.parts


def room(parts: tuple[str, ...]) -> str:
    """Return the room that a module lies in: the pack's own top level is the empty name."""
    if parts[:2] == ("colorize_core", "host"):
        return "colorize_core.host"
    return parts[0] if parts and parts[0] in ("colorize_core", "nodes") else ""


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
    here = room(package_of(path))
    for line, level, name in imports(path):
        place = f"{path.relative_to(ROOT)}:{line} imports {'.' * level}{'.'.join(name)}"
        if level:
            package = package_of(path)
            assert level <= len(package) + 1, f"{place}: leaves the pack"
            target = room((*package[: len(package) + 1 - level], *name))
            assert target in MAY_KNOW[here], f"{place}: {here or 'the top level'} must not know {target}"
        else:
            assert name[0] not in OURS, f"{place}: our own modules are imported relatively"
            assert name[0] not in COMFYUI - MAY_IMPORT[here], f"{place}: not from {here or 'the top level'}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_read_in_one_sitting(path):
    """About 300 lines a file."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
