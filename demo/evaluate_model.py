"""Measure the demonstration model on held-out pairs, through the pack's nodes: python demo/evaluate_model.py

Each pair is a drawing and a reference of unseen characters, unseen palettes and an unseen background picture. The right
answer is the drawing's scene in the reference's colours, before the background picture.

Error of a part (hair, skin, top, bottom): ΔE (CIE76) between the mean colours over the pixels that the part fills.
Error of the background: mean ΔE of its pixels. Intervals: 95 %, bootstrap over pairs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from comfy_path import EXAMPLES
from drawing import Part
from measure import bootstrap, pixel_error, region_error, to_lab
from palettes import INKS, NEUTRAL, Style, random_style
from pipeline import Features, Pipeline, to_image
from scenes import HELD_OUT, Scene

PARTS = {"hair": Part.HAIR, "skin": Part.SKIN, "top": Part.TOP, "bottom": Part.BOTTOM}
#: In label pictures.
PART_COLORS = {"hair": (200, 80, 40), "skin": (250, 210, 180), "top": (60, 120, 200), "bottom": (70, 60, 120)}
COLUMNS = (*PARTS, "4 parts", "background")

VARIANTS = {
    "plain": Features(),
    "split": Features(split=True),
    "split + background injection": Features(split=True, injection=1.0),
    "split + background injection + style": Features(split=True, injection=1.0, style=True),
}

STYLED_VARIANTS = ("split + background injection", "split + background injection + style")
LIMIT = "autoencoder alone, on the right answer (the limit)"

BATCH = 16


@dataclass(frozen=True)
class Pair:
    """A drawing, a reference, a background picture and the right answer, all [128, 128, …] uint8."""

    drawing: np.ndarray
    mask: np.ndarray
    reference: np.ndarray
    reference_mask: np.ndarray
    background: np.ndarray
    right: np.ndarray
    parts: dict[str, np.ndarray]
    behind: np.ndarray
    lines: np.ndarray
    shade: np.ndarray


def make_pair(number: int, style: Style = NEUTRAL) -> Pair:
    """Return the held-out pair of this number."""
    seed = HELD_OUT + 10 * number
    target = Scene(character=seed, background=seed)
    other = Scene(character=seed + 1, background=seed + 1)
    mask = target.mask()
    return Pair(
        drawing=np.repeat(target.drawing()[..., None], 3, axis=2),
        mask=mask,
        reference=other.paint(seed, seed + 1, style),
        reference_mask=other.mask() == 255,
        background=target.paint_background(seed),
        right=target.paint(seed, seed, style),
        parts={name: target.part(part) for name, part in PARTS.items()},
        behind=mask == 0,
        lines=target.drawing() < 96,
        shade=target.shaded(),
    )


def colour_all(pipeline: Pipeline, pairs: list[Pair], features: Features) -> list[np.ndarray]:
    """Colour every pair; pictures in [0, 1]."""
    results: list[np.ndarray] = []
    for start in range(0, len(pairs), BATCH):
        some = pairs[start : start + BATCH]
        drawings = to_image([pair.drawing for pair in some])
        references = to_image([pair.reference for pair in some])
        backgrounds = to_image([pair.background for pair in some])
        masks = to_image([pair.mask for pair in some])
        results.extend(pipeline.colour(drawings, references, backgrounds, masks, features, seed=start).numpy())
    return results


def through_autoencoder(pipeline: Pipeline, pairs: list[Pair]) -> list[np.ndarray]:
    """Encode and decode every pair's right answer; pictures in [0, 1]."""
    return list(pipeline.roundtrip(to_image([pair.right for pair in pairs])).numpy())


def errors(pairs: list[Pair], results: list[np.ndarray]) -> np.ndarray:
    """Return the errors [N, 6] in the order of `COLUMNS`."""
    rows = []
    for pair, result in zip(pairs, results, strict=True):
        lab, right = to_lab(result), to_lab(pair.right / 255)
        parts = [region_error(lab, right, region) for region in pair.parts.values()]
        rows.append([*parts, float(np.nanmean(parts)), pixel_error(lab, right, pair.behind)])
    return np.array(rows)


