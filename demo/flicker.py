"""How steady the colours of a shot are, and how right: no model, only pictures and what is known of their parts.

Flicker of a part is the ΔE (CIEDE2000) between its median colours in neighbouring frames. The right answer's is 0: a
part has one flat colour, wherever it moves. A shot that freezes a wrong colour has no flicker but an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch

from comfy_path import import_core
from drawing import Part
from measure import to_lab
from moving_scenes import shot_poses
from scenes import Scene

color = import_core("finish.color")

#: The parts that every character has and every reference shows; all others are small, or not on the reference.
LARGE = (Part.HAIR, Part.SKIN, Part.TOP, Part.BOTTOM)
#: Fewest pixels of a part that are judged: a position of the latent is 8×8 pixels.
LEAST = 64
KINDS = ("large parts", "small parts", "background")
COLUMNS = ("flicker", *KINDS, "error", *(f"error of {kind}" for kind in KINDS))


@dataclass(frozen=True)
class MovingShot:
    """A shot of the demonstration: drawings, a reference of another pose, and the right answers.

    Args:
        seed: of the character, the scenery, all colours and the poses. frames: of the shot.
    """

    seed: int
    frames: int

    @cached_property
    def scenes(self) -> list[Scene]:
        """The geometry of each frame."""
        return [Scene(self.seed, self.seed, pose=pose) for pose in shot_poses(self.seed, self.frames)]

    @cached_property
    def reference(self) -> np.ndarray:
        """Another character in this one's colours, before other scenery: [128, 128, 3] uint8."""
        return Scene(self.seed + 1, self.seed + 1).paint(self.seed, self.seed + 1)

    @cached_property
    def right(self) -> np.ndarray:
        """CIELAB of the right answers, [N, 128, 128, 3]."""
        return to_lab(np.stack([scene.paint(self.seed, self.seed) for scene in self.scenes]) / 255)

    @cached_property
    def behind(self) -> np.ndarray:
        """Where the scenery is seen, [N, 128, 128] bool."""
        return np.stack([scene.mask() == 0 for scene in self.scenes])

    @cached_property
    def parts(self) -> dict[Part, np.ndarray]:
        """Where each part fills whole pixels, lines aside, [N, 128, 128] bool; no pixel in frames with too few."""
        found = {part: np.stack([scene.part(part) for scene in self.scenes]) for part in Part if part != Part.LINE}
        return {part: where & (where.sum((1, 2)) >= LEAST)[:, None, None] for part, where in found.items()}


def scores(shot: MovingShot, pictures: np.ndarray) -> np.ndarray:
    """Return the numbers of `COLUMNS` for pictures [N, 128, 128, 3] in [0, 1]; NaN for what a shot has not."""
    lab = to_lab(pictures)
    flicker, error = {}, {}
    for part, where in shot.parts.items():
        medians = [
            np.median(frame[inside], axis=0) if inside.any() else None for frame, inside in zip(lab, where, strict=True)
        ]
        right = [
            np.median(frame[inside], axis=0) for frame, inside in zip(shot.right, where, strict=True) if inside.any()
        ]
        seen = [median for median in medians if median is not None]
        if seen:
            error[part] = float(difference(np.stack(seen), np.stack(right)).mean())
        both = [(a, b) for a, b in pairwise(medians) if a is not None and b is not None]
        if both:
            flicker[part] = float(np.mean([difference(a, b) for a, b in both]))
    return np.array(
        [*_by_size(flicker), _background_flicker(shot, lab), *_by_size(error), _background_error(shot, lab)]
    )


def difference(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return ΔE (CIEDE2000) along the last axis."""
    different: np.ndarray = color.difference_2000(torch.from_numpy(lab), torch.from_numpy(other)).numpy()
    return different


def _by_size(values: dict[Part, float]) -> list[float]:
    """Return the means over all parts, the large ones and the small ones."""
    groups = (list(values), [part for part in values if part in LARGE], [part for part in values if part not in LARGE])
    return [float(np.mean([values[part] for part in group])) if group else float("nan") for group in groups]


def _background_flicker(shot: MovingShot, lab: np.ndarray) -> float:
    """Mean ΔE of the scenery's pixels that have the same right colour in both of two neighbouring frames."""
    found = []
    for before in range(len(lab) - 1):
        now = before + 1
        still = shot.behind[before] & shot.behind[now] & (shot.right[before] == shot.right[now]).all(axis=-1)
        if still.any():
            found.append(difference(lab[before][still], lab[now][still]).mean())
    return float(np.mean(found)) if found else float("nan")


def _background_error(shot: MovingShot, lab: np.ndarray) -> float:
    """Mean ΔE of the scenery's pixels."""
    return float(np.mean([difference(lab[n][b], shot.right[n][b]).mean() for n, b in enumerate(shot.behind)]))
