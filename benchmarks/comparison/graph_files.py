"""Graphs in API format: read, held against what a server has, and set to pictures, sizes and seeds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from host import core

from workflow_prompt import SEED_NAMES, Prompt, declared_inputs, find, only_for

ColorizeError = core("errors").ColorizeError

GRAPHS = Path(__file__).resolve().parent / "graphs"
#: Sizes that every model here takes are multiples of this.
STEP = 64
LOADERS = ("LoadImage", "LoadImageMask")
#: Where nodes come from that are neither ComfyUI's nor the pack's.
PACKS = dict.fromkeys(
    ("IPAdapterUnifiedLoader", "IPAdapterAdvanced", "PrepImageForClipVision"), "the pack ComfyUI_IPAdapter_plus"
)


def read_graphs(folder: Path) -> dict[str, Prompt]:
    """Return a folder's graphs by name, sorted."""
    graphs: dict[str, Prompt] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            prompt = json.loads(path.read_text(encoding="utf-8"))
            whole = all({"class_type", "inputs"} <= node.keys() for node in prompt.values())
        except (ValueError, AttributeError):
            whole = False
        if not whole:
            raise ColorizeError(
                f"`--graphs` holds {path.name}, which is no graph in API format; expected the file that the page's "
                "*Export (API)* writes. Export it again, or move the file away."
            )
        for node in prompt.values():
            node.setdefault("_meta", {"title": node["class_type"]})
        graphs[path.stem] = prompt
    if not graphs:
        raise ColorizeError(f"`--graphs` is {folder}, which holds no .json file; expected graphs in API format.")
    return graphs


def caption(name: str) -> str:
    """Return what a graph is called: `2-split-and-style` is *split and style*."""
    return re.sub(r"^\d+-", "", name).replace("-", " ")


def use_files(prompt: Prompt, others: dict[str, str]) -> None:
    """Put a user's own files in the place of those that a graph names."""
    for node in prompt.values():
        for name, value in node["inputs"].items():
            if isinstance(value, str) and value in others:
                node["inputs"][name] = others[value]


def loads(prompt: Prompt) -> dict[str, str]:
    """Return the ids of the nodes that load a pair's pictures, by title."""
    return {node["_meta"]["title"]: number for number, node in prompt.items() if node["class_type"] in LOADERS}


def lacking(prompt: Prompt, object_info: dict[str, Any]) -> list[str]:
    """Return a sentence for everything that keeps a server from running a graph; none where it can.

    Args:
        object_info: what the server tells of its nodes.
    """
    absent = sorted({node["class_type"] for node in prompt.values()} - object_info.keys())
    told = {}
    for kind in absent:
        told.setdefault(PACKS.get(kind, "a newer ComfyUI or another pack"), []).append(kind)
    sentences = [f"The server lacks {listed(kinds)} (of {pack})." for pack, kinds in told.items()]
    for node in prompt.values():
        if node["class_type"] in object_info:
            sentences += wrong_inputs(node, prompt, object_info)
    return sentences


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence has them."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def wrong_inputs(node: dict[str, Any], prompt: Prompt, object_info: dict[str, Any]) -> Iterator[str]:
    """Tell what a node's inputs cannot be: files that are not there, wires of another type, inputs left open."""
    kind, given = node["class_type"], node["inputs"]
    info = object_info[kind]
    required = info["input"].get("required", {})
    for name, type_, more in declared_inputs(info):
        if name not in given:
            if name in required:
                yield f"{kind} wants an input `{name}`, which the graph does not give: it is of another version."
            continue
        value = given[name]
        if isinstance(value, list):
            origin = object_info.get(prompt[value[0]]["class_type"])
            sent = origin["output"][value[1]] if origin and value[1] < len(origin["output"]) else type_
            if isinstance(type_, str) and isinstance(sent, str) and not same_type(sent, type_):
                yield f"{kind} wants {type_} as `{name}`, and gets {sent}: the graph is of another version."
            continue
        offered = type_ if isinstance(type_, list) else more.get("options")
        if offered is not None and value not in offered and kind not in LOADERS:
            yield (
                f"{kind} has no {value} to choose as `{name}`: put it there, or name your own by --use {value}=FILE."
            )


