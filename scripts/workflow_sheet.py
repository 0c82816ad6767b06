"""Lays nodes out on a sheet and writes it in the format of the ComfyUI page (LiteGraph, version 0.4).

Example:
    >>> sheet = Sheet(object_info)
    >>> group = sheet.group("Models", width=360)
    >>> checkpoint = group.node("CheckpointLoaderSimple", ckpt_name="model.safetensors")
    >>> decoded = group.node("VAEDecode", samples=latent[0], vae=checkpoint[2])
    >>> sheet.as_workflow()
"""

from dataclasses import dataclass, field
from typing import Any

from workflow_models import published
from workflow_prompt import BYPASSED, declared_inputs, is_widget, widgets
from workflow_sizes import TITLE, node_height, note_height, socket_height
from workflow_wires import Box, Wire, lead_wires

PACK = "colorizediffusion"
#: GAP is more than a node grows by when it gets another row.
GAP, MARGIN, GROUP_TITLE, BETWEEN_GROUPS, BETWEEN_COLUMNS = 36, 16, 44, 40, 130
DOT_SIZE = (210, 52)
#: What a screen of usual size shows of a workflow at scale 1, beside the page's own bars.
SCREEN = (1780, 900)

# What a user has to look at, by colour: (title bar, body).
COLOURS = {
    "choose": ("#232", "#353"),
    "model": ("#223", "#335"),
    "note": ("#432", "#653"),
    "result": ("#323", "#535"),
}


def kind_of(declared: Any) -> str:
    """Return the type of a socket as the page names it; a list is a choice."""
    return "COMBO" if isinstance(declared, list) else str(declared)


@dataclass(frozen=True)
class Socket:
    """One output of a node on the sheet."""

    node: "Node"
    slot: int


@dataclass
class Node:
    """One node on the sheet, in the page's own terms, and the room that it needs below itself."""

    data: dict[str, Any]
    grows: int = 0

    def __getitem__(self, slot: int) -> Socket:
        return Socket(self, slot)

    @property
    def bottom(self) -> int:
        """Where what comes next may begin."""
        return int(self.data["pos"][1] + self.data["size"][1] + self.grows)

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

    def node(
        self, kind: str, title: str = "", /, tall: int = 0, grows: int = 0, colour: str = "", **inputs: Any
    ) -> Node:
        """Add a node; an input given as a Socket is wired, any other is the widget's value.

        As an HTML element a node with a field of text grows by its picture, however tall it is: `grows` keeps room.
        """
        data = self.sheet.describe(kind, inputs)
        wired = sum("widget" in slot for slot in data["inputs"])
        rows = max(len(data["inputs"]) - wired, len(data["outputs"]))
        data |= self._place(max(tall, node_height(rows, len(widgets(self.sheet.info[kind])), wired)))
        node = self._add(data, title, colour)
        node.grows = grows
        return node

    def note(self, text: str, title: str) -> Node:
        """Add a note in Markdown, as tall as its text."""
        data = {"type": "MarkdownNote", "inputs": [], "outputs": [], "widgets_values": [text.strip()]}
        height = note_height(text, self.width - 2 * MARGIN)
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
        width, height = DOT_SIZE
        place = self._place(height)
        place = {"pos": [self.x + self.width - MARGIN - width, place["pos"][1]], "size": [width, height]}
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
        self.app: dict[str, Any] = {}

    def group(self, title: str, width: int, colour: str = "#3f789e", below: Group | None = None) -> Group:
        """Open a titled frame: a new column at the right, or below another frame, as wide as that."""
        if below:
            x, y, width = below.x, below.bottom + BETWEEN_GROUPS, below.width
        else:
            x, y = max((group.x + group.width + BETWEEN_COLUMNS for group in self.groups), default=0), 0
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

    def find(self, title: str) -> Node:
        """Return the node with this title."""
        return next(Node(node) for node in self.nodes if node.get("title") == title)

    def offer_as_app(self, inputs: list[tuple[Node, str]], outputs: list[Node]) -> None:
        """Choose what the page's app mode shows: widgets of nodes, and nodes with pictures. It opens as a graph."""
        widgets_shown = [[node.data["id"], name] for node, name in inputs]
        self.app = {
            "linearMode": False,
            "linearData": {"inputs": widgets_shown, "outputs": [node.data["id"] for node in outputs]},
        }

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

    def wire_widget(self, source: Socket, node: Node, name: str) -> None:
        """Wire a widget of a node that is there already; its value stays for when the wire is taken out."""
        kind = source.node.data["outputs"][source.slot]["type"]
        node.data["inputs"].append({"name": name, "type": kind, "widget": {"name": name}, "link": None})
        self.link(source, node.data, node.data["inputs"][-1])

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
            {"name": name, "type": kind_of(declared[name][0]), "widget": {"name": name}, "link": None}
            for name in wired
            if is_widget(*declared[name])
        ]
        outputs = zip(info["output"], info["output_name"], strict=True)
        kind_of_module, _, pack = info.get("python_module", "nodes").partition(".")
        data: dict[str, Any] = {
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
        if models := published(data["widgets_values"]):
            data["properties"]["models"] = models
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

    def wires(self) -> tuple[list[Wire], dict[int, Box]]:
        """Return all wires and the places of all nodes, for leading the wires around the nodes."""
        boxes, nodes = {}, {node["id"]: node for node in self.nodes}
        for number, node in nodes.items():
            (x, y), (width, height) = node["pos"], node["size"]
            boxes[number] = Box(x, y - TITLE, x + width, y + height)
        wires = []
        for number, source, slot, target, place, _kind in self.links:
            if source not in nodes:  # the edge of a subgraph
                continue
            start = (boxes[source].right, nodes[source]["pos"][1] + socket_height(slot))
            end = (boxes[target].left, nodes[target]["pos"][1] + socket_height(place))
            wires.append(Wire(number, source, slot, target, start, end))
        return wires, boxes

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
        dots = lead_wires(*self.wires())
        top = min([0, *(point[1] for _, point in dots.placed)]) - MARGIN
        width = max(group.x + group.width for group in self.groups)
        height = max(group.bottom for group in self.groups) - top
        scale = round(min(1.0, SCREEN[0] / width, SCREEN[1] / height), 2)
        return {
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": groups,
            "config": {},
            "extra": {"ds": {"scale": scale, "offset": [90 / scale, 110 / scale - top]}, **dots.as_extra(), **self.app},
            "version": 0.4,
        }
