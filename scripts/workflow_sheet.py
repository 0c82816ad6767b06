"""Lays nodes out on a sheet and writes it in the format of the ComfyUI page (LiteGraph, version 0.4).

Example:
    >>> sheet = Sheet(object_info)
    >>> group = sheet.group("Models", x=0, y=0, width=360)
    >>> checkpoint = group.node("CheckpointLoaderSimple", ckpt_name="model.safetensors")
    >>> decoded = group.node("VAEDecode", samples=latent[0], vae=checkpoint[2])
    >>> sheet.as_workflow()
"""

from dataclasses import dataclass, field
from typing import Any

from workflow_prompt import BYPASSED, declared_inputs, is_widget, widgets

PACK = "colorizediffusion"
TITLE, SLOT, WIDGET, GAP, MARGIN, GROUP_TITLE = 30, 20, 24, 24, 16, 44

# What a user has to look at, by colour: (title bar, body).
COLOURS = {
    "choose": ("#232", "#353"),
    "model": ("#223", "#335"),
    "note": ("#432", "#653"),
    "result": ("#323", "#535"),
}


@dataclass(frozen=True)
class Socket:
    """One output of a node on the sheet."""

    node: "Node"
    slot: int


@dataclass
class Node:
    """One node on the sheet, in the page's own terms."""

    data: dict[str, Any]

    def __getitem__(self, slot: int) -> Socket:
        return Socket(self, slot)

    @property
    def bottom(self) -> int:
        return int(self.data["pos"][1] + self.data["size"][1])

    def bypass(self) -> "Node":
        """Let the wires pass by the node, as Ctrl+B does."""
        self.data["mode"] = BYPASSED
        return self


@dataclass
class Group:
    """A titled column of nodes; each new node goes below the last one."""

    sheet: "Sheet"
    title: str
    x: int
    y: int
    width: int
    colour: str
    nodes: list[Node] = field(default_factory=list)

    @property
    def bottom(self) -> int:
        """Where the frame ends."""
        return self.nodes[-1].bottom + MARGIN

    def _place(self, height: int) -> dict[str, Any]:
        top = self.nodes[-1].bottom + GAP if self.nodes else self.y + GROUP_TITLE
        return {"pos": [self.x + MARGIN, top + TITLE], "size": [self.width - 2 * MARGIN, height]}

    def node(self, kind: str, title: str = "", /, tall: int = 0, colour: str = "", **inputs: Any) -> Node:
        """Add a node; an input given as a Socket is wired, any other is the widget's value."""
        data = self.sheet.describe(kind, inputs)
        rows = sum("widget" not in slot for slot in data["inputs"])
        widget_rows = len(widgets(self.sheet.info[kind]))
        least = max(rows, len(data["outputs"])) * SLOT + widget_rows * WIDGET + (14 if widget_rows else 6)
        data |= self._place(max(tall, least))
        return self._add(data, title, colour)

    def note(self, text: str, title: str, height: int) -> Node:
        """Add a note in Markdown."""
        data = {"type": "MarkdownNote", "inputs": [], "outputs": [], "widgets_values": [text.strip()]}
        return self._add(data | {"properties": {}} | self._place(height), title, "note")

    def reroute(self, source: Socket, title: str) -> Socket:
        """Add a dot through which a wire goes, so that one wire moved moves all behind it."""
        kind = source.node.data["outputs"][source.slot]["type"]
        data: dict[str, Any] = {
            "type": "Reroute",
            "inputs": [{"name": "", "type": "*", "link": None}],
            "outputs": [{"name": kind, "type": kind, "links": []}],
            "properties": {"showOutputText": True, "horizontal": False},
        }
        place = self._place(26)
        place = {"pos": [self.x + self.width - MARGIN - 132, place["pos"][1]], "size": [132, 26]}
        node = self._add(data | place, title, "model")
        self.sheet.link(source, node.data, data["inputs"][0])
        return node[0]

    def _add(self, data: dict[str, Any], title: str, colour: str) -> Node:
        node = self.sheet.add(data, title, colour)
        self.nodes.append(node)
        return node


