"""Seconds of a step, patched and plain in turn."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from network import Case, Network, Step
from operations import later_step, teraflops
from tables import Table


def clock_table(threads: int, name: str = "clock", title: str = "Seconds of a step") -> Table:
    """Return the table without rows."""
    return Table(
        name,
        title,
        "Float32 on the CPU, patched and plain in turn in one process, in opposite order every other round; ratios are "
        "medians over the rounds' pairs, steps after a run's first. Processor time of the process is what counts "
        f"({threads} thread{'s' * (threads > 1)}): it is not disturbed when others use the machine, as the time that "
        "passes is. *Against operations*: how far the processor's ratio lies above that of the operations.",
        {
            "widths": "{}",
            "size": "{}²",
            "batch": "{}",
            "what": "{}",
            "rounds": "{}",
            "plain, s": "{:.2f}",
            "operations": "{:.3f} ×",
            "processor time": "{:.3f} ×",
            "time passed": "{:.3f} ×",
            "against operations": "{:+.1%}",
        },
    )


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Time one run: seconds of processor time over all threads, and seconds passed."""
    processor, passed = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - processor, time.perf_counter() - passed


def warm_up(step: Step) -> None:
    """Let a run work out its constants on a small latent: the background's keys and values are the same for all."""
    x = step.x
    step.x = x[..., :8, :8].contiguous()
    step()
    step.x = x


def clock(
    table: Table, network: Network, uncounted: Network, widths: str, cases: Mapping[str, Case], rounds: int
) -> None:
    """Time patched steps against the plain one.

    Args:
        uncounted: the same network without memory, to count operations.
        cases: of one size and batch, by what they are called.
    """
    size, batch = {(case.size, case.batch) for case in cases.values()}.pop()
    plain = Case(size, batch=batch)
    steps = [network.plain(plain), *(network.patched(case) for case in cases.values())]
    for step in steps:
        warm_up(step)
    times: list[list[tuple[float, float]]] = []
    for number in range(rounds):
        order = range(len(steps)) if number % 2 == 0 else reversed(range(len(steps)))
        measured = {place: seconds(steps[place]) for place in order}
        times.append([measured[place] for place in range(len(steps))])

    def ratio(place: int, which: int) -> float:
        return statistics.median(row[place][which] / row[0][which] for row in times)

    base = teraflops(uncounted.plain(plain))
    for place, (what, case) in enumerate(cases.items(), start=1):
        counted = later_step(uncounted.patched(case)) / base
        processor, passed = ratio(place, 0), ratio(place, 1)
        plain_seconds = statistics.median(row[0][0] for row in times)
        row = (what, rounds, plain_seconds, counted, processor, passed, processor / counted - 1)
        table.add(widths, size, batch, *row)
