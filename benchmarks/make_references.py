"""Make the references of a validation out of the right pictures: shuffled, or deformed.

    python benchmarks/make_references.py --truth DIR --out DIR --shuffle 0    # each drawing gets another's picture
    python benchmarks/make_references.py --truth DIR --out DIR --deform 0     # each gets its own, bent

OUT then holds a reference under each drawing's name, ready for a batch of drawings by the same names, and pairs.csv,
which tells who went with whom. `--list-only` writes that file alone.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from evaluation.folders import ColorizeError, pictures_in, shuffle
from evaluation.pictures import read_picture
from PIL import Image
from scipy.interpolate import RBFInterpolator
from torch import Tensor
from tqdm import tqdm

#: The bend is worked out on a grid of so many points a side; it is smooth.
GRID = 33


def deform(picture: Tensor, rng: np.random.Generator, points: int, jitter: float) -> Tensor:
    """Bend a picture [1, H, W, 3] by a thin-plate spline through points that are moved at random.

    Points lie anywhere in the picture and move by `jitter` pixels (standard deviation in x and y); its four corners
    stay. What comes from outside repeats the edge.

    Source: Bookstein, "Principal Warps: Thin-Plate Splines and the Decomposition of Deformations", PAMI 1989.
    """
    height, width = picture.shape[1:3]
    size = np.array([width - 1, height - 1], dtype=np.float64).clip(1)
    corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], dtype=np.float64)
    placed = np.concatenate([corners, rng.uniform(-1, 1, (points, 2))])
    moved = np.concatenate([np.zeros((4, 2)), rng.normal(0, jitter, (points, 2)) * 2 / size])
    axis = np.linspace(-1, 1, GRID)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    bend = RBFInterpolator(placed, moved, kernel="thin_plate_spline", degree=1)(grid).reshape(GRID, GRID, 2)
    shift = torch.from_numpy(bend).float().movedim(-1, 0)[None]
    shift = torch.nn.functional.interpolate(shift, (height, width), mode="bicubic", align_corners=True)
    still = torch.stack(
        torch.meshgrid(torch.linspace(-1, 1, width), torch.linspace(-1, 1, height), indexing="xy"), dim=-1
    )
    bent = torch.nn.functional.grid_sample(
        picture.movedim(-1, 1), still[None] + shift.movedim(1, -1), padding_mode="border", align_corners=True
    )
    return bent.clamp(0, 1).movedim(1, -1)


def write_deformed(names: Iterable[str], truth: dict[str, Path], out: Path, options: argparse.Namespace) -> None:
    """Write every picture bent, each by a bend of its own that its place in the sorted names decides."""
    for number, name in enumerate(names):
        rng = np.random.default_rng([options.deform, number])
        bent = deform(read_picture(truth[name]), rng, options.points, options.jitter)
        path = out / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((bent[0] * 255).round().to(torch.uint8).numpy()).save(path)


def write_shuffled(names: Iterable[str], truth: dict[str, Path], out: Path, ring: dict[str, str]) -> None:
    """Copy every picture to the name of the drawing that it is to colour."""
    for name in names:
        source = truth[ring[name]]
        path = out / f"{name}{source.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, required=True, metavar="DIR", help="the right pictures")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--shuffle", type=int, metavar="SEED", help="each gets another's picture, each picture once")
    how.add_argument("--deform", type=int, metavar="SEED", help="each gets its own picture, bent")
    parser.add_argument("--points", type=int, default=10, help="of a bend (10)")
    parser.add_argument("--jitter", type=float, default=10.0, help="pixels that they move (10)")
    parser.add_argument("--list-only", action="store_true", help="write pairs.csv, and no pictures")
    options = parser.parse_args(arguments)
    try:
        truth = pictures_in(options.truth, "--truth")
        if options.out.exists() and any(options.out.iterdir()):
            raise ColorizeError(f"`--out` is {options.out}, which is not empty; expected a new or an empty folder.")
        ring = dict(zip(truth, truth, strict=True)) if options.shuffle is None else shuffle(truth, options.shuffle)
        options.out.mkdir(parents=True, exist_ok=True)
        with (options.out / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("name", "reference"), *ring.items()])
        names = tqdm(truth, desc="references", unit="") if not options.list_only else []
        if options.shuffle is None:
            write_deformed(names, truth, options.out, options)
        else:
            write_shuffled(names, truth, options.out, ring)
    except ColorizeError as error:
        sys.exit(f"make_references: {error}")
    except KeyboardInterrupt:
        sys.exit(f"\nmake_references: stopped; {options.out} holds a part of the references.")


if __name__ == "__main__":
    main()
