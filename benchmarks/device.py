"""What the pack does on a GPU: steps a second, memory, kernels, golden cases, in at most six minutes.

    python benchmarks/run.py --device            # with the Python of a ComfyUI; COMFYUI_PATH names its folder
    python benchmarks/run.py --device --tiny     # tiny widths: whether all of it runs, on a processor too

Takes the device that ComfyUI takes: CUDA, ROCm, XPU, MPS or the processor. Weights are made up on it. Prints a table,
and writes all values to benchmarks/device.json, or to the file that --json names; what could not be done stands in both
with its reason. Nothing is sent anywhere.
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host import COMFYUI
from on_device.records import Journal, Row, markdown
from on_device.worker import GROUPS, NAMES, work

HERE = Path(__file__).resolve()
#: Of the whole run, so that it ends within six minutes.
SECONDS = 330
#: What of them each process may have used up when it ends; the rest is for those after it.
SHARES = {"nodes": 0.3, "dynamic": 0.4, "steps": 1.0}
SEND = (
    "To help others with a card like yours, open an issue at {address} titled `Device: <your card>` with the table "
    "above, and drag {file} into it."
)
REPOSITORY = "https://github.com/colorizediffusion/colorizediffusion-nodes/issues"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="run.py --device", description=__doc__.split("\n\n")[0])
    parser.add_argument("--tiny", action="store_true", help="tiny widths: shows that all of it runs, not how fast")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"for all of it, within some seconds ({SECONDS})"
    )
    parser.add_argument("--json", type=Path, default=HERE.with_suffix(".json"), help="where all values go")
    # For the processes that it starts.
    parser.add_argument("--work", choices=GROUPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--done", nargs="*", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    options.share = options.seconds / SECONDS
    return options


def main(argv: Sequence[str]) -> int:
    """Run all groups and tell what they found; the exit code is 1 when nothing was measured."""
    options = arguments(argv)
    if options.work:
        work(options.work, Journal(Path(options.folder) / "journal"), options)
        return 0
    if not (COMFYUI / "main.py").is_file():
        raise SystemExit(f"No ComfyUI in {COMFYUI}: set COMFYUI_PATH to yours.")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        journal = Journal(Path(folder) / "journal")
        for group, share in SHARES.items():
            why = why_not(group, journal)
            if why:
                journal.skip(NAMES[group], why)
            else:
                run_group(group, folder, journal, started + share * options.seconds, options)
        lines = list(journal.read())
    report = {
        "format": 1,
        "date": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        "tiny": options.tiny,
        "seconds": round(time.monotonic() - started, 1),
        "machine": next((of_kind(line) for line in lines if line["kind"] == "machine"), {}),
        "rows": [of_kind(line) for line in lines if line["kind"] == "row"],
        "parts": {line["part"]: line.get("seconds") for line in lines if line["kind"] == "end"},
        "skipped": [of_kind(line) for line in lines if line["kind"] == "skipped"],
    }
    options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(page(report, options.json))
    return 0 if report["rows"] else 1


def why_not(group: str, journal: Journal) -> str | None:
    """Say why a group need not be tried, if so."""
    if group != "dynamic":
        return None
    if not (COMFYUI / "comfy" / "memory_management.py").is_file():
        return "This ComfyUI has none."
    kinds = [line["kind_of_device"] for line in journal.read() if line["kind"] == "machine"]
    return None if "cuda" in kinds else "ComfyUI offers it for CUDA and ROCm alone."


def run_group(group: str, folder: str, journal: Journal, end: float, options: argparse.Namespace) -> None:
    """Run a group in a process of its own, and in another what is left when that breaks off."""
    done: list[str] = []
    command = [sys.executable, str(HERE), "--work", group, "--folder", folder, "--seconds", str(options.seconds)]
    while True:
        left = end - time.monotonic()
        if left <= 0:
            journal.skip(NAMES[group], "There was no time left; --seconds gives more.")
            return
        try:
            code: int | None = subprocess.run(
                [*command, *(["--tiny"] if options.tiny else []), "--done", *done], stdout=sys.stderr, timeout=left
            ).returncode
        except subprocess.TimeoutExpired:
            code = None
        begun, ended = ([line["part"] for line in journal.read() if line["kind"] == kind] for kind in ("begin", "end"))
        broken = [part for part in begun if part not in ended]
        why = "It did not end in time; --seconds gives more." if code is None else f"Its process ended with {code}."
        for part in broken:
            journal.skip(part, why)
            journal.write("end", part=part)
        if code == 0:
            return
        if code is None or not broken:
            if not broken:
                journal.skip(NAMES[group], why)
            return
        done = [*ended, *broken]


def of_kind(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line's values without its kind."""
    return {name: value for name, value in line.items() if name != "kind"}


def page(report: dict[str, Any], file: Path) -> str:
    """Write what a user reads."""
    machine = {"card": "no device was found", **report["machine"]}
    versions = [f"{what} {machine[key]}" for key, what in VERSIONS.items() if machine.get(key)]
    head = f"{report['date']}, {machine['card']}; {', '.join(versions)}. The run took {report['seconds']:.0f} s."
    if report["tiny"]:
        head += " **Tiny widths: this shows that all of it runs, and nothing of how fast.**"
    rows = [Row(**values) for values in report["rows"]]
    send = SEND.format(address=REPOSITORY, file=file)
    return "\n\n".join([head, markdown(rows, report["skipped"]), NOTE, *([] if report["tiny"] else [send])])


VERSIONS = {"driver": "driver", "torch": "PyTorch", "comfyui": "ComfyUI", "pack": "pack"}
NOTE = (
    "Half of the picture is background, one character, two rows a step. *split*: a mask alone; *all on*: with the "
    "background and, in v2, the style. Ratios are medians over pairs that ran in turn, with the interval that holds "
    "the median at 95 %."
)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
