"""The demonstration model colours held-out pairs through the nodes as well as it did when it was trained."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

PAIRS = 8
RECORDED = Path(__file__).with_name("recorded-errors.json")


@pytest.fixture(scope="module")
def rows(pack, demo_folder):
    from comfy_path import EXAMPLES
    from evaluate_model import evaluate
    from pipeline import CHECKPOINT_NAME, Pipeline

    path = demo_folder / CHECKPOINT_NAME
    shutil.copy(EXAMPLES / path.name, path)
    return evaluate(Pipeline(path, pack.run), PAIRS)


def test_errors_have_not_risen_by_a_quarter(rows):
    from evaluate_model import VARIANTS

    recorded = json.loads(RECORDED.read_text())
    for name in VARIANTS:
        for column, error in zip(("4 parts", "background"), rows[name][:, -2:].mean(axis=0), strict=True):
            assert error <= 1.25 * recorded[name][column], f"{name}, {column}"


def test_each_feature_brings_the_background_closer(rows):
    plain, split, injected = (rows[name][:, -1].mean() for name in ("plain", "split", "split + background injection"))
    assert plain > split > injected


def test_a_run_repeats_and_another_checkpoint_gives_another_picture(pack, demo_checkpoint):
    import torch
    from safetensors.torch import load_file, save_file

    from evaluate_model import VARIANTS, colour_all, make_pair
    from pipeline import Pipeline

    pairs, features = [make_pair(0), make_pair(1)], VARIANTS["split + background injection"]
    first, again = (colour_all(Pipeline(demo_checkpoint, pack.run), pairs, features) for _ in range(2))
    assert np.array_equal(first, again)
    weights = load_file(str(demo_checkpoint))
    kept = demo_checkpoint.with_suffix(".kept")
    shutil.copy(demo_checkpoint, kept)
    try:
        name = "model.diffusion_model.out.2.weight"
        save_file(weights | {name: torch.zeros_like(weights[name])}, str(demo_checkpoint))
        other = colour_all(Pipeline(demo_checkpoint, pack.run), pairs, features)
    finally:
        shutil.move(kept, demo_checkpoint)
    assert np.abs(np.array(first) - np.array(other)).mean() > 0.05


def test_pictures_for_an_evaluation_are_written_with_what_belongs_to_them(pack, demo_checkpoint, tmp_path):
    from PIL import Image

    from evaluate_model import PART_COLORS, make_pair, write_pictures
    from pipeline import Pipeline

    write_pictures(Pipeline(demo_checkpoint, pack.run), 1, 3, tmp_path)
    written = {path.parent.name: np.asarray(Image.open(path)) for path in tmp_path.glob("*/0003.png")}
    pair = make_pair(3)
    for kind, picture in {"truth": pair.right, "references": pair.reference, "masks": pair.mask}.items():
        assert np.array_equal(written[kind], picture)
    assert np.array_equal((written["labels"] == PART_COLORS["hair"]).all(axis=-1), pair.parts["hair"])
    assert np.abs(written["results"].astype(float) - pair.right).mean() < 40
