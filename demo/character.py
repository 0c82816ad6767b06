"""A cartoon character whose build, pose, hair and clothes come from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drawing import Canvas, Part, ellipse, limb, smooth

HAIR_STYLES = ("long", "bob", "spikes", "tails", "buns", "tail", "curls")
CLOTHES = ("trousers", "shorts", "skirt", "dress")
ACCESSORIES = ("none", "bow", "cap", "scarf", "band", "flower")


@dataclass(frozen=True)
class Pose:
    """How a character stands in one frame of a shot, beside how its seed has drawn it. Angles are in radians.

    Attributes:
        arms: for the left and the right arm of the picture, how much upper arm and forearm turn from where they are;
            positive is downwards.
        in_front: for each arm, whether it is before the body; None for as the seed has it.
        turn: of the face, in radii of the head; lean: of the body, in parts of the picture.
        stride: how much farther the feet stand apart, in parts of the picture.
        place, zoom: where the character goes, in parts of the picture, and how large it gets, from its feet.
        camera: how far the scenery moves, in parts of the picture.
    """

    arms: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))
    in_front: tuple[bool | None, bool | None] = (None, None)
    turn: float = 0.0
    lean: float = 0.0
    stride: float = 0.0
    place: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    camera: tuple[float, float] = (0.0, 0.0)


AS_DRAWN = Pose()


@dataclass(frozen=True)
class Figure:
    """Proportions and places, in parts of the picture; `x`, `y` is the middle of the head."""

    x: float
    y: float
    head: float
    chest: np.ndarray
    hip: np.ndarray
    shoulder: float
    waist: float
    foot: float
    limb: float


def _figure(rng: np.random.Generator, pose: Pose) -> Figure:
    head = rng.uniform(0.155, 0.195)
    x, y = rng.uniform(0.38, 0.62), rng.uniform(0.26, 0.31)
    lean = rng.uniform(-0.04, 0.04) + pose.lean
    chest = np.array([x + lean * 0.5, y + head * 1.05])
    hip = np.array([x + lean, chest[1] + rng.uniform(0.19, 0.24)])
    return Figure(
        x, y, head, chest, hip, rng.uniform(0.095, 0.12), rng.uniform(0.085, 0.11), rng.uniform(0.91, 0.95), 0.072
    )


def _hair_behind(canvas: Canvas, rng: np.random.Generator, f: Figure, style: str) -> None:
    x, y, r = f.x, f.y, f.head
    if style == "long":
        drop = rng.uniform(1.7, 2.4)
        left = [(x - 1.15 * r, y - 0.5 * r), (x - 1.45 * r, y + 0.6 * r), (x - 1.4 * r, y + drop * r)]
        right = [(2 * x - px, py) for px, py in reversed(left)]
        canvas.shape(smooth([(x, y - 1.2 * r), *left, (x, y + (drop - 0.2) * r), *right]), Part.HAIR)
    elif style == "bob":
        canvas.shape(
            smooth(
                [
                    (x, y - 1.2 * r),
                    (x - 1.3 * r, y - 0.2 * r),
                    (x - 1.4 * r, y + 0.95 * r),
                    (x, y + 0.9 * r),
                    (x + 1.4 * r, y + 0.95 * r),
                    (x + 1.3 * r, y - 0.2 * r),
                ]
            ),
            Part.HAIR,
        )
    elif style == "tails":
        swing = rng.uniform(0.0, 0.5)
        for side in (-1, 1):
            top = (x + side * 0.9 * r, y - 0.35 * r)
            canvas.shape(
                smooth(
                    [
                        top,
                        (x + side * 1.85 * r, y - 0.4 * r),
                        (x + side * (1.8 + swing) * r, y + 1.2 * r),
                        (x + side * 1.15 * r, y + 0.9 * r),
                    ]
                ),
                Part.HAIR,
            )
    elif style == "tail":
        side = float(rng.choice([-1, 1]))
        canvas.shape(
            smooth(
                [
                    (x + side * 0.5 * r, y - 0.8 * r),
                    (x + side * 1.7 * r, y - 0.95 * r),
                    (x + side * 1.95 * r, y + 1.1 * r),
                    (x + side * 1.25 * r, y + 0.7 * r),
                    (x + side * 0.9 * r, y),
                ]
            ),
            Part.HAIR,
        )
    elif style == "buns":
        for side in (-1, 1):
            canvas.shape(ellipse(x + side * 0.85 * r, y - 0.95 * r, 0.55 * r, 0.52 * r), Part.HAIR)
    elif style == "curls":
        for angle in np.linspace(0.85 * np.pi, 2.15 * np.pi, 9):
            middle = (x + 1.05 * r * np.cos(angle), y + 1.05 * r * np.sin(angle))
            canvas.shape(ellipse(*middle, 0.42 * r, 0.42 * r), Part.HAIR)


def _hair_front(canvas: Canvas, rng: np.random.Generator, f: Figure, style: str) -> None:
    """The fringe: a cap over the skull whose lower edge falls in strands."""
    x, y, r = f.x, f.y, f.head
    arc = np.linspace(np.pi * 0.97, np.pi * 2.03, 14)
    reach = np.full(14, 1.17)
    if style == "spikes":
        arc = np.linspace(np.pi * 0.92, np.pi * 2.08, 15)
        reach = np.where(np.arange(15) % 2 == 0, 1.12, rng.uniform(1.4, 1.6))
    crown = [(x + k * r * np.cos(a), y + k * r * np.sin(a)) for a, k in zip(arc, reach, strict=True)]
    strands = int(rng.integers(2, 4))
    depth = rng.uniform(0.02, 0.25)
    fringe = []
    for step in range(2 * strands + 1):
        along = 0.95 - 1.9 * step / (2 * strands)
        fringe.append((x + along * r, y + (0.12 if abs(along) > 0.9 else -0.5 if step % 2 else -depth) * r))
    canvas.shape(np.array([*crown, *fringe]), Part.HAIR)


def _face(canvas: Canvas, rng: np.random.Generator, f: Figure, pose: Pose) -> None:
    x, y, r = f.x, f.y, f.head
    turn = (rng.uniform(-0.1, 0.1) + pose.turn) * r
    width, height = rng.uniform(0.17, 0.21) * r, rng.uniform(0.24, 0.32) * r
    for side in (-1, 1):
        cx, cy = x + turn + side * 0.4 * r, y + 0.24 * r
        canvas.shape(ellipse(cx, cy, width, height), Part.EYE, shaded=False)
        canvas.fill(ellipse(cx + 0.05 * r, cy - 0.1 * r, 0.07 * r, 0.08 * r), Part.EYE_WHITE, shaded=False)
    smile = np.linspace(0.2 * np.pi, 0.8 * np.pi, 9)
    mouth = [(x + turn + 0.2 * r * np.cos(a), y + (0.5 + 0.16 * np.sin(a)) * r) for a in smile]
    if rng.random() < 0.5:
        canvas.shape(np.array(mouth), Part.MOUTH, shaded=False)
    else:
        canvas.line(mouth)


def _legs(canvas: Canvas, rng: np.random.Generator, f: Figure, clothes: str, pose: Pose) -> None:
    spread = rng.uniform(0.045, 0.09) + pose.stride
    for side in (-1, 1):
        hip = f.hip + (side * 0.045, 0.0)
        foot = np.array([f.hip[0] + side * spread, f.foot])
        knee = (hip + foot) / 2 + (side * rng.uniform(-0.01, 0.02), 0.0)
        canvas.shape(
            smooth(
                [
                    (foot[0] - 0.045, foot[1] + 0.025),
                    (foot[0] - 0.03, foot[1] - 0.03),
                    (foot[0] + 0.03, foot[1] - 0.03),
                    (foot[0] + 0.045, foot[1] + 0.025),
                ]
            ),
            Part.SHOES,
        )
        shin = Part.BOTTOM if clothes == "trousers" else Part.SKIN
        canvas.shape(limb(hip, foot - (0, 0.03), f.limb, f.limb * 0.85), shin)
        if clothes == "shorts":
            canvas.shape(limb(hip, hip + (knee - hip) * 0.95, f.limb * 1.25, f.limb * 1.3), Part.BOTTOM)


def _clothes(canvas: Canvas, rng: np.random.Generator, f: Figure, clothes: str) -> None:
    """What covers the hips, then the top over the chest."""
    (cx, cy), (hx, hy) = f.chest, f.hip
    if clothes in ("skirt", "dress"):
        hem, flare = hy + rng.uniform(0.12, 0.2), rng.uniform(0.14, 0.19)
        canvas.shape(
            [
                (hx - f.waist, hy - 0.05),
                (hx + f.waist, hy - 0.05),
                (hx + flare, hem),
                (hx + flare * 0.3, hem + 0.02),
                (hx - flare * 0.3, hem + 0.02),
                (hx - flare, hem),
            ],
            Part.BOTTOM,
        )
    else:
        canvas.shape(
            [
                (hx - f.waist, hy - 0.06),
                (hx + f.waist, hy - 0.06),
                (hx + f.waist, hy + 0.04),
                (hx, hy + 0.065),
                (hx - f.waist, hy + 0.04),
            ],
            Part.BOTTOM,
        )
    low = hy - (0.05 if clothes == "dress" else rng.uniform(-0.03, 0.02))
    neck = 0.05
    canvas.shape(
        [
            (cx - neck, cy - 0.01),
            (cx + neck, cy - 0.01),
            (cx + f.shoulder, cy + 0.03),
            (hx + f.waist * 1.05, low),
            (hx - f.waist * 1.05, low),
            (cx - f.shoulder, cy + 0.03),
        ],
        Part.TOP,
    )


def _arm(canvas: Canvas, rng: np.random.Generator, f: Figure, side: int, long_sleeves: bool, pose: Pose) -> None:
    shoulder = f.chest + (side * (f.shoulder - 0.02), 0.055)
    raise_ = rng.uniform(-0.9, 1.15)
    bend = raise_ + rng.uniform(-1.2, 0.4)
    upper, fore = pose.arms[(side + 1) // 2]
    raise_, bend = raise_ + upper, bend + fore
    elbow = shoulder + 0.125 * np.array([side * np.cos(raise_), np.sin(raise_)])
    hand = elbow + 0.115 * np.array([side * np.cos(bend), np.sin(bend)])
    canvas.shape(ellipse(*(hand + (hand - elbow) * 0.15), 0.04, 0.04), Part.SKIN)
    canvas.shape(limb(elbow, hand, f.limb * 0.9, f.limb * 0.85), Part.TOP if long_sleeves else Part.SKIN)
    canvas.shape(limb(shoulder, elbow, f.limb * 1.1, f.limb), Part.TOP)


def _accessory(canvas: Canvas, rng: np.random.Generator, f: Figure, kind: str) -> None:
    x, y, r = f.x, f.y, f.head
    side = float(rng.choice([-1, 1]))
    if kind == "bow":
        bx, by = x + side * 0.62 * r, y - 0.92 * r
        for way in (-1, 1):
            canvas.shape(
                [(bx, by), (bx + way * 0.5 * r, by - 0.32 * r), (bx + way * 0.5 * r, by + 0.32 * r)], Part.ACCESSORY
            )
    elif kind == "cap":
        arc = np.linspace(np.pi, 2 * np.pi, 14)
        dome = [(x + 1.0 * r * np.cos(a), y - 0.72 * r + 0.72 * r * np.sin(a)) for a in arc]
        canvas.shape(np.array(dome), Part.ACCESSORY)
        canvas.shape(
            limb((x + side * 0.2 * r, y - 0.72 * r), (x + side * 1.3 * r, y - 0.68 * r), 0.22 * r), Part.ACCESSORY
        )
    elif kind == "scarf":
        canvas.shape(limb((x - 0.5 * r, f.chest[1]), (x + 0.5 * r, f.chest[1]), 0.075), Part.ACCESSORY)
        canvas.shape(
            limb((x + side * 0.35 * r, f.chest[1]), (x + side * 0.45 * r, f.chest[1] + 0.15), 0.07), Part.ACCESSORY
        )
    elif kind == "band":
        arc = np.linspace(1.1 * np.pi, 1.9 * np.pi, 12)
        outer = [(x + 1.18 * r * np.cos(a), y + 1.18 * r * np.sin(a)) for a in arc]
        inner = [(x + 1.02 * r * np.cos(a), y + 0.94 * r * np.sin(a)) for a in arc[::-1]]
        canvas.shape(np.array(outer + inner), Part.ACCESSORY)
    elif kind == "flower":
        fx, fy = x + side * 0.68 * r, y - 0.62 * r
        for angle in np.arange(5) * 2 * np.pi / 5:
            canvas.shape(
                ellipse(fx + 0.2 * r * np.cos(angle), fy + 0.2 * r * np.sin(angle), 0.17 * r, 0.17 * r), Part.ACCESSORY
            )


def draw_character(seed: int, size: int, pose: Pose = AS_DRAWN) -> Canvas:
    """Return a canvas with the character alone: part numbers where it stands, 0 elsewhere."""
    rng = np.random.default_rng([seed, 1])
    figure = _figure(rng, pose)
    feet = np.array([figure.x, figure.foot])
    canvas = Canvas(size, zoom=pose.zoom, shift=feet * (1 - pose.zoom) + pose.place)
    hair, clothes = str(rng.choice(HAIR_STYLES)), str(rng.choice(CLOTHES))
    accessory = str(rng.choice(ACCESSORIES))
    long_sleeves = bool(rng.random() < 0.5)
    drawn = [(-1, bool(rng.random() < 0.3)), (1, bool(rng.random() < 0.3))]
    posed = zip(drawn, pose.in_front, strict=True)
    arms = [(side, in_front if chosen is None else chosen) for (side, in_front), chosen in posed]
    _hair_behind(canvas, rng, figure, hair)
    _legs(canvas, rng, figure, clothes, pose)
    for side, in_front in arms:
        if not in_front:
            _arm(canvas, rng, figure, side, long_sleeves, pose)
    canvas.shape(limb((figure.x, figure.y + figure.head * 0.8), figure.chest + (0, 0.03), 0.075), Part.SKIN)
    _clothes(canvas, rng, figure, clothes)
    if accessory == "scarf":
        _accessory(canvas, rng, figure, accessory)
    for side, in_front in arms:
        if in_front:
            _arm(canvas, rng, figure, side, long_sleeves, pose)
    x, y, r = figure.x, figure.y, figure.head
    for side in (-1, 1):
        canvas.shape(ellipse(x + side * r * 0.97, y + 0.2 * r, 0.16 * r, 0.2 * r), Part.SKIN)
    canvas.shape(
        smooth(
            [
                (x, y - r),
                (x - 0.8 * r, y - 0.6 * r),
                (x - r, y + 0.15 * r),
                (x - 0.62 * r, y + 0.78 * r),
                (x, y + 0.98 * r),
                (x + 0.62 * r, y + 0.78 * r),
                (x + r, y + 0.15 * r),
                (x + 0.8 * r, y - 0.6 * r),
            ]
        ),
        Part.SKIN,
    )
    _face(canvas, rng, figure, pose)
    _hair_front(canvas, rng, figure, hair)
    if accessory != "scarf":
        _accessory(canvas, rng, figure, accessory)
    return canvas
