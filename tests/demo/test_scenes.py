"""The generator: every picture comes from its seeds, and every colour is known."""

import numpy as np
import pytest


def test_a_seed_gives_the_same_picture_and_another_seed_another():
    from scenes import Scene

    first = Scene(5, 6).paint(7, 8)
    assert np.array_equal(first, Scene(5, 6).paint(7, 8))
    assert not np.array_equal(first, Scene(9, 6).paint(7, 8))
    assert not np.array_equal(first, Scene(5, 6).paint(9, 8))


@pytest.mark.parametrize("seed", range(8))
def test_parts_have_exactly_the_palette_s_colour(seed):
    from drawing import Part
    from palettes import character_colours
    from scenes import Scene

    scene = Scene(seed, seed)
    picture = scene.paint(seed, seed)
    for part in (Part.HAIR, Part.SKIN, Part.TOP, Part.BOTTOM):
        region = scene.part(part)
        assert region.sum() > 30
        assert np.abs(picture[region] - character_colours(seed)[part].round()).max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_outside_the_mask_a_scene_is_its_background(seed):
    from scenes import Scene

    scene = Scene(seed, seed + 20)
    outside = scene.mask() == 0
    assert 0.3 < outside.mean() < 0.95
    assert np.array_equal(scene.paint(1, 2)[outside], scene.paint_background(2)[outside])


def test_the_drawing_has_dark_lines_within_the_mask_only():
    from scenes import Scene

    scene = Scene(3, 3)
    drawing = scene.drawing()
    assert drawing.min() == 0
    assert (drawing[scene.mask() == 0] == 255).all()


def test_style_changes_lines_and_shade_but_not_the_lit_colours():
    from drawing import Part
    from palettes import Style
    from scenes import Scene

    scene = Scene(2, 2)
    neutral, styled = scene.paint(1, 1), scene.paint(1, 1, Style(ink="red", shading=0.5))
    lit = scene.part(Part.TOP) & ~scene.shaded()
    assert styled[scene.shaded()].mean() < neutral[scene.shaded()].mean() * 0.7
    assert np.mean(np.any(neutral[lit] != styled[lit], axis=-1)) < 0.2


@pytest.mark.parametrize("kind", ["hills", "sea", "room", "city", "stripes", "bubbles", "plain"])
def test_every_kind_of_background_uses_several_colours_in_any_size(kind):
    from scenes import Scene

    for size in (64, 192):
        picture = Scene(1, 1, kind, size=size).paint_background(3)
        assert picture.shape == (size, size, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) >= 3


def test_a_shot_moves_one_character_between_two_poses():
    """Parts keep their shapes' numbers while regions move, and the arm that crosses the body cuts into it."""
    from flat_scenes import flat_scene
    from moving_scenes import SHOTS, shot_poses

    poses = shot_poses(SHOTS + 1, frames=8)
    frames = [flat_scene(SHOTS + 1, 256, shading=0.0, pose=pose, frame=number) for number, pose in enumerate(poses)]
    parts = [{shape: set(np.unique(f.parts[f.shapes == shape])) for shape in np.unique(f.shapes)} for f in frames]
    assert all(parts[0][shape] == parts[-1][shape] for shape in set(parts[0]) & set(parts[-1]))
    assert len(set(parts[0]) & set(parts[-1])) > 15
    areas = np.array([np.bincount(f.shapes.ravel(), minlength=64) for f in frames])
    assert (np.abs(areas[1:] - areas[:-1]).sum(axis=1) > 50).all()
    held = shot_poses(SHOTS + 1, frames=7, on_twos=True)
    assert [held[i] == held[i + 1] for i in range(6)] == [True, False, True, False, True, False]
    assert held[0] == poses[0]
    assert held[-1] == poses[-1]
