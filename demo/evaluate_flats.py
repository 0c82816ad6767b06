"""Measure Line Regions and Flats on drawings whose right colours are known: python demo/evaluate_flats.py

Right is a pixel of the character, off the lines, that has a swatch of the right part; base or shadow is not judged. Two
ways that need no regions stand beside it: the nearest swatch for each pixel, and the same with its choice smoothed over
a hundred and twenty-eighth of the picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, uniform_filter

from comfy_path import EXAMPLES, import_core
from flat_scenes import GAPS, FlatScene, flat_scene
from measure import bootstrap
from pipeline import to_image
from scenes import HELD_OUT

color = import_core("finish.color")
finish_flats = import_core("finish.flats")
line_regions = import_core("finish.line_regions")
palettes = import_core("finish.palette")

#: One setting for all columns: gaps up to so many pixels at 1024² are closed. Two of 24 may lie side by side.
CLOSE_GAP = 40
#: How much darker the shaded side of a part is, and what the table says of it.
SHADINGS = {0.0: "One swatch a part", 0.35: "A swatch and its shadow a part"}
#: Pixels from a line up to which a wrong colour is a fringe.
FRINGE = 3
#: Seeds that no setting was chosen on.
FIRST = HELD_OUT + 20_000


@dataclass(frozen=True)
class FlatScore:
    """Of one scene, in per cent: right pixels, and wrong ones beside a line; and seconds."""

    right: float
    fringe: float
    seconds: float


def swatches(scene: FlatScene) -> tuple[object, np.ndarray]:
    """Return the scene's palette, and the part [S + 1] that each swatch belongs to; the last is paper."""
    found, parts = [], []
    for part, (base, shadow) in scene.palette.items():
        name = part.name.lower()
        found.append(palettes.Swatch(name, tuple(base.tolist())))
        parts.append(int(part))
        if (shadow != base).any():
            found.append(palettes.Swatch(f"{name} shadow", tuple(shadow.tolist()), "shadow", name))
            parts.append(int(part))
    return palettes.Palette(tuple(found)), np.array([*parts, 0])


def as_image(picture: np.ndarray) -> torch.Tensor:
    """Return [1, N, N, 3] in [0, 1]."""
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    return to_image([rgb])


def by_flats(scene: FlatScene, picture: torch.Tensor, unsure: str = "vote") -> np.ndarray:
    """Return the part of each pixel by regions and votes."""
    palette, parts = swatches(scene)
    gap = round(CLOSE_GAP * len(scene.drawing) / 1024)
    regions = line_regions.find_regions(as_image(scene.drawing), line_regions.RegionChoice(close_gap=gap))
    flats = finish_flats.make_flats(picture, regions, palette, finish_flats.FlatChoice(unsure=unsure))
    return parts[flats.regions.paint[0].numpy()]


def by_pixels(scene: FlatScene, picture: torch.Tensor, smooth: bool = False) -> np.ndarray:
    """Return the part of each pixel by its nearest swatch."""
    palette, parts = swatches(scene)
    size = len(scene.drawing)
    lab = color.to_lab(finish_flats.resize_picture(picture, size, size)[0])
    white = color.to_lab(torch.ones(1, 3))
    nearest = torch.cdist(lab.reshape(-1, 3), torch.cat([palette.lab, white])).argmin(dim=1).numpy()
    found = parts[nearest].reshape(size, size)
    if not smooth:
        return found
    kinds = np.unique(parts)
    shares = [uniform_filter((found == kind).astype(np.float32), size // 128) for kind in kinds]
    return kinds[np.argmax(shares, axis=0)]


WAYS: dict[str, Callable[[FlatScene, torch.Tensor], np.ndarray]] = {
    "nearest swatch for each pixel": by_pixels,
    "the same, smoothed": lambda scene, picture: by_pixels(scene, picture, smooth=True),
    "Line Regions and Flats": by_flats,
    "the same, unsure regions by pixels": lambda scene, picture: by_flats(scene, picture, "pixels"),
}


def score(scene: FlatScene, picture: torch.Tensor, way: str) -> FlatScore:
    """Score one way on one scene."""
    start = time.perf_counter()
    found = WAYS[way](scene, picture)
    seconds = time.perf_counter() - start
    judged = (scene.parts > 0) & ~scene.ink
    beside = judged & (distance_transform_edt(~scene.ink) <= FRINGE)
    right = found == scene.parts
    return FlatScore(100 * right[judged].mean(), 100 * (1 - right[beside].mean()), seconds)


def simulated(count: int, first: int, size: int, gaps: str, shading: float) -> Iterator[dict[str, FlatScore]]:
    """Score every way on scenes with a picture that is made out to be a colourizer's."""
    for seed in range(first, first + count):
        scene = flat_scene(seed, size, gaps, shading)
        yield {way: score(scene, as_image(scene.picture), way) for way in WAYS}


def coloured(count: int, first: int, checkpoint: Path) -> Iterator[dict[str, FlatScore]]:
    """Score every way on the demonstration model's own pictures, 128² for drawings of 1024²."""
    from evaluate_model import VARIANTS, colour_all, make_pair
    from pipeline import Pipeline

    pipeline = Pipeline(checkpoint)
    numbers = range((first - HELD_OUT) // 10, (first - HELD_OUT) // 10 + count)
    pairs = [make_pair(number) for number in numbers]
    for number, picture in zip(numbers, colour_all(pipeline, pairs, VARIANTS["split"]), strict=True):
        scene = flat_scene(HELD_OUT + 10 * number, shading=0.0)
        yield {way: score(scene, torch.from_numpy(picture)[None], way) for way in WAYS}


def table(columns: dict[str, list[dict[str, FlatScore]]]) -> str:
    """Write a Markdown table: right pixels in per cent, mean and worst; a row a way."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for way in WAYS:
        cells = []
        for scores in columns.values():
            right = np.array([row[way].right for row in scores])
            cells.append(f"{right.mean():.1f} ({right.min():.1f})")
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=16, help="of each column")
    parser.add_argument("--first", type=int, default=FIRST, help="the first seed; choose settings on others")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--checkpoint", type=Path, default=EXAMPLES / "colorize-demo.safetensors")
    parser.add_argument("--no-model", action="store_true", help="leave out the demonstration model's pictures")
    arguments = parser.parse_args()
    for shading, told in SHADINGS.items():
        columns = {
            f"gaps: {gaps}": list(simulated(arguments.scenes, arguments.first, arguments.size, gaps, shading))
            for gaps in GAPS
        }
        print(f"{told}: right pixels in %, mean (worst) of {arguments.scenes} scenes at {arguments.size}²:\n")
        print(table(columns))
        flats = "Line Regions and Flats"
        fringe = np.array([row[flats].fringe for row in columns["gaps: none"]])
        low, high = bootstrap(fringe)
        print(f"\nWrong within {FRINGE} px of a line, no gaps: {fringe.mean():.2f} % ({low:.2f} … {high:.2f}).")
        seconds = [row[flats].seconds for scores in columns.values() for row in scores]
        print(f"Regions and flats: {np.mean(seconds):.2f} s.\n", flush=True)
    if not arguments.no_model:
        print(f"\nThe demonstration model's pictures (128² for drawings of 1024²), {arguments.scenes} scenes:\n")
        print(table({"right": list(coloured(arguments.scenes, arguments.first, arguments.checkpoint))}))


if __name__ == "__main__":
    main()
