"""A moving shot gets steadier with the same noise, and again with an anchor; `make evaluate-shots` measures more."""

import shutil

import numpy as np
import pytest

SHOTS, FRAMES = 3, 4


@pytest.fixture(scope="module")
def rows(pack, demo_folder):
    """Scores of each shot [SHOTS, columns] by the row of the table."""
    from comfy_path import EXAMPLES
    from evaluate_shots import ANCHOR, PER_FRAME, SAME, Coloured, ShotPipeline
    from flicker import MovingShot, scores
    from moving_scenes import SHOTS as FIRST
    from pipeline import CHECKPOINT_NAME, Pipeline

    path = demo_folder / CHECKPOINT_NAME
    shutil.copy(EXAMPLES / path.name, path)
    pipeline = ShotPipeline(Pipeline(path, pack.run))
    found = {name: [] for name in (PER_FRAME, SAME, ANCHOR)}
    for seed in range(FIRST, FIRST + SHOTS):
        shot = MovingShot(seed, FRAMES)
        pictures = Coloured(pipeline, shot)
        for name, of_row in found.items():
            of_row.append(scores(shot, pictures[name]))
    return [np.stack(found[name]) for name in (PER_FRAME, SAME, ANCHOR)]


@pytest.mark.thorough
def test_same_noise_and_then_an_anchor_make_a_shot_steadier(rows):
    per_frame, same, anchor = (row[:, 0].mean() for row in rows)
    assert same < 0.7 * per_frame
    assert anchor < 0.9 * same


@pytest.mark.thorough
def test_an_anchor_freezes_no_wrong_colour(rows):
    _, same, anchor = (row[:, 4].mean() for row in rows)
    assert anchor < 1.1 * same


def test_what_is_measured():
    """The right answer has no flicker and no error; a part of another colour in one of the frames has both."""
    from drawing import Part
    from flicker import MovingShot, difference, scores
    from moving_scenes import SHOTS as FIRST

    shot = MovingShot(FIRST + 1, 3)
    right = np.stack([scene.paint(shot.seed, shot.seed) for scene in shot.scenes]) / 255
    flicker, *_, error = scores(shot, right)[[0, 1, 3, 4, 7]]
    assert flicker == 0 and error == 0
    hair = shot.parts[Part.HAIR]
    wrong = right.copy()
    wrong[1][hair[1]] = (0.5, 0.2, 0.7)
    from measure import to_lab

    off = float(difference(to_lab(wrong[1][hair[1]][0]), to_lab(right[1][hair[1]][0])))
    seen = sum(part.any() for part in shot.parts.values())
    moved = scores(shot, wrong)
    assert moved[0] == pytest.approx(off / seen), "two of two steps of one part"
    assert moved[1] == pytest.approx(off / 4) and moved[5] == pytest.approx(off / 3 / 4)
    frozen = np.where(hair[..., None], (0.5, 0.2, 0.7), right)
    assert scores(shot, frozen)[0] == 0 and scores(shot, frozen)[4] > 0
