"""Write locales/en from what a running ComfyUI tells of the nodes, and say what the other languages lack.

python scripts/build_locales.py

English has one source, the nodes themselves. The other languages are kept by hand in the same form:
{node id: {display_name, description, inputs: {id: {name, tooltip, options}}, outputs: {"0": {name, tooltip}}}}.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comfyui_server import Server, make_base_directory

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "locales"
LANGUAGES = ("en", "ja", "zh")

#: Menu folders that ComfyUI translates itself.
COMFYUI_CATEGORIES = {"ColorizeDiffusion", "loaders"}
#: Choices that ComfyUI itself names; so do inputs that list files, which have no default.
COMFYUI_CHOICES = {"sampler_name", "scheduler"}


def literal(text: str) -> str:
    """Return a text as the frontend's message format has to have it, where { } @ | $ mean something."""
    return re.sub(r"[{}@|$]", lambda sign: "{'" + sign.group() + "'}", text)


def node_definition(info: dict[str, Any]) -> dict[str, Any]:
    """Return one node's entry of nodeDefs.json from its entry of /object_info."""
    inputs: dict[str, Any] = {}
    for kind in ("required", "optional"):
        for name, (_type, settings) in info["input"].get(kind, {}).items():
            entry: dict[str, Any] = {
                "name": literal(settings.get("display_name") or name),
                "tooltip": literal(settings["tooltip"]),
            }
            if settings.get("options") and "default" in settings and name not in COMFYUI_CHOICES:
                entry["options"] = {option: literal(option) for option in settings["options"]}
            inputs[name] = entry
    outputs = {
        str(place): {"name": literal(name), "tooltip": literal(tooltip)}
        for place, (name, tooltip) in enumerate(zip(info["output_name"], info["output_tooltips"], strict=True))
    }
    text = {key: literal(info[key]) for key in ("display_name", "description")}
    return {**text, "inputs": inputs, "outputs": outputs}


def english(object_info: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return {file name: contents} of locales/en.

    Args:
        object_info: node id to what /object_info tells of it, for the nodes of the pack alone.
    """
    categories = {part for info in object_info.values() for part in info["category"].split("/")} - COMFYUI_CATEGORIES
    return {
        "main.json": {"nodeCategories": {name: literal(name) for name in sorted(categories)}},
        "nodeDefs.json": {name: node_definition(info) for name, info in object_info.items()},
    }


def paths(contents: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the way to every text."""
    if not isinstance(contents, dict):
        yield above
        return
    for key, value in contents.items():
        yield from paths(value, (*above, key))


def read(language: str, file: str) -> Any:
    """Return the contents of one file, empty if it is missing."""
    path = LOCALES / language / file
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def compare(language: str, file: str, wanted: Any) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Return what a language lacks and what it has left over, compared with English."""
    has, needs = set(paths(read(language, file))), set(paths(wanted))
    return needs - has, has - needs


def pack_nodes() -> dict[str, dict[str, Any]]:
    """Ask a ComfyUI with the pack in it for its nodes."""
    comfyui = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").expanduser().resolve()
    with tempfile.TemporaryDirectory() as folder:
        base = make_base_directory(Path(folder), ROOT, "colorizediffusion")
        with Server(comfyui, base, ["--cpu"]) as server:
            nodes: dict[str, dict[str, Any]] = server.get("/object_info")
    return {
        name: info for name, info in nodes.items() if info["python_module"].startswith("custom_nodes.colorizediffusion")
    }


def kept(nodes: dict[str, Any]) -> dict[str, Any]:
    """Return the English of nodes that the pack has and this ComfyUI is too old to offer, as it was written before."""
    listed = (ROOT / "nodes" / "__init__.py").read_text(encoding="utf-8")
    before = read("en", "nodeDefs.json")
    return {name: entry for name, entry in before.items() if name not in nodes and f" {name},\n" in listed}


def main() -> None:
    for file, contents in english(pack_nodes()).items():
        if file == "nodeDefs.json":
            contents |= kept(contents)
        path = LOCALES / "en" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(contents, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {len(list(paths(contents)))} texts")
        for language in LANGUAGES[1:]:
            missing, left_over = compare(language, file, contents)
            for way in sorted(missing):
                print(f"  {language} lacks {' / '.join(way)}")
            for way in sorted(left_over):
                print(f"  {language} has left over {' / '.join(way)}")


if __name__ == "__main__":
    main()
