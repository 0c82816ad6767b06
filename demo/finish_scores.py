"""How well what comes after the sampler does on pictures whose right answer is known: python demo/finish_scores.py

Palettes: pictures of two kinds, as clean PNG, as JPEG, and painted softly. Right are the colours of the parts that
cover more than 0.3 % of the picture, lines and white paper left out.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from comfy_path import import_core
from drawing import Part, ellipse, smooth
from measure import difference, to_lab
from palettes import Style, colour_table, random_style
from scenes import HELD_OUT, Scene, shrink

extract = import_core("finish.extract_palette")

#: Share of the picture above which a colour has to be found.
LEAST_SHARE = 0.003
#: ΔE (CIE76) up to which it counts as found.
FOUND = 2.3
#: ΔE below which two are one colour: the node's own `merge`.
ONE_COLOUR = 4.0
KINDS = ("png", "jpeg", "painted")


@dataclass(frozen=True)
class Reference:
    """A picture [N, N, 3] uint8, and the colours [C, 3] uint8 that a person would name in it."""

    picture: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class PaletteScore:
    """Of one picture: ΔE of each right colour to the nearest swatch, swatches for each right colour, seconds."""

    errors: np.ndarray
    swatches: float
    seconds: float


def right_colours(ids: np.ndarray, colours: np.ndarray, left_out: tuple[int, ...]) -> np.ndarray:
    """Return the colours [C, 3] uint8 that cover more than `LEAST_SHARE`.

    Args:
        ids: part of each pixel, any shape. colours: [parts, 3] uint8. left_out: parts that nobody would name.
    """
    area = np.bincount(ids.ravel(), minlength=len(colours)).astype(np.float64)
    area[list(left_out)] = 0
    found, place = np.unique(colours, axis=0, return_inverse=True)
    shares = np.bincount(place.ravel(), weights=area / ids.size, minlength=len(found))
    kept: list[np.ndarray] = []
    for place in np.argsort(-shares, kind="stable")[: int((shares > LEAST_SHARE).sum())]:
        lab = to_lab(found[place] / 255)
        if all(difference(lab, to_lab(other / 255)) >= ONE_COLOUR for other in kept):
            kept.append(found[place])
    return np.array(kept)


def scene_reference(seed: int, size: int, style: Style) -> Reference:
    """A scene of the demonstration model's world."""
    scene = Scene(character=HELD_OUT + seed, background=HELD_OUT + seed + 500, size=size)
    picture = scene.paint(HELD_OUT + seed, HELD_OUT + seed + 700, style)
    table = colour_table(HELD_OUT + seed, HELD_OUT + seed + 700, style)
    ids = scene.ids.astype(np.int64)
    lines = tuple(int(Part.LINE) + half * len(table[0]) for half in range(2))
    return Reference(picture, right_colours(ids + scene.shade * len(table[0]), table.reshape(-1, 3), lines))


