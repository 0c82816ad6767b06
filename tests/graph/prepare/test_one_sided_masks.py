"""Masks with one side only: said in the log and on the node, with what to do, before a wrong picture is made."""

import logging

import pytest
import torch

#: Limited-range video: black is 16 of 255, white 235.
VIDEO_BLACK, VIDEO_WHITE = 16 / 255, 235 / 255


@pytest.fixture
def said(caplog):
    """Return a function that runs work and gives the warnings that it logs."""

    def listen(work):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            work()
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    return listen


@pytest.fixture(scope="module")
def nodes(studio):
    """Node name to a function that runs it with a mask."""
    carrier = studio.carrier()
    return {
        "Apply Colorization": lambda mask, **more: studio.apply(carrier, mask, **more),
        "Add Character Region": lambda mask: studio.pack.run(
            "ColorizeAddRegion", carrier=carrier, region=carrier, mask=mask
        ),
        "Bleach Region": lambda mask, **more: studio.pack.run(
            "ColorizeBleach", image=studio.picture(), mask=mask, **more
        ),
    }


@pytest.mark.parametrize("node", ["Apply Colorization", "Add Character Region", "Bleach Region"])
def test_a_missing_side_is_said_once_and_names_the_node(nodes, studio, said, node):
    dust = torch.zeros(1, 768, 768)
    dust[:, :9, :9] = 1
    for mask in (torch.zeros(1, 64, 64), dust):
        (line,) = said(lambda mask=mask: nodes[node](mask))
        assert line.startswith(f"{node}: No character in the mask: paint it")
    for mask in (studio.mask("all"), 1 - dust):
        (line,) = said(lambda mask=mask: nodes[node](mask))
        assert line.startswith(f"{node}: No background in the mask: paint the character alone.")
    assert said(lambda: nodes[node](studio.mask("middle"))) == []


def test_black_of_limited_range_video_is_told_with_the_threshold_that_mends_it(nodes, studio, said):
    mask = studio.mask("left") * (VIDEO_WHITE - VIDEO_BLACK) + VIDEO_BLACK
    (line,) = said(lambda: nodes["Apply Colorization"](mask))
    assert "No background in the mask: raise threshold above its black, 0.063." in line
    assert said(lambda: nodes["Apply Colorization"](mask, threshold=0.07)) == []
    (line,) = said(lambda: nodes["Add Character Region"](mask))
    assert "raise Apply Colorization's threshold above its black, 0.063." in line


def test_masks_of_a_batch_are_counted(nodes, studio, said):
    left, none, full = (studio.mask(kind) for kind in ("left", "none", "all"))
    run = nodes["Apply Colorization"]
    (line,) = said(lambda: run(torch.cat([left, none, left, none, full])))
    assert "No character in masks 2, 4 of 5:" in line and "No background in mask 5 of 5:" in line
    (line,) = said(lambda: run(none.expand(3, -1, -1)))
    assert "No character in all 3 masks:" in line
    (line,) = said(lambda: run(torch.cat([left, none.expand(99, -1, -1)])))
    assert "masks 2, 3, 4, 5, 6, 7, 8, 9, … of 100:" in line


def test_what_reaches_the_threshold_of_bleach_is_character(nodes, studio, said):
    half = studio.mask("left") * 0.5
    assert said(lambda: nodes["Bleach Region"](half, threshold=0.5)) == []
    assert "No character" in said(lambda: nodes["Bleach Region"](half, threshold=0.51))[0]


def test_without_a_mask_nothing_is_said(nodes, said):
    assert said(lambda: nodes["Apply Colorization"](None)) == []