class Sheet:
    """A workflow being written.

    Args:
        object_info: what the server tells of its nodes at /object_info.
    """

    def __init__(self, object_info: dict[str, Any]) -> None:
        self.info = object_info
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []
        self.groups: list[Group] = []

    def group(self, title: str, x: int, y: int, width: int, colour: str = "#3f789e") -> Group:
        """Open a titled frame with its top left corner at (x, y)."""
        self.groups.append(Group(self, title, x, y, width, colour))
        return self.groups[-1]

    def add(self, data: dict[str, Any], title: str, colour: str) -> Node:
        """Give a node its number, its title and its colours."""
        data |= {"id": self.next_id(), "flags": {}, "order": len(self.nodes), "mode": 0}
        if title:
            data["title"] = title
        if colour:
            data["color"], data["bgcolor"] = COLOURS[colour]
        self.nodes.append(data)
        return Node(data)

    def next_id(self) -> int:
        return len(self.nodes) + 1

    def link(self, source: Socket, target: dict[str, Any], slot: dict[str, Any]) -> None:
        """Draw a wire from a socket to an input slot of a node's data."""
        number = len(self.links) + 1
        output = source.node.data["outputs"][source.slot]
        output["links"].append(number)
        slot["link"] = number
        place = target["inputs"].index(slot)
        self.links.append([number, source.node.data["id"], source.slot, target["id"], place, output["type"]])

    def describe(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return a node's data without its place: slots, wires and widget values."""
        info = self.info[kind]
        declared = {name: (type_, options) for name, type_, options in declared_inputs(info)}
        unknown = set(inputs) - set(declared)
        if unknown:
            raise KeyError(f"{kind} has no input {', '.join(sorted(unknown))}")
        wired = {name: value for name, value in inputs.items() if isinstance(value, Socket)}
        slots = [
            {"name": name, "type": type_, "link": None}
            for name, (type_, options) in declared.items()
            if not is_widget(type_, options)
        ]
        slots += [
            {"name": name, "type": declared[name][0], "widget": {"name": name}, "link": None}
            for name in wired
            if is_widget(*declared[name])
        ]
        outputs = zip(info["output"], info["output_name"], strict=True)
        kind_of_module, _, pack = info.get("python_module", "nodes").partition(".")
        data = {
            "id": self.next_id(),
            "type": kind,
            "inputs": slots,
            "outputs": [{"name": name, "type": type_, "links": []} for type_, name in outputs],
            "properties": {
                "cnr_id": pack if kind_of_module == "custom_nodes" else "comfy-core",
                "Node name for S&R": kind,
            },
            "widgets_values": self._widget_values(kind, declared, inputs),
        }
        for slot in slots:
            if slot["name"] in wired:
                self.link(wired[slot["name"]], data, slot)
        return data

    def _widget_values(self, kind: str, declared: dict[str, Any], inputs: dict[str, Any]) -> list[Any]:
        values: list[Any] = []
        for name in widgets(self.info[kind]):
            if name is None:  # what the page does to the number before it
                values.append("randomize" if "seed" in declared else "fixed")
            elif name in inputs and not isinstance(inputs[name], Socket):
                values.append(inputs[name])
            else:
                type_, options = declared[name]
                choices = type_ if isinstance(type_, list) else options.get("options", [])
                values.append(options.get("default", choices[0] if choices else None))
        if any(options.get("image_upload") for _, options in declared.values()):
            values.append("image")  # the upload button
        return values

    def as_workflow(self) -> dict[str, Any]:
        """Return the workflow as the page saves it."""
        groups = [
            {
                "id": number,
                "title": group.title,
                "bounding": [group.x, group.y, group.width, group.bottom - group.y],
                "color": group.colour,
                "font_size": 24,
                "flags": {},
            }
            for number, group in enumerate(self.groups, 1)
        ]
        return {
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": groups,
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [140, 250]}},
            "version": 0.4,
        }
