"""From a workflow as the ComfyUI page saves it to a prompt in API format, and small changes to prompts.

The page keeps a node's widget values as a bare list in the order of the widgets; which widgets a node has is told by
the server's /object_info. A widget that is wired keeps its place in the list.
"""

from collections.abc import Iterator
from typing import Any

Prompt = dict[str, Any]

WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
SEED_NAMES = ("seed", "noise_seed")
PAGE_ONLY = ("Note", "MarkdownNote", "Reroute")
MUTED, BYPASSED = 2, 4


def declared_inputs(info: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield (name, type, options) of every input in the page's order: required ones, then optional ones."""
    for kind in ("required", "optional"):
        declared = info["input"].get(kind, {})
        for name in info.get("input_order", {}).get(kind, declared):
            type_, *options = declared[name]
            yield name, type_, (options[0] if options else {})


def is_widget(type_: Any, options: dict[str, Any]) -> bool:
    """Tell whether the page shows this input as a widget; a list as type is a choice."""
    return (isinstance(type_, list) or type_ in WIDGET_TYPES) and not options.get("forceInput")


def widgets(info: dict[str, Any]) -> list[str | None]:
    """Return the input names in the order of widgets_values; None stands for a value that is the page's own."""
    names: list[str | None] = []
    for name, type_, options in declared_inputs(info):
        if not is_widget(type_, options):
            continue
        names.append(name)
        if options.get("control_after_generate") or (type_ == "INT" and name in SEED_NAMES):
            names.append(None)  # fixed, increment, decrement, randomize
    return names


def to_prompt(workflow: dict[str, Any], object_info: dict[str, Any]) -> Prompt:
    """Convert a workflow of the page to API format.

    Notes vanish, reroutes and bypassed nodes are followed to their source, muted nodes and the wires from them are left
    out.
    """
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link for link in workflow["links"]}

    def source(link_id: int | None) -> list[Any] | None:
        """Return [node id, slot] where a link comes from."""
        if link_id is None:
            return None
        _, origin, slot, *_ = links[link_id]
        node = nodes[origin]
        if node["type"] == "Reroute":
            return source(node["inputs"][0]["link"])
        if node.get("mode") == BYPASSED:
            return source(passed_by(node, slot))
        if node.get("mode") == MUTED:
            return None
        return [str(origin), slot]

    prompt: Prompt = {}
    for node in workflow["nodes"]:
        if node["type"] in PAGE_ONLY or node.get("mode") in (MUTED, BYPASSED):
            continue
        values = zip(widgets(object_info[node["type"]]), node.get("widgets_values", []), strict=False)
        inputs: dict[str, Any] = {name: value for name, value in values if name}
        wired = {slot["name"]: source(slot.get("link")) for slot in node.get("inputs", [])}
        inputs |= {name: link for name, link in wired.items() if link}
        prompt[str(node["id"])] = {
            "class_type": node["type"],
            "inputs": inputs,
            "_meta": {"title": node.get("title") or node["type"]},
        }
    return prompt


def passed_by(node: dict[str, Any], slot: int) -> int | None:
    """Return the link that a bypassed node hands on at an output: the input beside it, else the first of its type."""
    kind, inputs = node["outputs"][slot]["type"], node["inputs"]
    beside = [inputs[slot]] if slot < len(inputs) else []
    return next((given.get("link") for given in beside + inputs if given["type"] == kind), None)


def find(prompt: Prompt, key: str) -> str:
    """Return the id of the one node with this title or, failing that, of this class."""
    for match in (lambda node: node["_meta"]["title"] == key, lambda node: node["class_type"] == key):
        found = [node_id for node_id, node in prompt.items() if match(node)]
        if len(found) == 1:
            return found[0]
    raise KeyError(f"{len(found)} nodes are called {key}")


def set_inputs(prompt: Prompt, key: str, **inputs: Any) -> None:
    """Change inputs of the node with this title or class."""
    prompt[find(prompt, key)]["inputs"].update(inputs)


def use_embedded_tower(prompt: Prompt) -> None:
    """Take the image tower from the checkpoint, as a user does who draws CLIP_VISION to the reroute."""
    tower, checkpoint = find(prompt, "CLIPVisionLoader"), find(prompt, "ColorizeCheckpointLoader")
    del prompt[tower]
    for node in prompt.values():
        for name, value in node["inputs"].items():
            if value == [tower, 0]:
                node["inputs"][name] = [checkpoint, 4]


def only_for(prompt: Prompt, number: str) -> Prompt:
    """Leave out what this node does not need, previews and ways not taken."""
    kept: set[str] = set()
    wanted = [number]
    while wanted:
        number = wanted.pop()
        if number not in kept:
            kept.add(number)
            wanted += [value[0] for value in prompt[number]["inputs"].values() if isinstance(value, list)]
    return {number: node for number, node in prompt.items() if number in kept}
