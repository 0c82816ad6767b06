"""All benchmarks of a step: operations, seconds, memory, encoders, and how they grow.

Prints a page of Markdown each for version 2 and XL.

    .venv/bin/python benchmarks/run.py           # about twenty minutes on one core; needs 12 GB of memory
    .venv/bin/python benchmarks/run.py --short   # a few minutes; seconds are those of tiny widths
    .venv/bin/python benchmarks/run.py --write   # and puts the pages into benchmarks/README.md

    .venv/bin/python benchmarks/run.py --device  # on a GPU instead, another program: see device.py

On a ComfyUI on the CPU (COMFYUI_PATH, or the one that `make setup` unpacked). Weights are made up.
"""

import argparse
import datetime
import gc
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from host import start_comfyui

if "--device" in sys.argv:  # has arguments of its own, and starts ComfyUI where it is needed
    from device import main as on_device

    sys.exit(on_device([argument for argument in sys.argv[1:] if argument != "--device"]))

start_comfyui("--fp32-unet", "--fp32-vae", "--fp32-text-enc", "--use-pytorch-cross-attention")

import comfyui_version  # noqa: E402
import torch  # noqa: E402
from clock import clock, clock_table  # noqa: E402
from encoders import encoders, load  # noqa: E402
from layouts import v2_of_checkpoint, v2_without_memory  # noqa: E402
from memory import memory, resident  # noqa: E402
from network import Case  # noqa: E402
from operations import growth, launches, operations, teraflops  # noqa: E402
from summary import summary  # noqa: E402
from tables import Table, goal_table  # noqa: E402
from waiting import waiting  # noqa: E402
from xl import xl_tables  # noqa: E402

README = Path(__file__).with_name("README.md")
#: Around what was found of version 2 and of XL.
MARKS = {part: (f"<!-- run.py --write: {part} from here -->", f"<!-- {part} to here -->") for part in ("v2", "xl")}
#: Around what both come to in short.
SHORT = ("<!-- run.py --write: in short from here -->", "<!-- in short to here -->")
#: The goals are for this picture.
GOAL = Case(size=768, background=0.5)


def v2_tables(short: bool, threads: int) -> list[Table]:
    """Run everything of version 2."""
    full = v2_without_memory("full")
    sizes = (GOAL.size,) if short else (512, 768, 1024)
    batches = ((768, 1),) if short else ((512, 1), (768, 1), (1024, 1), (768, 2), (768, 4))
    found = [
        operations(full, sizes, (GOAL.background,) if short else (0.25, 0.5, 0.75)),
        growth(full, batches, (1, 4) if short else (1, 2, 3, 4)),
        waiting(
            {
                "everything": (full, GOAL),
                "plain reference attention and style": (full, GOAL.but(characters=0, background=1.0)),
                "4 characters, batch of 2": (full, GOAL.but(characters=4, batch=2)),
            },
        ),
        launches({"1 character": (full, GOAL)} | ({} if short else {"4 characters": (full, GOAL.but(characters=4))})),
        memory(v2_without_memory("full", torch.float16), memory_cases(short)),
    ]
    print(f"counted after {time.process_time():.0f} s", file=sys.stderr, flush=True)
    steps = {GOAL.size: teraflops(full.plain(GOAL))}
    clocked = clock_table(threads)
    residents: Table | None = None
    for layout in ("tiny",) if short else ("tiny", "full"):
        with tempfile.TemporaryDirectory() as folder:
            loaded, loading, size = load(layout, Path(folder))
        side = 512 if layout == "full" else 128
        once = encoders(sizes, steps, loaded, loading["checkpoint"], size, side)
        network = v2_of_checkpoint(loaded)
        del loaded  # and with it the encoders
        gc.collect()
        print(f"{layout}: encoded after {time.process_time():.0f} s", file=sys.stderr, flush=True)
        uncounted = full if layout == "full" else v2_without_memory(layout)
        for cases, rounds in clock_cases(layout, short):
            clock(clocked, network, uncounted, layout, cases, rounds)
            side = next(iter(cases.values())).size
            print(f"{layout}: {side}² timed after {time.process_time():.0f} s", file=sys.stderr, flush=True)
        measured = resident(network, layout, [Case(256)])
        if residents is None:
            residents = measured
        else:
            residents.rows += measured.rows
    assert residents is not None
    found += [residents, once, clocked]
    return [goals(found), *found]


