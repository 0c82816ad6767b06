"""What a step of the UNet takes on a device: time, memory, kernels, and whether the host waits."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from layouts import v2_made_up, xl_network
from memory import MB
from network import Case, Network, Step, weight_bytes
from scipy.stats import quantile_test

from .backend import Backend
from .records import COLUMNS, Journal, Row

#: Rounds of a timing: at least, also when time runs out; at most.
FEWEST, MOST = 6, 200
#: Seconds of a step from which on what needs many is done once.
SLOW = 0.5
#: How far a ratio of times may lie above that of the processor.
TOLERANCE = 1.05
PLAIN, SPLIT, EVERYTHING = COLUMNS


@dataclass(frozen=True)
class Model:
    """What is measured of a version.

    Attributes:
        case: at its published size. build: (device, dtype, layout) -> the network.
        time, extra: what everything on may take, against the plain UNet; its own memory, against the plain run's.
        seconds: for timing, of a run of five and a half minutes.
    """

    name: str
    case: Case
    build: Callable[[torch.device, torch.dtype, str], Network]
    time: float
    extra: float
    seconds: float


MODELS = {
    "v2": Model("v2", Case(768), lambda device, dtype, layout: v2_made_up(layout, device, dtype), 1.12, 0.25, 20),
    "xl": Model(
        "XL v2-style",
        Case(1024),
        lambda device, dtype, layout: xl_network("v2", device, dtype, layout=layout),
        1.02,
        0.1,
        30,
    ),
}
#: Side of the picture at tiny widths.
TINY = 64
#: The most kernels of a step with everything on, against the plain UNet's.
KERNELS = 1.25


def type_name(dtype: torch.dtype) -> str:
    """Return a type's name without torch's."""
    return str(dtype).removeprefix("torch.")


class Measurement:
    """One model in one type on the device.

    Args:
        tiny: at the golden data's widths, where goals for time and memory mean nothing.
        share: of the model's seconds.
    """

    def __init__(self, model: Model, dtype: torch.dtype, backend: Backend, journal: Journal, tiny: bool, share: float):
        self.model, self.backend, self.journal, self.tiny = model, backend, journal, tiny
        self.case = model.case.but(size=TINY) if tiny else model.case
        self.seconds = 0.0 if tiny else model.seconds * share
        self.of = f"{model.name}, {self.case.size}², {type_name(dtype)}{', tiny widths' if tiny else ''}"
        self.slow = False
        self.network = model.build(backend.device, dtype, "tiny" if tiny else "full")

    def new_steps(self) -> dict[str, Step]:
        """Return the three steps, each of a new run."""
        split = self.case.but(injection=False, style=False)
        return {
            PLAIN: self.network.plain(self.case),
            SPLIT: self.network.patched(split),
            EVERYTHING: self.network.patched(self.case),
        }

    def goal(self, limit: float, form: str, reached: float | None, share: float = 1.0) -> dict:
        """Return a row's goal, where widths are those it was set for."""
        if self.tiny:
            return {}
        return {"limit": form.format(limit), "met": None if reached is None else reached <= limit * share}

    def run(self) -> None:
        """Measure all, each row written as soon as it is known."""
        steps = self.new_steps()
        for step in steps.values():  # the device's libraries choose and load their kernels
            step()
            step()
        self.backend.synchronize()
        self.time(steps)
        self.first_step()
        self.memory()
        self.waiting(steps)
        self.launches(steps)

    def time(self, steps: dict[str, Step]) -> None:
        """Time plain, split and everything in turn, in opposite order every other round."""
        rounds: list[dict[str, float]] = []
        started = time.perf_counter()
        fewest = 2 if self.tiny else FEWEST
        while len(rounds) < fewest or (len(rounds) < MOST and time.perf_counter() - started < self.seconds):
            order = COLUMNS if len(rounds) % 2 == 0 else COLUMNS[::-1]
            taken = self.backend.times([steps[name] for name in order], before=steps[PLAIN])
            rounds.append(dict(zip(order, taken, strict=True)))
        medians = {name: statistics.median(taken[name] for taken in rounds) for name in COLUMNS}
        self.slow = medians[PLAIN] > SLOW
        what = "steps a second" + (" of processor time" if self.backend.is_processor else "")
        per_second = {name: 1 / taken for name, taken in medians.items()}
        details = {"rounds": len(rounds), "seconds": [[taken[name] for name in COLUMNS] for taken in rounds]}
        self.journal.row(Row(self.of, what, per_second, "{:.2f}", details=details))
        ratios = {name: [taken[name] / taken[PLAIN] for taken in rounds] for name in (SPLIT, EVERYTHING)}
        values = {name: statistics.median(of_rounds) for name, of_rounds in ratios.items()}
        row = Row(self.of, "time of a step, against plain", values, "{:.3f} ×")
        for name, of_rounds in ratios.items():
            low, high = quantile_test(of_rounds, p=0.5).confidence_interval(0.95)
            if low == low and high == high:  # with few rounds there is none
                row.intervals[name] = (float(low), float(high))
        limit = f"{{:.2f}} × + {TOLERANCE - 1:.0%}"
        row.__dict__ |= self.goal(self.model.time, limit, values[EVERYTHING], TOLERANCE)
        row.note = f"median of {len(rounds)} rounds' pairs"
        self.journal.row(row)

    def first_step(self) -> None:
        """Compare the first step of a run, which works out its constants, with the next."""
        found: dict[str, list[float]] = {name: [] for name in COLUMNS}
        for _ in range(1 if self.tiny or self.slow else 5):
            for name, step in self.new_steps().items():
                first, later = self.backend.times([step, step])
                found[name].append(first / later)
        values = {name: statistics.median(ratios) for name, ratios in found.items()}
        self.journal.row(Row(self.of, "a run's first step, against its second", values, "{:.2f} ×"))

    def memory(self) -> None:
        """Compare the peaks of runs of two steps."""
        peaks: dict[str, int] = {}
        for name, step in self.new_steps().items():
            peak, how = self.backend.peak(lambda step=step: (step(), step()))
            if peak is None:
                self.journal.skip(f"{self.of}: peak memory", "This system does not tell how far a process has grown.")
                return
            peaks[name] = peak
        plain, more = weight_bytes(self.network.unet), weight_bytes(*self.network.side_models)
        weights = {PLAIN: plain, SPLIT: plain, EVERYTHING: plain + more}
        megabytes = {name: peak / MB for name, peak in peaks.items()}
        details = {"weights": {name: size / MB for name, size in weights.items()}}
        self.journal.row(
            Row(self.of, "peak memory of a run beside its weights, MB", megabytes, "{:.0f}", note=how, details=details)
        )
        whole = {name: weights[name] + peaks[name] for name in COLUMNS}
        share = {name: whole[name] / whole[PLAIN] - 1 for name in (SPLIT, EVERYTHING)}
        row = Row(self.of, "memory of a run with its weights, more than plain", share, "{:.1%}")
        row.__dict__ |= self.goal(self.model.extra, "{:.0%}", share[EVERYTHING])
        self.journal.row(row)

    def waiting(self, steps: dict[str, Step]) -> None:
        """Look for calls inside a step for which the host waits."""
        found: dict[str, list[str]] = {}
        for name, step in steps.items():
            found[name], how = self.backend.waits(step)
        ours = [call for name in (SPLIT, EVERYTHING) for call in found[name]]
        note = how + (f"; {ours[0]}" if ours else "")
        counts = {name: float(len(calls)) for name, calls in found.items()}
        row = Row(self.of, "calls inside a step that wait for the device", counts, "{:.0f}", limit="0", note=note)
        row.met, row.details = not ours, {"calls": found}
        self.journal.row(row)

    def launches(self, steps: dict[str, Step]) -> None:
        """Count kernels where the profiler tells them, and operations everywhere."""
        kernels = {name: self.backend.kernels(step) for name, step in steps.items()}
        operators = {name: self.backend.operators(step) for name, step in steps.items()}
        if all(count is None for count in kernels.values()):
            self.journal.skip(f"{self.of}: kernels", "PyTorch's profiler tells of none here: see operations a step.")
        else:
            self.launched("kernels a step", {name: count or 0 for name, count in kernels.items()}, {})
        names = {name: dict(count.found.most_common()) for name, count in operators.items()}
        self.launched("operations a step", {name: count.count for name, count in operators.items()}, names)

    def launched(self, what: str, counts: dict[str, int], details: dict) -> None:
        """Write a count, against the plain UNet's."""
        ratios = {name: counts[name] / counts[PLAIN] for name in (SPLIT, EVERYTHING)}
        note = ", ".join(f"{name} {ratio:.2f} ×" for name, ratio in ratios.items())
        row = Row(self.of, what, {name: float(count) for name, count in counts.items()}, "{:.0f}", note=note)
        row.__dict__ |= self.goal(KERNELS, "{:.2f} ×", ratios[EVERYTHING])
        row.details = details
        self.journal.row(row)


def measure(model: str, dtype: torch.dtype, backend: Backend, journal: Journal, tiny: bool, share: float) -> None:
    """Build a model and measure it, once an earlier one has been forgotten, whether it came to its end or not."""
    gc.collect()
    backend.forget()
    Measurement(MODELS[model], dtype, backend, journal, tiny, share).run()


def parts(backend: Backend, journal: Journal, tiny: bool, share: float) -> dict[str, Callable[[], None]]:
    """Return what is to be run, by name."""
    found = {}
    for name, model in MODELS.items():
        for dtype in backend.dtypes():
            found[f"{model.name}, {type_name(dtype)}"] = partial(measure, name, dtype, backend, journal, tiny, share)
    return found