def same_type(sent: str, wanted: str) -> bool:
    """Tell whether an output fits an input; both may name several types."""
    return "*" in (sent, wanted) or bool(set(sent.split(",")) & set(wanted.split(",")))


def set_size(prompt: Prompt, height: int, width: int) -> None:
    """Give a graph's canvas a drawing's proportions: as many pixels as it had, sides in steps of 64.

    A graph without the numbers *Width* and *Height* keeps its size.
    """
    try:
        nodes = [prompt[find(prompt, title)] for title in ("Height", "Width")]
    except KeyError:
        return
    side = math.sqrt(math.prod(node["inputs"]["value"] for node in nodes))
    for node, share in zip(nodes, (height / width, width / height), strict=True):
        node["inputs"]["value"] = max(STEP, STEP * round(side * math.sqrt(share) / STEP))


def set_seed(prompt: Prompt, seed: int) -> None:
    """Give every sampler the same seed."""
    for node in prompt.values():
        for name in SEED_NAMES:
            if isinstance(node["inputs"].get(name), int):
                node["inputs"][name] = seed


# --- what a user gives in the place of what a graph works out ---


def use_masks(prompt: Prompt) -> Prompt:
    """Take a drawing's mask from a file in the place of a segmenter's."""
    number = titled(prompt, "Character of the drawing")
    if number is None:
        return prompt
    sketch = prompt[find(prompt, "Prepare Sketch")]["inputs"]
    fitted = {**sketch, "image": ["mask picture", 0], "lines": "light_on_dark"}
    nodes = {
        "mask": ("LoadImageMask", "Mask", {"image": "", "channel": "red"}),
        "mask picture": ("MaskToImage", "", {"mask": ["mask", 0]}),
        "fitted mask": ("ColorizePrepareSketch", "Fit Mask", fitted),
        number: ("ImageToMask", "Character of the drawing", {"image": ["fitted mask", 0], "channel": "red"}),
    }
    return with_nodes(prompt, nodes)


def use_reference_masks(prompt: Prompt) -> Prompt:
    """Take a reference's mask from a file in the place of a segmenter's, grown as much before bleaching."""
    number = titled(prompt, "Character of the reference")
    if number is None:
        return prompt
    grown = prompt[number]["inputs"].get("grow", 0)
    nodes = {
        "reference mask": ("LoadImageMask", "Reference mask", {"image": "", "channel": "red"}),
        number: (
            "ColorizeMergeMasks",
            "Character of the reference",
            {"mask_a": ["reference mask", 0], "mode": "union", "weight": 0.5, "grow": grown, "feather": 0},
        ),
    }
    return with_nodes(prompt, nodes)


def use_backgrounds(prompt: Prompt) -> Prompt:
    """Take a background picture in the place of the bleached reference."""
    behind = titled(prompt, "ColorizeEncodeBackground")
    if behind is None:
        return prompt
    inputs = {**prompt[behind]["inputs"], "image": ["background", 0], "source": "background_image"}
    nodes = {
        "background": ("LoadImage", "Background", {"image": ""}),
        behind: ("ColorizeEncodeBackground", "ColorizeEncodeBackground", inputs),
    }
    return with_nodes(prompt, nodes)


def titled(prompt: Prompt, title: str) -> str | None:
    """Return the id of the node with this title, if there is one."""
    return next((number for number, node in prompt.items() if node["_meta"]["title"] == title), None)


def with_nodes(prompt: Prompt, nodes: dict[str, tuple[str, str, dict[str, Any]]]) -> Prompt:
    """Return a graph with nodes {id: (class, title, inputs)} added or put in the place of others, and no idle ones."""
    added = {
        number: {"class_type": kind, "inputs": inputs, "_meta": {"title": title or kind}}
        for number, (kind, title, inputs) in nodes.items()
    }
    return only_for(prompt | added, find(prompt, "SaveImage"))
