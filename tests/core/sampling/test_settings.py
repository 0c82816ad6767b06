"""Strengths by level, and the windows of the sampling."""

import pytest
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.family.v2 import V2
from colorizediffusion.colorize_core.family.xl import XL_V2
from colorizediffusion.colorize_core.sampling.settings import Settings, block_strengths, one_strength

LEVELS = {
    V2.id: {
        2.0: [("input", 1), ("input", 2)],
        3.0: [("input", 4), ("input", 5), ("output", 6), ("output", 7), ("output", 8)],
        5.0: [("input", 7), ("input", 8), ("output", 3), ("output", 4), ("output", 5)],
    },
    XL_V2.id: {
        2.0: [("input", 4), ("input", 5)],
        5.0: [("input", 7), ("input", 8), ("output", 0), ("output", 1), ("output", 2)],
    },
}


@pytest.mark.parametrize("version", [V2, XL_V2], ids=lambda version: version.id)
def test_each_level_governs_its_own_attentions(version):
    strengths = block_strengths(Settings(encoder=2.0, color=3.0, semantic=5.0), version.levels)
    for value, blocks in LEVELS[version.id].items():
        assert sorted(block for block, strength in strengths.items() if strength == value) == sorted(blocks)


def test_strengths_by_block_take_the_place_of_the_levels():
    by_block = {("input", 1): 0.5, ("middle", 0): 2.0}
    assert block_strengths(Settings(encoder=3.0, blocks=by_block), V2.levels) == by_block
    assert one_strength(Settings(encoder=3.0, blocks=by_block), [("input", 1)], "XL") == by_block


def test_a_version_with_one_strength_takes_levels_that_agree():
    blocks = [("input", 4), ("middle", 0)]
    assert one_strength(Settings(encoder=0.6, color=0.6, semantic=0.6), blocks, "XL") == dict.fromkeys(blocks, 0.6)
    with pytest.raises(ColorizeError, match=r"are 0\.6, 1, 1, but XL has one reference strength"):
        one_strength(Settings(encoder=0.6), blocks, "XL")


@pytest.mark.parametrize(
    ("given", "window", "ignored"),
    [
        ({}, (0.0, 1.0), None),
        ({"start": 0.2, "end": 0.7}, (0.2, 0.7), None),
        ({"ignore_start": 0.3, "ignore_end": 0.5}, (0.0, 1.0), (0.3, 0.5)),
        ({"ignore_start": 0.5, "ignore_end": 0.3}, (0.0, 1.0), None),
        ({"ignore_start": 0.0, "ignore_end": 1.0}, (0.0, 1.0), (0.0, 1.0)),
    ],
)
def test_windows(given, window, ignored):
    settings = Settings(**given)
    assert (settings.window, settings.ignored) == (window, ignored)
    assert settings.whole_run == (window == (0.0, 1.0) and ignored is None)
