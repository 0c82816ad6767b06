"""Two pictures of one character, each of which hides what the other shows, beat either alone."""

import shutil

import numpy as np
import pytest

PAIRS = 4


def half_hidden(scene, colours, background, shown):
    """Paint a scene whose upper or lower half, parted where the trousers or the skirt begin, is white paper."""
    from drawing import Part

    picture = scene.paint(colours, background).copy()
    rows = np.flatnonzero(scene.part(Part.BOTTOM).any(axis=1))
    waist = rows[0] if len(rows) else scene.size * 5 // 8
    picture[slice(waist, None) if shown == "upper" else slice(None, waist)] = 255
    return picture


@pytest.fixture(scope="module")
def errors(pack, demo_folder):
    """{views: mean colour error (ΔE) of hair, skin, top and bottom} over held-out pairs."""
    from comfy_path import EXAMPLES
    from evaluate_model import PARTS, VARIANTS, make_pair
    from measure import region_error, to_lab
    from pipeline import CHECKPOINT_NAME, Pipeline, to_image
    from scenes import HELD_OUT, Scene

    def as_views(node, **inputs):
        several = {"several": "views_of_one_character"} if node == "ColorizeEncodeReference" else {}
        return pack.run(node, **inputs, **several)

    path = demo_folder / CHECKPOINT_NAME
    shutil.copy(EXAMPLES / path.name, path)
    pipeline = Pipeline(path, as_views)
    rows = {"upper": [], "lower": [], "both": []}
    for number in range(PAIRS):
        pair, seed = make_pair(number), HELD_OUT + 10 * number
        upper, lower = (
            half_hidden(Scene(seed + i, seed + i), seed, seed + i, shown) for i, shown in ((1, "upper"), (2, "lower"))
        )
        for name, views in {"upper": [upper], "lower": [lower], "both": [upper, lower]}.items():
            images = [to_image(pictures) for pictures in ([pair.drawing], views, [pair.background], [pair.mask])]
            (picture,) = pipeline.colour(*images, VARIANTS["split + background injection"], seed=number).numpy()
            lab, right = to_lab(picture), to_lab(pair.right / 255)
            rows[name].append([region_error(lab, right, pair.parts[part]) for part in PARTS])
    means = {name: dict(zip(PARTS, np.nanmean(values, axis=0), strict=True)) for name, values in rows.items()}
    print("\ncolour errors (ΔE):", {n: {p: round(float(e), 1) for p, e in parts.items()} for n, parts in means.items()})
    return means


def test_two_views_have_the_colours_that_either_hides(errors):
    assert errors["both"]["bottom"] < 0.5 * errors["upper"]["bottom"]
    for part in ("hair", "skin", "top"):
        assert errors["both"][part] < 0.8 * errors["lower"][part], part


def test_two_views_beat_either_alone(errors):
    both, *alone = (np.mean(list(errors[name].values())) for name in ("both", "upper", "lower"))
    assert both < 0.85 * min(alone)