def guesses(pairs: list[Pair]) -> dict[str, list[np.ndarray]]:
    """Return what needs no model: grey, and the mean colours of the reference's character and of the background."""

    def means(pair: Pair) -> np.ndarray:
        character = pair.reference[pair.reference_mask].mean(axis=0)
        background = pair.background.reshape(-1, 3).mean(axis=0)
        return np.where(pair.behind[..., None], background, character) / 255

    return {
        "mid-grey": [np.full((128, 128, 3), 0.5) for _ in pairs],
        "mean colour of the reference's character / of the background picture": [means(pair) for pair in pairs],
    }


def style_errors(pairs: list[Pair], results: list[np.ndarray]) -> np.ndarray:
    """Return [N, 3]: mean ΔE of the lines' pixels, of the shaded sides' and of all the character's."""
    rows = []
    for pair, result in zip(pairs, results, strict=True):
        lab, right = to_lab(result), to_lab(pair.right / 255)
        rows.append([pixel_error(lab, right, region) for region in (pair.lines, pair.shade, pair.mask == 255)])
    return np.array(rows)


def table(columns: tuple[str, ...], rows: dict[str, np.ndarray]) -> str:
    """Write a Markdown table of means, with intervals in the last column."""
    lines = ["| | " + " | ".join(columns) + f" | 95 % of {columns[-1]} |", "|---" * (len(columns) + 2) + "|"]
    for name, values in rows.items():
        low, high = bootstrap(values[:, -1])
        means = " | ".join(f"{mean:.1f}" for mean in np.nanmean(values, axis=0))
        lines.append(f"| {name} | {means} | {low:.1f} … {high:.1f} |")
    return "\n".join(lines)


def gain(name: str, before: np.ndarray, after: np.ndarray) -> str:
    """Say by how much an error falls, pair by pair."""
    low, high = bootstrap(before - after)
    return f"- {name}: {np.nanmean(before - after):.1f} ({low:.1f} … {high:.1f})"


def pictures_of(pair: Pair) -> dict[str, np.ndarray]:
    """Return a pair's pictures, [128, 128, 3] or [128, 128] uint8, by kind.

    `labels` has a colour a part, `PART_COLORS`; white is the background, and black is what is left, lines most of all.
    """
    labels = np.where(pair.behind[..., None], np.uint8(255), np.zeros_like(pair.right))
    for name, region in pair.parts.items():
        labels[region] = PART_COLORS[name]
    return {
        "drawings": pair.drawing,
        "references": pair.reference,
        "backgrounds": pair.background,
        "truth": pair.right,
        "masks": pair.mask,
        "reference_masks": pair.reference_mask.astype(np.uint8) * 255,
        "labels": labels,
    }


def write_pictures(pipeline: Pipeline, count: int, first: int, folder: Path) -> None:
    """Write results, with split attention and background injection, and what belongs to them, one folder a kind."""
    pairs = [make_pair(first + number) for number in range(count)]
    results = colour_all(pipeline, pairs, VARIANTS[STYLED_VARIANTS[0]])
    for number, (pair, result) in enumerate(zip(pairs, results, strict=True), first):
        kinds = pictures_of(pair)
        pictures = {"results": (result * 255).round().clip(0, 255).astype(np.uint8)}
        pictures |= {kind: kinds[kind] for kind in ("truth", "references", "masks", "labels")}
        for kind, picture in pictures.items():
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / kind / f"{number:04d}.png")


