"""The benchmarks of ColorizeDiffusion XL, base and v2-style."""

import sys
import time
from statistics import median

import torch
from clock import clock, clock_table
from layouts import xl_network
from memory import xl_memory
from network import CPU, META, Case
from operations import launches, teraflops, xl_operations
from tables import Table, goal_table
from waiting import waiting
from xl_encoders import xl_encoders

#: The goals are for this picture.
GOAL = Case(size=1024, background=0.5)
#: The models as tables call them, and as the layouts are called.
MODELS = {"base": "base", "v2-style": "v2"}

#: How widths are called in tables, and those that tell little: see README.md.
WIDTHS = "C = {}"
TINY = WIDTHS.format(32)


def xl_tables(short: bool, threads: int) -> list[Table]:
    """Run everything of XL."""
    networks = {name: xl_network(model) for name, model in MODELS.items()}
    styled = networks["v2-style"]
    steps = {"v2-style": (styled, GOAL)}
    by_size = by_memory = [GOAL]
    if not short:
        sizes = [GOAL.but(size=size) for size in (768, 1024, 1536)]
        by_size = [*sizes, *(GOAL.but(background=share) for share in (0.25, 0.75))]
        by_memory = [*sizes, GOAL.but(batch=4), GOAL.but(characters=4)]
        steps |= {
            "base": (networks["base"], GOAL),
            "v2-style, 4 characters, batch of 2": (styled, GOAL.but(characters=4, batch=2)),
            "v2-style, attention injection": (styled, GOAL.but(attention_injection=True)),
        }
    launching = {name: (networks[name], GOAL) for name in models(short)}
    if not short:
        launching["v2-style, 4 characters"] = (styled, GOAL.but(characters=4))
    halves = {name: xl_network(model, dtype=torch.float16) for name, model in models(short).items()}
    step = teraflops(networks["base"].plain(GOAL))
    found = [
        xl_operations(networks, by_size, short),
        waiting(steps, "xl waiting", "XL: waiting for the device inside a step"),
        launches(launching, "xl launches", "XL: operators of a step"),
        xl_memory(halves, by_memory),
        xl_encoders((GOAL.size,) if short else (768, 1024), step, 256 if short else 1024),
    ]
    print(f"XL: counted and encoded after {time.process_time():.0f} s", file=sys.stderr, flush=True)
    found.append(clocked(threads, short))
    return [goals(found), *found]


def models(short: bool) -> dict[str, str]:
    """Return the models that are measured, as in `MODELS`; in a short run the one that does more."""
    return {name: model for name, model in MODELS.items() if not short or name == "v2-style"}


def clocked(threads: int, short: bool) -> Table:
    """Time steps at widths that a processor bears."""
    table = clock_table(threads, "xl clock", "XL: seconds of a step")
    for channels, size, rounds in ((32, 128, 3),) if short else ((64, 512, 9), (128, 256, 9), (64, 1024, 3)):
        for name, model in models(short).items():
            network, uncounted = (xl_network(model, device, channels=channels) for device in (CPU, META))
            clock(table, network, uncounted, WIDTHS.format(channels), {name: Case(size)}, rounds)
            print(f"XL {name}: {size}² timed after {time.process_time():.0f} s", file=sys.stderr, flush=True)
    return table


def goals(found: list[Table]) -> Table:
    """Put what was reached beside the goals."""
    note = f"At {GOAL.size}² with half of the picture background, at the published size; time at the widths below."
    table, records = goal_table("xl goals", "XL: goals", note), {part.name: part.records() for part in found}
    steps = {
        r["model"]: r["a step"]
        for r in records["xl operations"]
        if (r["size"], r["background"]) == (GOAL.size, GOAL.background)
    }
    extra = [
        r["extra share"]
        for r in records["xl memory"]
        if (r["size"], r["batch"], r["characters"]) == (GOAL.size, GOAL.batch, GOAL.characters)
    ]
    timed = [1 + r["against operations"] for r in records["xl clock"] if r["widths"] != TINY]
    waits = max(r["of these waiting"] for r in records["xl waiting"])
    table.reach("base: operations of split, against the plain UNet", 1.0, steps["base"])
    table.reach("v2-style: operations of split and stored states, against the plain UNet", 1.01, steps["v2-style"])
    table.reach(
        "processor time's ratio, against the operations' ratio, median of the rows",
        1.05,
        median(timed) if timed else None,
    )
    table.reach("operations inside a step that wait for the device", 0, waits)
    [launched] = [r["ratio"] for r in records["xl launches"] if r["step"] == "v2-style"]
    table.reach("operators of a step of the v2-style model, against the plain UNet's", 1.25, launched)
    table.reach("extra peak memory of a run at float16, against the plain run's", 0.1, max(extra))
    return table
