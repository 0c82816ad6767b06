"""What Line Regions and Flats cost, as a ratio to one Euclidean distance transform of the same drawing.

    .venv/bin/python benchmarks/finish.py [--sides 1024 2048 4096 8192] [--repeats 3] [--threads 2]
    .venv/bin/python benchmarks/finish.py --shots 12 48      # Track Regions, of so many frames at 1024²

The drawing is one of demo/flat_scenes.py, side by side as often as the size asks for; no ComfyUI is needed. Each size
runs in a process of its own; its highest memory beyond what it had before is told. The fastest of the repeats counts,
which other load on the machine disturbs least; the processor's time, summed over threads, stands beside it.

A shot is that drawing, moved by a few pixels from frame to frame; its regions are found, tracked and painted, and Flats
made with the tracks' swatches, each frame once. Memory is told beside what the regions themselves take.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "demo"))

#: Side of the drawing that is repeated.
SCENE = 1024
#: Pixels by which the drawing of a shot moves from frame to frame.
STEP = 3
SEED = 1_020_000


def seconds(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Time one run: seconds passed, seconds of processor time over all threads, and its result."""
    passed, processor = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - passed, time.process_time() - processor, result


def resident() -> float:
    """Return the most memory that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def measure(side: int, repeats: int, threads: int) -> dict[str, float]:
    """Measure one size in this process."""
    import numpy as np
    import torch
    from scipy.ndimage import distance_transform_edt

    from comfy_path import import_core
    from evaluate_flats import swatches
    from flat_scenes import flat_scene

    torch.set_num_threads(threads)
    line_regions, flats = import_core("finish.line_regions"), import_core("finish.flats")
    scene = flat_scene(SEED, SCENE, "8 px")
    often = -(-side // SCENE)
    drawing, picture = (
        torch.from_numpy(np.tile(part, (often, often, 1))[:side, :side].astype(np.float32) / 255)[None]
        for part in (np.repeat(scene.drawing[..., None], 3, axis=2), scene.picture)
    )
    lines, (palette, _) = drawing[0, ..., 0].numpy() < 0.5, swatches(scene)
    before = resident()
    found: dict[str, list[tuple[float, float, Any]]] = {"regions": [], "flats": [], "transform": []}
    for _ in range(repeats):
        found["regions"].append(seconds(lambda: line_regions.find_regions(drawing, line_regions.RegionChoice())))
        regions = found["regions"][-1][2]
        found["flats"].append(
            seconds(lambda regions=regions: flats.make_flats(picture, regions, palette, flats.FlatChoice()))
        )
        found["flats"][-1] = (*found["flats"][-1][:2], None)
    peak = resident() - before
    for _ in range(repeats):
        found["transform"].append(seconds(lambda: distance_transform_edt(~lines)))
    best = {name: [min(run[clock] for run in runs) for clock in (0, 1)] for name, runs in found.items()}
    return {
        "regions": best["regions"][0],
        "flats": best["flats"][0],
        "processor": best["regions"][1] + best["flats"][1],
        "ratio": (best["regions"][1] + best["flats"][1]) / best["transform"][1],
        "count": len(found["regions"][-1][2].tables[0]) - 1,
        "memory": peak,
    }


def measure_shot(frames: int, threads: int) -> dict[str, float]:
    """Measure a shot in this process: seconds a frame, and memory in GB."""
    import numpy as np
    import torch

    from comfy_path import import_core
    from evaluate_flats import swatches
    from flat_scenes import flat_scene

    torch.set_num_threads(threads)
    line_regions, flats, shot_tracks, frame_stack = (
        import_core(f"finish.{name}") for name in ("line_regions", "flats", "shot_tracks", "frame_stack")
    )
    scene = flat_scene(SEED, SCENE, "8 px")
    palette, choice = swatches(scene)[0], flats.FlatChoice()

    def frame_of(page: np.ndarray, index: int) -> torch.Tensor:
        rgb = page if page.ndim == 3 else np.repeat(page[..., None], 3, axis=2)
        return torch.from_numpy(np.roll(rgb, STEP * index, axis=1).astype(np.float32) / 255)[None]

    clocks = dict.fromkeys(("regions", "tracks", "flats", "processor"), 0.0)

    def timed(name: str, work: Callable[[], Any]) -> Any:
        passed, processor, result = seconds(work)
        clocks[name] += passed / frames
        clocks["processor"] += processor / frames
        return result

    def find(index: int) -> Any:
        return line_regions.find_regions(frame_of(scene.drawing, index), line_regions.RegionChoice())

    timed("regions", lambda: find(0))  # what is loaded at the first use is no frame's
    clocks = dict.fromkeys(clocks, 0.0)
    before = resident()
    found = frame_stack.RegionStack(frames)
    for index in range(frames):
        found.add(timed("regions", lambda i=index: find(i)))
    regions = found.whole()
    shot = shot_tracks.ShotTracks(palette)
    for index in range(frames):
        timed("tracks", lambda i=index: shot.add(frame_of(scene.picture, i), regions.frame(i)))
    tracks = timed("tracks", shot.elected)
    painted = frame_stack.RegionStack(frames, regions)
    for index in range(frames):
        part = (regions.frame(index), palette, tracks[index], shot.toned)
        painted.add(timed("tracks", lambda part=part: shot_tracks.paint_tracks(*part)))
    tracked = painted.whole()
    for index in range(frames):
        timed("flats", lambda i=index: flats.make_flats(frame_of(scene.picture, i), tracked.frame(i), palette, choice))
    parts = (tracked.filled, tracked.ink, tracked.paint)
    own = sum(part.numel() * part.element_size() for part in parts)
    return {**clocks, "memory": resident() - before, "own": own / 1e9}


def told_shots(frames: list[int], threads: int) -> None:
    """Measure shots, each in a process of its own, and print the table."""
    print(
        "| frames | Line Regions, s | Track Regions, s | Flats, s | all, s | processor, s | memory, GB | regions, GB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count in frames:
        command = [sys.executable, __file__, "--one", "--shots", str(count), "--threads", str(threads)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        together = row["regions"] + row["tracks"] + row["flats"]
        print(
            f"| {count} | {row['regions']:.2f} | {row['tracks']:.2f} | {row['flats']:.2f} | {together:.2f} "
            f"| {row['processor']:.2f} | {row['memory']:.2f} | {row['own']:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--shots", type=int, nargs="+", help="measure shots of so many frames instead")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", action="store_true", help="measure the first in this process, and print JSON")
    options = parser.parse_args()
    if options.one and options.shots:
        print(json.dumps(measure_shot(options.shots[0], options.threads)))
        return
    if options.shots:
        told_shots(options.shots, options.threads)
        return
    if options.one:
        print(json.dumps(measure(options.sides[0], options.repeats, options.threads)))
        return
    print("| drawing | regions | Line Regions, s | Flats, s | processor, s | times one transform | memory, GB |")
    print("|---|---|---|---|---|---|---|")
    for side in options.sides:
        command = [sys.executable, __file__, "--one", "--sides", str(side), "--repeats", str(options.repeats)]
        command += ["--threads", str(options.threads)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"| {side}² | {row['count']} | {row['regions']:.2f} | {row['flats']:.2f} | {row['processor']:.2f} "
            f"| {row['ratio']:.1f} | {row['memory']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
