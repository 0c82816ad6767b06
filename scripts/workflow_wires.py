"""Leads wires around nodes: dots (the page's reroutes) in the gaps between columns and in lanes above them.

A wire is left to the page where its curve meets no other node. Any other goes from its output straight into the gap
beside the column, up to a lane above all columns, along it to the gap before its target, down, and in. Wires from one
output share their way as far as it is the same. Within a column a wire crosses between two nodes instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

Point = tuple[float, float]

MARGIN = 6  # pixels that a curve keeps from other nodes
LANE, SPACING, FIRST_LANE = 20, 18, 40
CURVE_STEPS = 60
#: How far the page pulls a curve sideways at its ends, of the distance between them.
PULL = 0.25


class Box(NamedTuple):
    """A node's place, its title included."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass
class Wire:
    """A wire to be led: from an output of one node to an input of another."""

    number: int
    source: int
    slot: int
    target: int
    start: Point
    end: Point


@dataclass
class Dots:
    """The dots set so far, each told by where it comes from, so that wires of one output share them."""

    placed: dict[tuple[int | None, Point], int] = field(default_factory=dict)
    wires: dict[int, list[int]] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)

    def lead(self, wire: Wire, way: list[Point]) -> None:
        """Set a wire's dots, from its output on."""
        parent = None
        for point in way:
            parent = self.placed.setdefault((parent, point), len(self.placed) + 1)
            self.wires.setdefault(parent, []).append(wire.number)
        if parent:
            self.last[wire.number] = parent

    def as_extra(self) -> dict[str, list[dict[str, object]]]:
        """Return them as the page saves them."""
        if not self.placed:
            return {}
        dots: list[dict[str, object]] = []
        for (parent, point), number in self.placed.items():
            behind = {"parentId": parent} if parent else {}
            dots.append({"id": number, **behind, "pos": list(point), "linkIds": self.wires[number]})
        ends: list[dict[str, object]] = [{"id": wire, "parentId": dot} for wire, dot in sorted(self.last.items())]
        return {"reroutes": dots, "linkExtensions": ends}


def curve(start: Point, end: Point) -> Iterator[Point]:
    """Yield points of the page's curve between two sockets."""
    pull = PULL * ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5
    xs, ys = (start[0], start[0] + pull, end[0] - pull, end[0]), (start[1], start[1], end[1], end[1])
    for step in range(CURVE_STEPS + 1):
        t = step / CURVE_STEPS
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        yield sum(map(float.__mul__, weights, map(float, xs))), sum(map(float.__mul__, weights, map(float, ys)))


def is_clear(wire: Wire, boxes: dict[int, Box]) -> bool:
    """Tell whether a wire's own curve keeps away from all other nodes."""
    points = list(curve(wire.start, wire.end))
    return not any(
        box.left - MARGIN < x < box.right + MARGIN and box.top - MARGIN < y < box.bottom + MARGIN
        for number, box in boxes.items()
        if number not in (wire.source, wire.target)
        for x, y in points
    )


def lead_wires(wires: list[Wire], boxes: dict[int, Box]) -> Dots:
    """Set the dots of all wires that need some.

    Args:
        boxes: of all nodes by number, in columns that do not overlap.
    """
    edges = columns(boxes)
    of = {
        number: index
        for number, box in boxes.items()
        for index, (left, right) in enumerate(edges)
        if left <= box.left < right
    }
    top = min(box.top for box in boxes.values()) - FIRST_LANE
    dots = Dots()
    runs: dict[int, dict[tuple[int, int], int]] = {}  # by gap: the outputs that have a vertical way there
    lanes: dict[tuple[int, int], int] = {}

    def across(gap: int, output: tuple[int, int]) -> float:
        """Return where in the gap behind a column the wires of an output run."""
        place = runs.setdefault(gap, {}).setdefault(output, len(runs.get(gap, {})))
        left = edges[gap][1] if gap >= 0 else edges[0][0] - (edges[1][0] - edges[0][1])
        right = edges[gap + 1][0] if gap + 1 < len(edges) else left + 10 * SPACING
        room = int((right - left) // SPACING) - 3
        return left + 2 * SPACING + place % room * SPACING

    for wire in sorted(wires, key=lambda wire: (of[wire.source], wire.start[1], of[wire.target], wire.end[1])):
        if is_clear(wire, boxes):
            continue
        output, here, there = (wire.source, wire.slot), of[wire.source], of[wire.target]
        out = across(here, output)
        way = [(out, wire.start[1])]
        if there == here + 1:
            way.append((out, wire.end[1]))
        else:
            before = across(there - 1, output)
            if there == here:
                level = boxes[wire.target].top - LANE
            else:
                level = top - LANE * lanes.setdefault(output, len(lanes))
            way += [(out, level), (before, level), (before, wire.end[1])]
        dots.lead(wire, way)
    return dots


def columns(boxes: dict[int, Box]) -> list[tuple[float, float]]:
    """Return the left and right edges of the columns that the nodes stand in."""
    edges: list[list[float]] = []
    for box in sorted(boxes.values()):
        if edges and box.left < edges[-1][1]:
            edges[-1][1] = max(edges[-1][1], box.right)
        else:
            edges.append([box.left, box.right])
    return [(left, right) for left, right in edges]
