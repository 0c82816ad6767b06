"""What the patch takes of the device's memory, beside the plain UNet."""

import ctypes
import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from network import Case, Network, Step, tensors_in, weight_bytes
from tables import Table
from watches import LiveBytes

MB = 1e6
#: Under which names a run keeps keys and values of the background, in v2 and in XL.
BACKGROUND = ("injection", "states")

#: Of a table of peaks: the case, then what `peaks` gives.
COLUMNS = {
    "size": "{}²",
    "batch": "{}",
    "characters": "{}",
    "plain weights": "{:.0f}",
    "plain peak beside them": "{:.0f}",
    "more weights": "{:.0f}",
    "patched peak beside all weights": "{:.0f}",
    "kept: keys and values": "{:.1f}",
    "kept: all else": "{:.2f}",
    "extra": "{:.0f}",
    "extra share": "{:.1%}",
}


def peak_of_run(step: Step) -> int:
    """Return the bytes alive at most in the first two steps of a run, weights and the step's inputs not counted."""
    with LiveBytes(step.device) as live:
        step()
        step()
    return live.peak


def kept(step: Step, background: bool) -> int:
    """Return the bytes that a run keeps: keys and values of the background, or all else."""
    constants = step.run._constants.items()
    return sum(t.nbytes for key, value in constants if (key[0] in BACKGROUND) == background for t in tensors_in(value))


def memory(network: Network, cases: Sequence[Case]) -> Table:
    """Compare the peak of a run of the patched UNet with that of the plain one."""
    table = Table(
        "memory",
        "Peak memory of a run, float16",
        "In MB, computed at the published size from every tensor that lives during the first two steps of a run, half "
        "of the picture background; fused attention kernels are taken to need no memory beside their result. *More "
        "weights*: background injection, split LoRA and style. *Kept*: what a run keeps from step to step, shared by "
        "the rows: keys and values of the background, and all else (positions of the regions, style). *Extra*: all "
        "that the patched run's peak has more, against the plain run's peak with its weights.",
        COLUMNS,
    )
    for case in cases:
        table.add(case.size, case.batch, case.characters, *peaks(network, case))
    return table


def xl_memory(networks: Mapping[str, Network], cases: Sequence[Case]) -> Table:
    """Compare the same for XL."""
    table = Table(
        "xl memory",
        "XL: peak memory of a run, float16",
        "As above. *Kept*: keys and values of the stored states, and all else. The LoRA is in the weights and takes no "
        "memory of its own.",
        {"model": "{}", **COLUMNS},
    )
    for model, network in networks.items():
        for case in cases:
            table.add(model, case.size, case.batch, case.characters, *peaks(network, case))
    return table


def peaks(network: Network, case: Case) -> tuple[float, ...]:
    """Return the columns from *plain weights* on."""
    weights, more = weight_bytes(network.unet), weight_bytes(*network.side_models)
    plain, patched = network.plain(case), network.patched(case)
    before, after = peak_of_run(plain), peak_of_run(patched)
    context = patched.context.nbytes - plain.context.nbytes
    extra = more + context + after - before
    sizes = (weights, before, more, after, *(kept(patched, background) for background in (True, False)), extra)
    return (*(size / MB for size in sizes), extra / (weights + before))


def resident(network: Network, widths: str, cases: Sequence[Case]) -> Table:
    """Compare what is counted with what the process takes."""
    table = Table(
        "resident",
        "Peak memory of a run, measured",
        "In MB beside the weights, float32 on the CPU: the tensors counted as above, and by how much the process grew "
        "(peak resident set over the first two steps), which kernels' own memory is part of.",
        {
            "widths": "{}",
            "size": "{}²",
            "plain, counted": "{:.0f}",
            "plain, process": "{:.0f}",
            "patched, counted": "{:.0f}",
            "patched, process": "{:.0f}",
        },
    )
    for case in cases:
        row: list[float | None] = []
        for make in (network.plain, network.patched):
            step, counted = make(case), list[int]()
            grown = peak_growth(lambda step=step, counted=counted: counted.append(peak_of_run(step)))
            row += [counted[0] / MB, None if grown is None else grown / MB]
        table.add(widths, case.size, *row)
    return table


def peak_growth(work: Callable[[], Any]) -> int | None:
    """Return by how many bytes this process grew at most while working; None where the system does not tell."""
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not clear.exists():
        return None

    def read(name: str) -> int:
        line = next(line for line in status.read_text().splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    clear.write_text("5")  # the peak begins anew
    before = read("VmRSS:")
    work()
    return max(read("VmHWM:") - before, 0)
