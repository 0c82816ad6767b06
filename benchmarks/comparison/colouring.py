"""Pairs through graphs on a server: results in a folder a graph, and the seconds that each took."""

from __future__ import annotations

import copy
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from evaluation.pictures import STRETCH, size_of
from PIL import Image
from tqdm import tqdm

from comfyui_server import Client, Server, ServerError
from workflow_prompt import Prompt

from .graph_files import lacking, loads, set_seed, set_size
from .pairs import OPTIONS, Pair

SUBFOLDER = "colorize-compare"
#: Letters of a server's message.
TOLD = 600


@dataclass
class Outcome:
    """What became of the graphs.

    Attributes:
        results: graph -> folder of its pictures. seconds: graph -> pair's name -> seconds that the server took.
        processor: the same in seconds of its processor, where the server is this program's own.
        skipped: graph -> why it did not run, in whole sentences.
    """

    results: dict[str, Path] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    processor: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def choose(graphs: dict[str, Prompt], given: set[str], object_info: dict[str, Any], outcome: Outcome) -> list[str]:
    """Return the graphs that can run; why others cannot goes into the outcome.

    Args:
        given: titles of the pictures that every pair has.
    """
    for name, prompt in graphs.items():
        open_ = sorted(loads(prompt).keys() - given)
        sentences = [f"It wants a picture for {title}: give {option_of(title)}." for title in open_]
        sentences += lacking(prompt, object_info)
        if sentences:
            outcome.skipped[name] = " ".join(sentences)
    return [name for name in graphs if name not in outcome.skipped]


def option_of(title: str) -> str:
    """Return the option that gives the pictures of nodes with this title."""
    if title in OPTIONS:
        return f"--{OPTIONS[title].replace('_', '-')}"
    return f"the node one of the titles {', '.join(OPTIONS)}"


def colour(
    server: Client, graphs: dict[str, Prompt], pairs: list[Pair], out: Path, seed: int, in_turn: bool
) -> Outcome:
    """Run every graph on every pair.

    Pictures are handed to the server anew for every graph, so that none finds another's work done; loaded models stay.

    Args:
        out: results go to `out/GRAPH/NAME.png`.
        in_turn: all graphs on a pair before the next, so that what else the machine does falls on all of them; else
            all pairs through a graph, so that large models are loaded once.
    """
    outcome = Outcome()
    given = set.intersection(*(set(pair.pictures) for pair in pairs))
    left = choose(graphs, given, server.get("/object_info"), outcome)
    jobs = [(name, number) for number in range(len(pairs)) for name in left]
    if not in_turn:
        jobs.sort(key=lambda job: left.index(job[0]))
    for name, number in tqdm(jobs, desc="pictures", unit="", file=sys.stderr):
        if name in outcome.skipped:
            continue
        pair = pairs[number]
        try:
            picture = run_one(server, graphs[name], name, pair, seed + number, outcome)
        except ServerError as error:
            outcome.skipped[name] = f"It stopped at {pair.name}: {str(error).splitlines()[0][:TOLD]}"
            continue
        file = out / name / f"{pair.name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file)
        outcome.results[name] = out / name
    for name in outcome.skipped:
        outcome.results.pop(name, None)
    return outcome


def run_one(server: Client, graph: Prompt, name: str, pair: Pair, seed: int, outcome: Outcome) -> Image.Image:
    """Colour one pair; return the picture in the drawing's proportions."""
    prompt = copy.deepcopy(graph)
    for title, number in loads(prompt).items():
        path = pair.pictures[title]
        stored = f"{name}-{title}-{pair.name}{path.suffix}".replace("/", "-").replace(" ", "-")
        prompt[number]["inputs"]["image"] = server.upload_image(path, stored, SUBFOLDER)
    height, width = size_of(pair.pictures["Drawing"])
    set_size(prompt, height, width)
    set_seed(prompt, seed)
    before = processor_seconds(server)
    run = server.run(prompt)
    after = processor_seconds(server)
    if run.seconds is not None:
        outcome.seconds.setdefault(name, {})[pair.name] = run.seconds
    if before is not None and after is not None:
        outcome.processor.setdefault(name, {})[pair.name] = after - before
    files = server.fetch_images(run)
    if len(files) != 1:
        raise ServerError(f"the graph saved {len(files)} pictures; expected one Save Image.")
    picture = Image.open(io.BytesIO(files[0])).convert("RGB")
    if abs(picture.width * height / (picture.height * width) - 1) > STRETCH / 2:
        # A canvas in steps of 64 has stretched the drawing.
        share = ((picture.width * picture.height) / (width * height)) ** 0.5
        picture = picture.resize((round(width * share), round(height * share)), Image.Resampling.LANCZOS)
    return picture


def processor_seconds(server: Client) -> float | None:
    """Return the processor time that the server's process has taken; None where it is not this program's own."""
    if not isinstance(server, Server):
        return None
    times = psutil.Process(server.process_id).cpu_times()
    return float(times.user + times.system)