def evaluate(
    pipeline: Pipeline, count: int, first: int = 0, say: Callable[[str], None] = logging.info
) -> dict[str, np.ndarray]:
    """Return the errors of every row of the table."""
    pairs = [make_pair(first + number) for number in range(count)]
    rows = {name: errors(pairs, results) for name, results in guesses(pairs).items()}
    rows[LIMIT] = errors(pairs, through_autoencoder(pipeline, pairs))
    for name, features in VARIANTS.items():
        say(f"{name}: {count} pairs")
        rows[name] = errors(pairs, colour_all(pipeline, pairs, features))
    return rows


def styles_of(count: int, first: int = 0) -> list[Style]:
    """Return the style of each pair that `evaluate_style` measures."""
    return [random_style(HELD_OUT + first + number) for number in range(count)]


def evaluate_style(pipeline: Pipeline, count: int, first: int = 0) -> dict[str, np.ndarray]:
    """Return the errors on pairs whose reference has coloured lines, shading or both."""
    pairs = [make_pair(first + number, style) for number, style in enumerate(styles_of(count, first))]
    rows = {LIMIT: style_errors(pairs, through_autoencoder(pipeline, pairs))}
    return rows | {name: style_errors(pairs, colour_all(pipeline, pairs, VARIANTS[name])) for name in STYLED_VARIANTS}


def by_ink(styled: dict[str, np.ndarray], styles: list[Style]) -> str:
    """Write a Markdown table of the errors of shaded sides, one column an ink."""
    inks = [ink for ink in INKS if any(style.ink == ink for style in styles)]
    chosen = {ink: np.array([style.ink == ink for style in styles]) for ink in inks}
    titles = " | ".join(f"{ink} ({chosen[ink].sum()})" for ink in inks)
    lines = [f"| shaded sides, by ink (pairs) | {titles} |", "|---" * (len(inks) + 1) + "|"]
    for name, values in styled.items():
        lines.append(f"| {name} | " + " | ".join(f"{np.nanmean(values[chosen[ink], 1]):.1f}" for ink in inks) + " |")
    return "\n".join(lines)


def report(rows: dict[str, np.ndarray], styled: dict[str, np.ndarray], styles: list[Style]) -> str:
    """Write the tables and the gains."""
    background = {name: values[:, -1] for name, values in rows.items()}
    plain, split, injected, _ = (background[name] for name in VARIANTS)
    before, after = (styled[name] for name in STYLED_VARIANTS)
    return "\n".join(
        [
            table(COLUMNS, rows),
            "",
            "The background's error falls, pair by pair, by",
            "",
            gain("plain to split", plain, split),
            gain("split to split + background injection", split, injected),
            "",
            "References in other styles (line colour, shading):",
            "",
            table(("lines", "shaded sides", "character"), styled),
            "",
            gain("style, on lines", before[:, 0], after[:, 0]),
            gain("style, on shaded sides", before[:, 1], after[:, 1]),
            gain("style, on the whole character", before[:, 2], after[:, 2]),
            "",
            by_ink(styled, styles),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=EXAMPLES / "colorize-demo.safetensors")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first pair; choose settings on others than 0 … 63"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all errors to this file too")
    parser.add_argument(
        "--pictures", type=Path, help="measure nothing: write results, truth and more here, for benchmarks/evaluate.py"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipeline = Pipeline(arguments.checkpoint)
    if arguments.pictures:
        write_pictures(pipeline, arguments.pairs, arguments.first, arguments.pictures)
        return
    rows = evaluate(pipeline, arguments.pairs, arguments.first, print)
    styled = evaluate_style(pipeline, arguments.pairs, arguments.first)
    digest = hashlib.sha256(arguments.checkpoint.read_bytes()).hexdigest()[:12]
    print(f"\n{arguments.pairs} pairs from {arguments.first}, checkpoint {digest}\n")
    print(report(rows, styled, styles_of(arguments.pairs, arguments.first)))
    if arguments.json:
        numbers = {
            name: values.tolist() for name, values in (rows | {f"styled: {n}": v for n, v in styled.items()}).items()
        }
        arguments.json.write_text(json.dumps(numbers))


if __name__ == "__main__":
    main()
