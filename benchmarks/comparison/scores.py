"""What the graphs' results are worth beside each other: tables with intervals, and differences pair by pair."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

import numpy as np
from evaluation.report import DRAWS, PAIRED, bootstrap

from .colouring import Outcome
from .graph_files import caption

#: Graph -> pair's name -> column -> value.
Values = Mapping[str, Mapping[str, Mapping[str, float]]]

#: Columns beside those of benchmarks/evaluate.py: name, how it is written.
OWN = {"delta_e_parts": ("ΔE2000, 4 parts", ".2f"), "leak": ("leak, %", ".1f")}
NAMES = {column: (name, form) for column, (name, form, _) in PAIRED.items()} | OWN
#: In this order.
COLUMNS = ("delta_e_parts", "leak", *PAIRED)
#: What tells the demonstration's graphs apart; the other measures are these, mixed.
DEMONSTRATION = ("delta_e_parts", "delta_e_background", "leak", "psnr", "ms_ssim")


def columns_of(values: Values, wanted: tuple[str, ...]) -> list[str]:
    """Return those of the wanted columns that were measured."""
    found = {column for of_graph in values.values() for measured in of_graph.values() for column in measured}
    return [column for column in wanted if column in found]


def series(values: Values, graph: str, column: str, names: list[str]) -> np.ndarray:
    """Return a column of a graph, [N], NaN where nothing was measured."""
    return np.array([values[graph].get(name, {}).get(column, np.nan) for name in names])


def with_interval(numbers: np.ndarray, form: str, sign: str = "") -> str:
    """Write a mean with the 95 % interval of a bootstrap over pairs."""
    kept = numbers[~np.isnan(numbers)]
    if not len(kept):
        return "–"
    if len(kept) == 1:
        return f"{kept.mean():{sign}{form}}"
    low, high = bootstrap(kept, DRAWS)
    return f"{kept.mean():{sign}{form}} ({low:{sign}{form}} … {high:{sign}{form}})"


def tables(values: Values, outcome: Outcome, wanted: tuple[str, ...] = COLUMNS) -> str:
    """Write both tables: the measures, and how they differ from the first graph's, pair by pair."""
    graphs = list(values)
    names = sorted({name for of_graph in values.values() for name in of_graph})
    columns = columns_of(values, wanted)
    heads = [NAMES[column][0] for column in columns]
    time, ratios = time_ratios(outcome, graphs)
    lines = [row("graph", [*heads, time])]
    lines.append("|---" * (len(columns) + 2) + "|")
    for graph in graphs:
        cells = [with_interval(series(values, graph, column, names), NAMES[column][1]) for column in columns]
        lines.append(row(caption(graph), [*cells, ratios[graph]]))
    first = graphs[0]
    lines += ["", f"Pair by pair against *{caption(first)}*:", "", row("graph", heads)]
    lines.append("|---" * (len(columns) + 1) + "|")
    for graph in graphs[1:]:
        cells = [
            with_interval(
                series(values, graph, column, names) - series(values, first, column, names), NAMES[column][1], "+"
            )
            for column in columns
        ]
        lines.append(row(caption(graph), cells))
    return "\n".join(lines)


def row(first: str, cells: list[str]) -> str:
    """Write a line of a table."""
    return f"| {first} | {' | '.join(cells)} |"


def time_ratios(outcome: Outcome, graphs: list[str]) -> tuple[str, dict[str, str]]:
    """Return the column's name and every graph's time against the first graph's.

    The median over pairs of each pair's ratio; the first pair, for which models are loaded, is left out. Processor time
    where it is known, for others may use the machine.
    """
    kind, times = ("processor time", outcome.processor) if outcome.processor else ("time", outcome.seconds)
    base = times.get(graphs[0], {})
    ratios = {}
    for graph in graphs:
        both = [name for name in base if name in times.get(graph, {})][1:]
        ratios[graph] = f"{median(times[graph][name] / base[name] for name in both):.2f} ×" if both else "–"
    return kind, ratios
