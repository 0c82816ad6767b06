"""Measure Colors through the graph: what it shows, frames, and what it refuses."""

import json

import pytest
import torch


def test_json_map_and_number_belong_together(pack, studio):
    truth = studio.picture(height=60, width=50, batch=2)
    image = truth.clone()
    image[1] *= 0.9
    (text, maps, delta_e), shown = pack.run_ui("ColorizeMeasure", image=image, truth=truth)
    measures = json.loads(text)
    assert [frame["delta_e_max"] > 0 for frame in measures["frames"]] == [False, True]
    assert measures["all"]["frames"] == len(maps) == len(shown["images"]) == 2
    assert delta_e == pytest.approx(measures["all"]["delta_e_mean"], abs=1e-4) and delta_e > 1
    assert list(shown["text"]) == [text]


def test_ink_over_is_within_two_levels_of_the_drawing(pack, studio):
    """As both are saved with eight bits a channel."""
    drawing = torch.ones(1, 80, 64, 3)
    drawing[:, 20:24], drawing[:, [19, 24]], drawing[:, :, 30:32] = 0.0, 0.6, 0.1
    result, _ = pack.run("ColorizeInkOver", image=studio.picture(height=80, width=64), drawing=drawing)
    text, _, delta_e = pack.run("ColorizeMeasure", image=(result * 255).round() / 255, drawing=drawing)
    assert 0 <= json.loads(text)["all"]["ink_max"] <= 2 / 255 and delta_e == 0


def test_it_says_what_it_lacks(pack, studio):
    with pytest.raises(pack.Error, match=r"at least one of `truth`, `regions`, `palette` and `drawing`"):
        pack.run("ColorizeMeasure", image=studio.picture())
    with pytest.raises(pack.Error, match=r"`image` 2, `truth` 3"):
        pack.run("ColorizeMeasure", image=studio.picture(batch=2), truth=studio.picture(batch=3))
