"""Shots of one character moving from a pose to another, with the right answer for every pixel of every frame.

Limbs turn, one arm passes before the body, so that regions merge, split and appear; the character moves, grows or
shrinks, and in every other shot the camera moves as well. A frame is a scene of `scenes.Scene` or `flat_scenes` in the
pose that stands here; `FlatScene.shapes` says which regions of different frames are the same thing.

    for pose in shot_poses(seed, frames=16):
        scene = Scene(character=seed, background=seed, pose=pose)
"""

from __future__ import annotations

import numpy as np

from character import Pose
from scenes import HELD_OUT

#: Seeds of the shots that are measured; none is in training, nor in what settings are chosen on.
SHOTS = HELD_OUT + 300_000


def shot_poses(seed: int, frames: int = 16, on_twos: bool = False) -> list[Pose]:
    """Return a pose for each frame.

    Args:
        on_twos: each drawing is held for two frames, as animation often is.
    """
    first, last = _ends(seed)
    hold = 2 if on_twos else 1
    drawings = -(-frames // hold)
    times = np.arange(frames) // hold / max(1, drawings - 1)
    return [_between(first, last, float(time)) for time in times**2 * (3 - 2 * times)]  # slow in, slow out


def _ends(seed: int) -> tuple[Pose, Pose]:
    """Draw the first and the last pose of a shot."""
    rng = np.random.default_rng([seed, 31])
    crossing = int(rng.integers(2))
    arms = rng.uniform(-0.8, 0.8, (2, 2, 2))
    # From beside the body to across it: the upper arm goes down, the forearm inwards.
    arms[0, crossing], arms[1, crossing] = rng.uniform(-0.3, 0.3, 2), rng.uniform((0.6, 1.8), (1.0, 2.6))
    in_front = (True, None) if crossing == 0 else (None, True)
    backwards = bool(rng.integers(2))
    camera = rng.uniform(-0.12, 0.12, 2) if rng.random() < 0.5 else np.zeros(2)
    turn, lean, stride = (rng.uniform(-most, most, 2) for most in (0.22, 0.035, 0.025))
    place, zoom = rng.uniform(-0.05, 0.05, (2, 2)) * (1.0, 0.4), rng.uniform(0.86, 1.06, 2)
    ends = [
        Pose(
            arms=tuple(tuple(angles) for angles in arms[end].tolist()),
            in_front=in_front,
            turn=float(turn[end]),
            lean=float(lean[end]),
            stride=float(stride[end]),
            place=tuple(place[end].tolist()),
            zoom=float(zoom[end]),
            camera=tuple((camera * end).tolist()),
        )
        for end in range(2)
    ]
    return (ends[1], ends[0]) if backwards else (ends[0], ends[1])


def _between(first: Pose, last: Pose, time: float) -> Pose:
    """Return the pose at a time in [0, 1]."""

    def mixed(name: str) -> np.ndarray:
        start, end = np.array(getattr(first, name)), np.array(getattr(last, name))
        return start + (end - start) * time

    return Pose(
        arms=tuple(tuple(angles) for angles in mixed("arms").tolist()),
        in_front=first.in_front,
        turn=float(mixed("turn")),
        lean=float(mixed("lean")),
        stride=float(mixed("stride")),
        place=tuple(mixed("place").tolist()),
        zoom=float(mixed("zoom")),
        camera=tuple(mixed("camera").tolist()),
    )
