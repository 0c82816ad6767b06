"""Measure Track Regions on moving shots whose right colours are known: python demo/evaluate_tracks.py

A shot is one character moving from a pose to another; every frame has gaps, and colours and noise drawn anew. Judged
are the character's pixels off the lines, base or shadow alike: a pixel's part is that of its swatch.

Change, in per cent: for each shape of the character and each two neighbouring frames, how its visible pixels are shared
out among parts is compared; what share must have gone from one to another at the least (half the sum of the absolute
differences) counts with the shape's pixels in the later frame, summed and divided by all of them. The right answer
scores 0, for each of its shapes is one part; so does what is always wrong in the same way.

Right, in per cent: judged pixels that have a swatch of the right part, in all frames.

Tracked, in per cent of the regions that lie mostly on the character: a region's shape is the one that most of its
pixels belong to, a track's the one that most of its pixels in the whole shot belong to. A region is right where its
track's shape is its own and the track is that shape's main one, which has the most of its pixels in the shot; a region
that is not its shape's largest in its frame has been cut off, and its track need not be the main one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from comfy_path import import_core
from evaluate_flats import CLOSE_GAP, as_image, swatches
from flat_scenes import FlatScene, flat_scene
from measure import bootstrap
from moving_scenes import SHOTS, shot_poses

finish_flats = import_core("finish.flats")
line_regions = import_core("finish.line_regions")
shot_tracks = import_core("finish.shot_tracks")

FRAMES = 16
GAPS, BAD_GAPS = "8 px", "24 px"
#: What is measured, and what the table says of it.
KINDS = {"each": "a drawing a frame", "twos": "on twos", "bad": "one bad frame"}
WAYS = ("Flats", "Flats and Track Regions")


@dataclass(frozen=True)
class ShotScore:
    """Of one shot and one way, in per cent; tracked is NaN without tracks."""

    change: float
    right: float
    tracked: float


def shot_frames(seed: int, kind: str, frames: int = FRAMES, size: int = 512, shading: float = 0.35) -> list[FlatScene]:
    """Draw a shot: of `KINDS`; the bad frame, somewhere in the middle, has gaps of `BAD_GAPS`."""
    poses = shot_poses(seed, frames, on_twos=kind == "twos")
    bad = int(np.random.default_rng([seed, 41]).integers(1, frames - 1)) if kind == "bad" else -1
    scenes: list[FlatScene] = []
    for index, pose in enumerate(poses):
        scene = flat_scene(seed, size, BAD_GAPS if index == bad else GAPS, shading, pose, index)
        if kind == "twos" and index % 2:  # the drawing is held, its colours are new
            scene = FlatScene(**{**vars(scene), "drawing": scenes[-1].drawing, "ink": scenes[-1].ink})
        scenes.append(scene)
    return scenes


def changed(scenes: list[FlatScene], found: list[np.ndarray]) -> float:
    """Return `change` in per cent; found: the part [N, N] that each pixel has got, in each frame."""
    moved, pixels, before = 0.0, 0, None
    shapes, parts = 256, 1 + max(int(frame.max()) for frame in found)
    for scene, frame in zip(scenes, found, strict=True):
        judged = (scene.parts > 0) & ~scene.ink
        place = scene.shapes[judged].astype(np.int64) * parts + frame[judged]
        counts = np.bincount(place, minlength=shapes * parts).reshape(shapes, parts)
        total = counts.sum(axis=1)
        share = counts / np.maximum(total, 1)[:, None]
        if before is not None:
            both = (total > 0) & (before[1] > 0)
            moved += float((np.abs(share - before[0]).sum(axis=1) / 2 * total)[both].sum())
            pixels += int(total[both].sum())
        before = share, total
    return 100 * moved / max(pixels, 1)


def tracked(scenes: list[FlatScene], regions: list) -> float:
    """Return the regions in the right track, in per cent."""
    pixels: dict[tuple[int, int], int] = {}
    rows = []
    for scene, frame in zip(scenes, regions, strict=True):
        filled, track = frame.filled[0].numpy(), frame.tables[0].track
        counts = np.bincount((filled.astype(np.int64) * 256 + scene.shapes).ravel(), minlength=len(track) * 256)
        counts = counts.reshape(len(track), 256)
        character = np.bincount(filled.ravel(), (scene.parts > 0).ravel(), minlength=len(track))
        area, shape = counts.sum(axis=1), counts.argmax(axis=1)
        own = counts.max(axis=1)
        largest = np.zeros(256, dtype=np.int64)
        judged = np.flatnonzero((character > area / 2) & (area > 0))
        judged = judged[judged > 0]
        np.maximum.at(largest, shape[judged], own[judged])
        for region in range(1, len(track)):
            for number in np.flatnonzero(counts[region]).tolist():
                key = int(track[region]), number
                pixels[key] = pixels.get(key, 0) + int(counts[region, number])
        rows += [(int(track[r]), int(shape[r]), bool(own[r] == largest[shape[r]])) for r in judged.tolist()]
    of_track: dict[int, tuple[int, int]] = {}
    of_shape: dict[int, tuple[int, int]] = {}
    for (number, shape), count in sorted(pixels.items()):
        of_track[number] = max(of_track.get(number, (0, -1)), (count, shape))
        of_shape[shape] = max(of_shape.get(shape, (0, -1)), (count, number))
    good = [of_track[t][1] == shape and (of_shape[shape][1] == t or not largest) for t, shape, largest in rows]
    return 100 * float(np.mean(good))


def score(scenes: list[FlatScene]) -> dict[str, ShotScore]:
    """Score both ways on one shot."""
    palette, parts = swatches(scenes[0])
    gap = round(CLOSE_GAP * len(scenes[0].drawing) / 1024)
    shot, frames, alone = shot_tracks.ShotTracks(palette), [], []
    for scene in scenes:
        frames.append(line_regions.find_regions(as_image(scene.drawing), line_regions.RegionChoice(close_gap=gap)))
        shot.add(as_image(scene.picture), frames[-1])
        ballot = shot.ballots[-1]  # what Flats would do with the same votes
        swatch = finish_flats.elect(ballot.votes, shot.candidates, shot.families, ballot.around)[0]
        alone.append(swatch[frames[-1].filled[0].numpy()])
    elected = zip(frames, shot.elected(), strict=True)
    together = [shot_tracks.paint_tracks(frame, palette, found, shot.toned) for frame, found in elected]
    painted = [frame.paint[0].numpy() for frame in together]
    judged = [(scene.parts > 0) & ~scene.ink for scene in scenes]
    scores = {}
    for way, swatch in zip(WAYS, (alone, painted), strict=True):
        found = [parts[frame] for frame in swatch]
        right = [(part == scene.parts)[where] for part, scene, where in zip(found, scenes, judged, strict=True)]
        scores[way] = ShotScore(
            change=changed(scenes, found),
            right=100 * float(np.concatenate(right).mean()),
            tracked=tracked(scenes, together) if way == WAYS[1] else float("nan"),
        )
    return scores


def scored(count: int, first: int, kind: str, frames: int = FRAMES, size: int = 512) -> Iterator[dict[str, ShotScore]]:
    """Score shots one after another."""
    for seed in range(first, first + count):
        yield score(shot_frames(seed, kind, frames, size))


def told(values: list[float]) -> str:
    """Return mean and its 95 % interval."""
    if np.isnan(values).all():
        return "–"
    low, high = bootstrap(np.array(values))
    return f"{np.nanmean(values):.2f} ({low:.2f} … {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=32)
    parser.add_argument("--first", type=int, default=SHOTS, help="the first seed; choose settings on others")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    arguments = parser.parse_args()
    print(f"{arguments.shots} shots of {arguments.frames} frames at {arguments.size}², in per cent:\n")
    print("| shot | | changes a frame | right pixels | regions in the right track |")
    print("|---|---|---|---|---|")
    for kind in arguments.kinds:
        rows = list(scored(arguments.shots, arguments.first, kind, arguments.frames, arguments.size))
        for way in WAYS:
            columns = [told([getattr(row[way], name) for row in rows]) for name in ("change", "right", "tracked")]
            print(f"| {KINDS[kind]} | {way} | " + " | ".join(columns) + " |", flush=True)


if __name__ == "__main__":
    main()
