"""What was found: a Markdown table to read, a CSV row a picture, JSON for programs."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .folders import Group

sys.path.append(str(Path(__file__).resolve().parents[2] / "demo"))
from measure import bootstrap

#: Columns of the paired measures -> their names, how they are written, and which way is better.
PAIRED = {
    "psnr": ("PSNR, dB", ".2f", "higher"),
    "ms_ssim": ("MS-SSIM", ".4f", "higher"),
    "lpips": ("LPIPS", ".4f", "lower"),
    "delta_e": ("ΔE2000", ".2f", "lower"),
    "delta_e_character": ("ΔE2000, character", ".2f", "lower"),
    "delta_e_background": ("ΔE2000, background", ".2f", "lower"),
    "delta_e_regions": ("ΔE2000, mean of the regions", ".2f", "lower"),
    "clip": ("CLIP image score, result and reference", ".4f", "higher"),
}
#: Draws of a bootstrap interval.
DRAWS = 10_000


@dataclass
class Row:
    """One line of the table.

    Attributes:
        name: of the measure. better: "higher" or "lower".
        value: mean over pictures, or the measure of a set. low, high: 95 % interval of the mean; None for sets.
        spread: standard deviation over KID's subsets; None for others.
        pictures: how many counted; of a set "results against truth".
        digits: how values are written.
    """

    name: str
    better: str
    value: float
    pictures: str
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    digits: str = ".4f"

    def cells(self) -> list[str]:
        """Return what stands in the table."""
        surety = "–"
        if self.low is not None:
            surety = f"{self.low:{self.digits}} … {self.high:{self.digits}}"
        elif self.spread is not None:
            surety = f"± {self.spread:{self.digits}} over subsets"
        return [self.name, self.better, f"{self.value:{self.digits}}", surety, self.pictures]


@dataclass
class Report:
    """All that was found.

    Attributes:
        settings: what was compared, for the head. skipped: name of a measure -> why, and what to give.
        notes: whole sentences. pictures: a group and its measures by column.
    """

    settings: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    pictures: list[tuple[Group, dict[str, float]]] = field(default_factory=list)

    def columns(self) -> list[str]:
        """Return the measures' columns in the order of the table; label colours come last."""
        found = {column for _, values in self.pictures for column in values}
        return [column for column in PAIRED if column in found] + sorted(found - set(PAIRED))

    def add_means(self) -> None:
        """Add a row a column, with the bootstrap interval over pictures."""
        rows = []
        for column in self.columns():
            values = np.array([values.get(column, np.nan) for _, values in self.pictures])
            kept = values[~np.isnan(values)]
            if not len(kept):
                continue
            name, digits, better = PAIRED.get(column) or (f"ΔE2000, {column[-7:]}", ".2f", "lower")
            low, high = bootstrap(kept, DRAWS) if len(kept) > 1 else (None, None)
            rows.append(Row(name, better, float(kept.mean()), str(len(kept)), low, high, digits=digits))
        self.rows = rows + self.rows

    def markdown(self) -> str:
        """Return the page: settings, table, what was skipped, notes."""
        lines = [f"- {name}: {value}" for name, value in self.settings.items()]
        lines += ["", "| measure | better | value | 95 % of the mean | pictures |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(row.cells())} |" for row in self.rows]
        lines += [f"| {name} | – | skipped | – | – |" for name in self.skipped]
        alike: dict[str, list[str]] = {}
        for name, why in self.skipped.items():
            alike.setdefault(why, []).append(name)
        sentences = [f"{', '.join(names)}: {why}" for why, names in alike.items()] + self.notes
        if sentences:
            lines += ["", *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)

    def write_csv(self, path: Path) -> None:
        """Write a row a picture; what was not measured stays empty."""
        columns = self.columns()
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["name", "result", "truth", "reference", *columns])
            for group, values in self.pictures:
                cells = [values.get(column, np.nan) for column in columns]
                measured = ["" if np.isnan(value) else f"{value:.6g}" for value in cells]
                writer.writerow([group.name, group.result, group.truth or "", group.reference or "", *measured])

    def write_json(self, path: Path) -> None:
        """Write table, skipped measures, settings and notes."""
        found = {
            "settings": self.settings,
            "measures": [{key: value for key, value in asdict(row).items() if key != "digits"} for row in self.rows],
            "skipped": self.skipped,
            "notes": self.notes,
        }
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
