"""The same drawings, references and right answers through the pack and through what one would pick instead.

    python benchmarks/compare.py --out DIR              # the demonstration model, on pairs that it has never seen
    python benchmarks/compare.py --published --drawings DIR --references DIR [--truth DIR] --out DIR
        [--url http://127.0.0.1:8188]                   # your own pictures, with published models

Every graph of benchmarks/comparison/graphs runs on a ComfyUI: one that this command starts (COMFYUI_PATH), or the one
at --url. What the server lacks for a graph is told, and the others run. In --out lie a folder of results a graph,
sheet.png and, where the truth is known, table.md. benchmarks/README.md says what each graph is.
"""

import argparse
import importlib
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "scripts"), str(ROOT / "demo")]

import aiohttp  # noqa: E402
import numpy as np  # noqa: E402
from comparison.colouring import Outcome, colour  # noqa: E402
from comparison.graph_files import (  # noqa: E402
    GRAPHS,
    caption,
    read_graphs,
    use_backgrounds,
    use_files,
    use_masks,
    use_reference_masks,
)
from comparison.leak import leak, main_colors  # noqa: E402
from comparison.pairs import OPTIONS, Pair, find_pairs  # noqa: E402
from comparison.scores import COLUMNS, DEMONSTRATION, tables  # noqa: E402
from comparison.sheet import draw_sheet  # noqa: E402
from evaluate import evaluate  # noqa: E402
from evaluate import parse as evaluation_options  # noqa: E402
from evaluation.folders import ColorizeError  # noqa: E402
from host import COMFYUI  # noqa: E402
from PIL import Image  # noqa: E402

from comfyui_server import Client, Server, ServerError, make_base_directory  # noqa: E402

PACK = "colorizediffusion"
#: Float32 on the processor, so that anyone gets these figures.
DEMONSTRATION_HOST = ("--cpu", "--fp32-unet", "--fp32-vae", "--fp32-text-enc")
#: MS-SSIM needs sides from 176 pixels; the demonstration's have 128.
DEMONSTRATION_SHORT_SIDE = 256


def demonstration() -> ModuleType:
    """Return what measures the demonstration model; it needs ComfyUI's modules."""
    return importlib.import_module("evaluate_model")


def draw_pairs(out: Path, first: int, count: int) -> dict[str, Path]:
    """Draw held-out pairs of the demonstration; return the folder of each kind of picture."""
    demo = demonstration()
    folders: dict[str, Path] = {}
    for number in range(first, first + count):
        for kind, picture in demo.pictures_of(demo.make_pair(number)).items():
            folders[kind] = out / "pictures" / kind
            folders[kind].mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folders[kind] / f"{number:04d}.png")
    return folders


def leaks(folders: dict[str, Path], results: Path, name: str) -> float:
    """Return how much of a result's character has taken a colour from behind, its own or the reference's."""

    def read(folder: Path) -> np.ndarray:
        return np.asarray(Image.open(folder / f"{name}.png"))

    demo, labels = demonstration(), read(folders["labels"])
    parts = np.zeros(labels.shape[:2], bool)
    for part in demo.PART_COLORS.values():
        parts |= (labels == part).all(-1)
    mask, reference_mask = read(folders["masks"]), read(folders["reference_masks"])
    own = main_colors(read(folders["truth"]), mask > 0)
    others = [
        main_colors(read(folders["truth"]), mask == 0),
        main_colors(read(folders["references"]), reference_mask == 0),
    ]
    return 100 * leak(read(results), parts, own, others)


