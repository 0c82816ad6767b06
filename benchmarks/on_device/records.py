"""What a part has found, line by line: a process that is stopped leaves what it had found before."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Columns of numbers: the plain UNet, Apply Colorization with a mask alone, and with all that the version has.
COLUMNS = ("plain", "split", "all on")


@dataclass
class Row:
    """One line of the table.

    Attributes:
        of: the model, its size and type.
        what: is measured, with its unit.
        values: by column; a column without a value was not measured, or means nothing here.
        form: how a value is written.
        intervals: (low, high) by column, within which the value lies with 95 % certainty.
        limit: what *all on* may be at most, in words; empty without a goal. met: None where it cannot be said.
        note: what else is to be known.
        details: further values for the JSON.
    """

    of: str
    what: str
    values: dict[str, float] = field(default_factory=dict)
    form: str = "{:.3f}"
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    limit: str = ""
    met: bool | None = None
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """Write the row."""
        met = {None: "", True: "yes", False: "no"}[self.met]
        return [self.of, self.what, *(self.cell(column) for column in COLUMNS), self.limit, met, self.note]

    def cell(self, column: str) -> str:
        """Write one value, with its interval."""
        if column not in self.values:
            return "–"
        text = self.form.format(self.values[column])
        if column in self.intervals:
            text += " ({} … {})".format(*(self.form.format(end) for end in self.intervals[column]))
        return text


def markdown(rows: Sequence[Row], skipped: Sequence[dict[str, str]]) -> str:
    """Write rows, and what was not done, as one table."""
    lines = [["of", "what", *COLUMNS, "goal", "met", "note"]]
    lines.append(["---"] * len(lines[0]))
    lines += [row.cells() for row in rows]
    lines += [[entry["of"], "not done", "–", "–", "–", "", "", entry["why"]] for entry in skipped]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


class Journal:
    """A file that a process writes lines to and another reads."""

    def __init__(self, path: Path):
        self.path = path

    def write(self, kind: str, **values: Any) -> None:
        """Add a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")

    def row(self, row: Row) -> None:
        """Add a row."""
        self.write("row", **dataclasses.asdict(row))

    def skip(self, of: str, why: str) -> None:
        """Say what was not done, and why, in one line."""
        self.write("skipped", of=of, why=" ".join(why.split())[:400])

    def read(self) -> Iterator[dict[str, Any]]:
        """Go through the lines; one that was not finished is none."""
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


class NotHere(Exception):
    """What a part cannot do on this machine, in a sentence."""


def reason(error: BaseException) -> str:
    """Say what an error is in a line."""
    if isinstance(error, NotHere):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
