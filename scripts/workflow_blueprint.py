"""A part of a workflow as one node of the page: a subgraph, offered in the node library as a blueprint.

Example:
    >>> blueprint = Blueprint(object_info, "Colorize", "…")
    >>> drawing = blueprint.take("drawing", "IMAGE")
    >>> ...
    >>> blueprint.give("image", decoded[0])
    >>> blueprint.as_workflow()
"""

import uuid
from typing import Any

from workflow_page import Page
from workflow_prompt import declared_inputs, is_widget
from workflow_sheet import Node, Sheet, Socket, kind_of

CATEGORY = "ColorizeDiffusion"
INPUTS, OUTPUTS = -10, -20  # the page's numbers for a subgraph's own edges
EDGE_WIDTH, ROW, WIDTH = 140, 20, 340
NAMESPACE = uuid.UUID("5f0d8f2e-6f0a-5a8e-9d1c-0c6b4d3d7a11")


class Blueprint(Page):
    """A page without notes and loaders, whose wires begin and end at the subgraph's edges."""

    def __init__(self, object_info: dict[str, Any], name: str, description: str) -> None:
        self.name, self.description = name, description
        self.inputs = Node({"id": INPUTS, "outputs": []})
        self.outputs: list[tuple[str, Socket]] = []
        self.given: dict[str, Socket] = {}
        self.sheet = Sheet(object_info)

    def take(self, name: str, kind: str) -> Socket:
        """Add an input to the blueprint; wired to a widget of a node it shows as that widget."""
        self.inputs.data["outputs"].append({"name": name, "type": kind, "links": []})
        return self.inputs[len(self.inputs.data["outputs"]) - 1]

    def take_models(self, kinds: dict[str, str]) -> None:
        """Take the models from outside: the sockets that a page has from its loader, in their order."""
        for name, kind in kinds.items():
            self.take(name, kind)
        self.checkpoint = self.inputs
        self.model, self.tower = self.inputs[0], self.inputs[4]

    def give(self, name: str, socket: Socket) -> None:
        """Add an output to the blueprint."""
        self.outputs.append((name, socket))

    def as_workflow(self) -> dict[str, Any]:
        """Return what lies in subgraphs/: a workflow of one node, and what is inside it."""
        key = str(uuid.uuid5(NAMESPACE, self.name))
        inside = self.sheet.as_workflow()
        self._complete_inputs(inside)
        taken, shown = self.inputs.data["outputs"], self._widgets(inside)
        slots = [{"name": slot["name"], "type": slot["type"], "link": None} for slot in taken]
        for slot in slots:
            if slot["name"] in shown:
                slot["widget"] = {"name": slot["name"]}
        given = [{"name": name, "type": self._kind(socket), "links": []} for name, socket in self.outputs]
        node = {
            "id": 1,
            "type": key,
            "title": self.name,
            "pos": [0, 0],
            "size": [WIDTH, ROW * (len(taken) + 4)],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": slots,
            "outputs": given,
            "properties": {},
            "widgets_values": [],
        }
        return {
            "revision": 0,
            "last_node_id": 1,
            "last_link_id": 0,
            "nodes": [node],
            "links": [],
            "version": 0.4,
            "definitions": {"subgraphs": [self._definition(key, inside)]},
        }

    def _complete_inputs(self, inside: dict[str, Any]) -> None:
        """Give the nodes inside an input for every widget, as the page does, and number the wires' ends by that.

        A page that adds a blueprint to a graph takes the numbers as they are; it looks for names in whole files only.
        """
        for node in inside["nodes"]:
            places = [slot["name"] for slot in node["inputs"]]
            if node["type"] in self.sheet.info:
                given = {slot["name"]: slot for slot in node["inputs"]}
                node["inputs"] = [slot for slot in node["inputs"] if "widget" not in slot]
                node["inputs"] += [
                    given.get(name, {"name": name, "type": kind_of(kind), "widget": {"name": name}, "link": None})
                    for name, kind, options in declared_inputs(self.sheet.info[node["type"]])
                    if is_widget(kind, options)
                ]
            names = [slot["name"] for slot in node["inputs"]]
            for link in inside["links"]:
                if link[3] == node["id"]:
                    link[4] = names.index(places[link[4]])

    def _kind(self, socket: Socket) -> str:
        kind: str = socket.node.data["outputs"][socket.slot]["type"]
        return kind

    def _widgets(self, inside: dict[str, Any]) -> set[str]:
        """Return the names of the inputs that lead to widgets."""
        nodes = {node["id"]: node for node in inside["nodes"]}
        return {
            self.inputs.data["outputs"][slot]["name"]
            for _, source, slot, target, place, _ in inside["links"]
            if source == INPUTS and "widget" in nodes[target]["inputs"][place]
        }

    def _definition(self, key: str, inside: dict[str, Any]) -> dict[str, Any]:
        parents = {end["id"]: end["parentId"] for end in inside["extra"].get("linkExtensions", [])}
        links = []
        for number, source, slot, target, place, kind in inside["links"]:
            link = {"id": number, "origin_id": source, "origin_slot": slot, "target_id": target, "target_slot": place}
            behind = {"parentId": parents[number]} if number in parents else {}
            links.append(link | {"type": kind} | behind)
        right = max(group["bounding"][0] + group["bounding"][2] for group in inside["groups"])
        outputs = []
        for place, (name, socket) in enumerate(self.outputs):
            number = len(links) + 1
            links.append(
                {
                    "id": number,
                    "origin_id": socket.node.data["id"],
                    "origin_slot": socket.slot,
                    "target_id": OUTPUTS,
                    "target_slot": place,
                    "type": self._kind(socket),
                }
            )
            socket.node.data["outputs"][socket.slot]["links"].append(number)
            outputs.append(self._edge(key, name, self._kind(socket), [number], (right + 140, ROW * (place + 1))))
        inputs = [
            self._edge(key, slot["name"], slot["type"], slot["links"], (-100, ROW * (place + 1)))
            for place, slot in enumerate(self.inputs.data["outputs"])
        ]
        dots = inside["extra"].get("reroutes", [])
        return {
            "id": key,
            "version": 1,
            "state": {
                "lastGroupId": len(inside["groups"]),
                "lastNodeId": inside["last_node_id"],
                "lastLinkId": len(links),
                "lastRerouteId": len(dots),
            },
            "revision": 0,
            "config": {},
            "name": self.name,
            "category": CATEGORY,
            "description": self.description,
            "inputNode": {"id": INPUTS, "bounding": [-240, 0, EDGE_WIDTH, ROW * (len(inputs) + 2)]},
            "outputNode": {"id": OUTPUTS, "bounding": [right + 120, 0, EDGE_WIDTH, ROW * (len(outputs) + 2)]},
            "inputs": inputs,
            "outputs": outputs,
            "widgets": [],
            "nodes": inside["nodes"],
            "groups": inside["groups"],
            "links": links,
            **({"reroutes": dots} if dots else {}),
            "extra": {},
        }

    def _edge(self, key: str, name: str, kind: str, links: list[int], place: tuple[int, int]) -> dict[str, Any]:
        number = str(uuid.uuid5(uuid.UUID(key), f"{'out' if place[0] > 0 else 'in'} {name}"))
        return {"id": number, "name": name, "type": kind, "linkIds": links, "pos": list(place)}