def cards_reference(seed: int, size: int, style: Style) -> Reference:
    """Overlapping shapes on white paper, some outlined, a white and a black one among them; shadows shift in hue.

    Nothing of it comes from the scenes: another kind of picture, so that what is tuned to one kind shows.
    """
    rng = np.random.default_rng([seed, 8])
    factor = 3
    large = size * factor
    ids = Image.new("L", (large, large))
    draw = ImageDraw.Draw(ids)
    ink = tuple(int(level) for level in rng.integers(0, 60, 3))
    colours, line_width = [(255, 255, 255), ink], rng.uniform(0.002, 0.009)
    fixed = [(252, 252, 252), (22, 20, 26)]
    for number in range(int(rng.integers(5, 10))):
        base = np.array(fixed[number]) if number < 2 else rng.integers(20, 250, 3)
        shade = np.clip(base * rng.uniform(0.6, 0.8) + rng.integers(-12, 13, 3), 0, 255).astype(int)
        colours += [tuple(int(level) for level in base), tuple(int(level) for level in shade)]
        x, y = rng.uniform(0.2, 0.8, 2)
        wide, high = rng.uniform(0.08, 0.22, 2)
        turn = rng.uniform(0, np.pi)
        outline = ellipse(x, y, wide, high, turn)
        if rng.random() < 0.5:
            outline = smooth(outline[::8] + rng.uniform(-0.04, 0.04, (5, 2)))
        points = [tuple(point) for point in outline * large]
        draw.polygon(points, fill=2 + 2 * number)
        if number != 1 and rng.random() < 0.6 + style.shading:
            cover = Image.new("L", (large, large))
            ImageDraw.Draw(cover).polygon([(px + 0.05 * large, py + 0.06 * large) for px, py in points], fill=255)
            inside = Image.new("L", (large, large))
            ImageDraw.Draw(inside).polygon(points, fill=255)
            lit = np.asarray(inside) & ~np.asarray(cover)
            ids = Image.fromarray(np.where(lit > 0, 3 + 2 * number, np.asarray(ids)).astype(np.uint8))
            draw = ImageDraw.Draw(ids)
        if number == 0 or rng.random() < 0.7:  # white parts from paper by its outline alone
            draw.line([*points, points[0], points[1]], fill=1, width=max(1, round(line_width * large)), joint="curve")
    parts, table = np.asarray(ids), np.array(colours, dtype=np.uint8)
    return Reference(shrink(table[parts], factor), right_colours(parts, table, (0, 1)))


def as_kind(picture: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Return a picture as it would come: `png` unchanged, `jpeg` of quality 85, `painted` with soft edges and texture.

    Painted: blurred by a 256th of its side, with slow noise of 3 levels of 255 in brightness and 1 in colour, and a
    grain of 1.5.
    """
    if kind == "png":
        return picture
    if kind == "jpeg":
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=85)
        return np.asarray(Image.open(file))
    size, rng = len(picture), np.random.default_rng([seed, 9])
    soft = gaussian_filter(picture.astype(np.float64), (size / 256, size / 256, 0))
    light, tint = (
        gaussian_filter(rng.normal(size=(size, size, channels)), (size / 32, size / 32, 0)) for channels in (1, 3)
    )
    painted = soft + 3 * light / light.std() + tint / tint.std() + rng.normal(0, 1.5, picture.shape)
    return np.clip(painted, 0, 255).round().astype(np.uint8)


def palette_score(reference: Reference, kind: str, seed: int) -> PaletteScore:
    """Extract a palette and compare."""
    picture = torch.from_numpy(as_kind(reference.picture, kind, seed).astype(np.float32) / 255)[None]
    start = time.perf_counter()
    palette = extract.extract_palette(picture).palette
    seconds = time.perf_counter() - start
    found, right = palette.lab.double().numpy(), to_lab(reference.right / 255)
    errors = difference(right[:, None], found[None]).min(axis=1) if len(found) else np.full(len(right), np.inf)
    return PaletteScore(errors, len(found) / len(right), seconds)


def palette_scores(make: str, kind: str, size: int, seeds: range) -> Iterator[PaletteScore]:
    """Score pictures of one sort: `make` is "scene" or "cards"."""
    for seed in seeds:
        style = random_style(seed) if kind == "painted" or seed % 3 == 0 else Style()
        makers = {"scene": scene_reference, "cards": cards_reference}
        yield palette_score(makers[make](seed, size, style), kind, seed)


def main() -> None:
    print("| pictures | file | size | found | median ΔE | swatches for each right one | worst | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for make in ("scene", "cards"):
        for kind in KINDS:
            for size in (512, 1024):
                scores = list(palette_scores(make, kind, size, range(9000, 9012)))
                errors = np.concatenate([score.errors for score in scores])
                counts, seconds = [score.swatches for score in scores], [score.seconds for score in scores]
                print(
                    f"| {make} | {kind} | {size} | {100 * np.mean(errors <= FOUND):.1f} % | {np.median(errors):.2f} "
                    f"| {np.mean(counts):.2f} | {max(counts):.2f} | {np.mean(seconds):.2f} |"
                )


if __name__ == "__main__":
    main()
