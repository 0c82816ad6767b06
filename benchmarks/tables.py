"""Tables of results: Markdown to read, plain values to compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Table:
    """What one part of the benchmarks found.

    Attributes:
        name: short, for the command line and for tests.
        title, note: of the section.
        columns: how each column's values are written, as format strings.
        rows: one value a column; None where nothing was measured.
    """

    name: str
    title: str
    note: str
    columns: Mapping[str, str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, *values: Any) -> None:
        """Add a row."""
        assert len(values) == len(self.columns), (self.name, values)
        self.rows.append(values)

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as {column: value}."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def markdown(self) -> str:
        """Return the section."""
        lines = [list(self.columns), ["---"] * len(self.columns)]
        for row in self.rows:
            cells = zip(row, self.columns.values(), strict=True)
            lines.append(["–" if value is None else form.format(value) for value, form in cells])
        return "\n".join([f"## {self.title}", "", self.note, "", *(f"| {' | '.join(line)} |" for line in lines)])


class GoalTable(Table):
    """What was reached, beside what was aimed at."""

    def reach(self, goal: str, limit: float, reached: float | None) -> None:
        """Add a goal; `reached` is None where it was not measured."""
        self.add(goal, limit, reached, None if reached is None else "yes" if reached <= limit else "no")


def goal_table(name: str, title: str, note: str) -> GoalTable:
    """Return the table without rows."""
    return GoalTable(name, title, note, {"goal": "{}", "limit": "{:.3f}", "reached": "{:.3f}", "met": "{}"})