def measure(
    outcome: Outcome, folders: dict[str, Path | None], options: argparse.Namespace
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure every graph's results against the truth; graph -> pair's name -> column -> value."""
    values: dict[str, dict[str, dict[str, float]]] = {}
    for graph, results in outcome.results.items():
        words = ["--results", str(results), "--truth", str(folders["truth"])]
        for kind in ("references", "masks", "labels"):
            folder = folders.get(kind)
            if folder is not None and folder.is_dir():
                words += [f"--{kind}", str(folder)]
        report = evaluate(evaluation_options([*words, *options.evaluate]))
        values[graph] = {found.name: dict(measured) for found, measured in report.pictures}
    return values


def add_demonstration_measures(values: dict[str, dict[str, dict[str, float]]], out: Path, folders: dict) -> None:
    """Add the mean over the four parts that have one right colour each, and the leak."""
    colors = [f"delta_e_#{bytes(color).hex()}" for color in demonstration().PART_COLORS.values()]
    for graph, of_graph in values.items():
        for name, measured in of_graph.items():
            found = [measured[color] for color in colors if color in measured]
            measured["delta_e_parts"] = float(np.mean(found))
            measured["leak"] = leaks(folders, out / graph, name)


@contextmanager
def server_for(options: argparse.Namespace) -> Iterator[Client]:
    """Give the ComfyUI that runs at --url, or start one and end it."""
    if options.url:
        yield Client(options.url)
        return
    if not (COMFYUI / "main.py").is_file():
        raise ColorizeError(f"No ComfyUI in {COMFYUI}; run `make setup`, set COMFYUI_PATH to yours, or give `--url`.")
    log, host = options.out / "server.log", options.host_args
    if options.published:
        print(f"compare: starting {COMFYUI}; its log is {log}", file=sys.stderr)
        with Server(COMFYUI, options.base_directory or COMFYUI, host, log_file=log) as server:
            yield server
        return
    with tempfile.TemporaryDirectory() as folder:
        base = make_base_directory(Path(folder), ROOT, PACK)
        with Server(COMFYUI, base, [*DEMONSTRATION_HOST, *host], log_file=log) as server:
            yield server


def compare(options: argparse.Namespace) -> str:
    """Run everything; return the page."""
    options.out.mkdir(parents=True, exist_ok=True)
    graphs = read_graphs(options.graphs or GRAPHS / ("published" if options.published else "demonstration"))
    if options.only:
        graphs = {name: graph for name, graph in graphs.items() if any(word in name for word in options.only)}
        if not graphs:
            raise ColorizeError(f"`--only` is {', '.join(options.only)}; expected a part of a graph's file name.")
    folders: dict[str, Path | None] = {option: getattr(options, option) for option in (*OPTIONS.values(), "labels")}
    if not options.published:
        folders = dict(draw_pairs(options.out, options.first, options.pairs))
    ways = {"masks": use_masks, "reference_masks": use_reference_masks, "backgrounds": use_backgrounds}
    for name in graphs:
        use_files(graphs[name], options.use)
        for option, way in ways.items():
            if folders.get(option):
                graphs[name] = way(graphs[name])
    pairs, notes = find_pairs(folders)
    with server_for(options) as server:
        outcome = colour(server, graphs, pairs, options.out, options.seed, in_turn=not options.published)
    return report(outcome, pairs, notes, folders, options)


def report(outcome: Outcome, pairs: list[Pair], notes: list[str], folders: dict, options: argparse.Namespace) -> str:
    """Draw the sheet, measure where there is truth, and write the page; refuse where no graph ran."""
    lines = [f"{len(pairs)} pairs, seeds from {options.seed}; results in {options.out}"]
    if outcome.results:
        draw_sheet(pairs[: options.rows], outcome.results, options.side).save(options.out / "sheet.png")
        if folders.get("truth"):
            values = measure(outcome, folders, options)
            if not options.published:
                add_demonstration_measures(values, options.out, folders)
            lines += ["", tables(values, outcome, COLUMNS if options.published else DEMONSTRATION)]
            found = {"values": values, **{key: value for key, value in asdict(outcome).items() if key != "results"}}
            (options.out / "table.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    sentences = [f"*{caption(name)}* did not run. {why}" for name, why in outcome.skipped.items()] + notes
    if sentences:
        lines += ["", *(f"- {sentence}" for sentence in sentences)]
    page = "\n".join(lines)
    (options.out / "table.md").write_text(page + "\n", encoding="utf-8")
    if not outcome.results:
        raise ColorizeError(f"none of the graphs ran.\n{page}")
    return page


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="where results, sheet and table go")
    add("--published", action="store_true", help="your own pictures, with published models")
    add("--url", help="a ComfyUI that runs, such as http://127.0.0.1:8188; its input folder gets the pictures")
    for option, what in (
        ("drawings", "dark lines on white paper, any size"),
        ("references", "what each is coloured by, by the same names; or one picture for all"),
        ("truth", "the right pictures, by the same names"),
        ("masks", "white on the drawings' characters, by the same names: no segmenter is needed for them then"),
        ("reference-masks", "white on the references' characters, likewise"),
        ("backgrounds", "pictures to go behind the characters, or one for all; else the reference's own background"),
        ("labels", "pictures in which each colour is a region, for the table"),
    ):
        add(f"--{option}", type=Path, metavar="DIR", help=what)
    add("--graphs", type=Path, metavar="DIR", help="graphs of your own, as Export (API) writes them")
    add("--only", action="append", metavar="WORD", help="graphs whose file names have this word; may be given again")
    add("--use", action="append", default=[], metavar="FILE=YOURS", help="a model file in the place of another")
    add("--seed", type=int, default=0, help="of the first pair; the next pairs have the next seeds (default: 0)")
    add("--pairs", type=int, default=32, metavar="N", help="of the demonstration (default: 32)")
    add("--first", type=int, default=0, metavar="N", help="the demonstration's first pair (default: 0)")
    add("--rows", type=int, default=16, metavar="N", help="pairs on the sheet (default: 16)")
    add("--side", type=int, metavar="PX", help="of a picture on the sheet (default: 144, published 320)")
    add("--host-args", default="", metavar="ARGS", help="arguments of the ComfyUI that is started, as one word")
    add("--base-directory", type=Path, metavar="DIR", help="its models, input and output; its own folder unless given")
    add("--evaluate", default="", metavar="ARGS", help="options of benchmarks/evaluate.py, as one word")
    options = parser.parse_args(arguments)
    pictures = [option for option in (*OPTIONS.values(), "labels") if getattr(options, option)]
    if options.published and not (options.drawings and options.references):
        parser.error("--published needs --drawings and --references.")
    if not options.published and (pictures or options.url or options.base_directory):
        parser.error("the demonstration draws its own pictures and starts its own ComfyUI: --published takes yours.")
    if min(options.pairs, options.rows) < 1 or options.first < 0 or options.seed < 0:
        parser.error("--pairs and --rows are at least 1, --first and --seed at least 0.")
    if not all("=" in word for word in options.use):
        parser.error("--use is FILE=YOURS, as in v1-5-pruned-emaonly-fp16.safetensors=mine.safetensors.")
    options.use = dict(word.split("=", 1) for word in options.use)
    options.side = options.side or (320 if options.published else 144)
    options.host_args, options.evaluate = shlex.split(options.host_args), shlex.split(options.evaluate)
    if not options.published:
        options.evaluate = ["--short-side", str(DEMONSTRATION_SHORT_SIDE), *options.evaluate]
    return options


def main() -> None:
    options = parse()
    try:
        print(compare(options))
    except (ColorizeError, ServerError) as error:
        sys.exit(f"compare: {error}")
    except aiohttp.ClientError as error:
        sys.exit(
            f"compare: {options.url or 'the ComfyUI that was started'} does not answer ({error}); start it, or look "
            "at its log."
        )
    except KeyboardInterrupt:
        print(f"\ncompare: stopped; what was coloured lies in {options.out}.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