def memory_cases(short: bool) -> list[Case]:
    """What peak memory is computed for."""
    if short:
        return [GOAL]
    by_size = [GOAL.but(size=size) for size in (512, 768, 1024)]
    return [*by_size, *(GOAL.but(batch=batch) for batch in (2, 4)), GOAL.but(characters=4)]


def clock_cases(layout: str, short: bool) -> list[tuple[dict[str, Case], int]]:
    """What is timed, and in how many rounds."""
    case = Case(size=256)
    split, more = case.but(injection=False, style=False), case.but(characters=4)
    if short:
        return [({"split": split, "everything": case}, 3)]
    if layout == "tiny":
        return [
            ({"split": split, "everything": case, "4 characters": more}, 9),
            ({"everything": case.but(batch=2)}, 5),
            ({"everything": case.but(batch=4)}, 5),
            ({"everything": GOAL}, 2),
        ]
    return [
        ({"split": split, "everything": case, "4 characters": more}, 2),
        ({"everything": case.but(size=512)}, 3),
        ({"everything": GOAL}, 2),
    ]


def goals(found: list[Table]) -> Table:
    """Put what was reached beside the goals."""
    table = goal_table("goals", "Goals", f"At {GOAL.size}² with half of the picture background, at the published size.")
    records = {part.name: part.records() for part in found}

    [step] = [r for r in records["operations"] if (r["size"], r["background"]) == (GOAL.size, GOAL.background)]
    [peak] = [r for r in records["memory"] if (r["size"], r["batch"], r["characters"]) == (GOAL.size, GOAL.batch, 1)]
    timed = [
        1 + r["against operations"]
        for r in records["clock"]
        if (r["widths"], r["size"], r["batch"], r["what"]) == ("full", GOAL.size, GOAL.batch, "everything")
    ]
    table.reach("operations of split, against the plain UNet", 1.005, step["split"])
    table.reach("operations of split, injection and style, against the plain UNet", 1.12, step["+ style"])
    table.reach("processor time's ratio, against the operations' ratio", 1.05, next(iter(timed), None))
    waits = max(r["of these waiting"] for r in records["waiting"])
    table.reach("operations inside a step that wait for the device", 0, waits)
    launched = records["launches"][0]["ratio"]
    table.reach("operators of a step with everything on, against the plain UNet's", 1.25, launched)
    table.reach("extra peak memory of a run at float16, against the plain run's", 0.25, peak["extra share"])
    return table


def machine(threads: int) -> str:
    """Say when and where this was measured."""
    info, model = Path("/proc/cpuinfo"), platform.processor() or platform.machine()
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return (
        f"{datetime.date.today():%d %B %Y}, {threads} of {os.cpu_count()} cores of an {model}, CPU only; "
        f"ComfyUI {comfyui_version.__version__}, PyTorch {torch.__version__}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--short", action="store_true", help="a few minutes, with tiny widths")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (1)")
    parser.add_argument("--json", type=Path, help="write all values to this file, too")
    parser.add_argument("--write", action="store_true", help="put the pages into benchmarks/README.md")
    parser.add_argument("--only", choices=MARKS, help="leave out the other version")
    options = parser.parse_args()
    if options.short and options.write:
        parser.error("--write is for the long run: the README does not tell of a short one.")
    torch.set_num_threads(options.threads)
    values: dict[str, list[dict]] = {}
    for part, tables in {"v2": v2_tables, "xl": xl_tables}.items():
        if options.only in (None, part):
            before = time.process_time()
            found = tables(options.short, options.threads)
            taken = f"The run took {(time.process_time() - before) / 60:.1f} minutes of processor time."
            page = "\n\n".join([f"{machine(options.threads)} {taken}", *(table.markdown() for table in found)])
            print(f"{page}\n")
            values |= {table.name: table.records() for table in found}
            if options.write:
                put_into_readme(page, MARKS[part])
    if options.write:
        put_into_readme(summary(README.read_text()), SHORT)
    if options.json:
        options.json.write_text(json.dumps(values, indent=1))


def put_into_readme(page: str, marks: tuple[str, str]) -> None:
    """Replace what stands between two marks."""
    before, _, rest = README.read_text().partition(marks[0])
    after = rest.partition(marks[1])[2]
    README.write_text(f"{before}{marks[0]}\n\n{page}\n\n{marks[1]}{after}")


if __name__ == "__main__":
    main()
