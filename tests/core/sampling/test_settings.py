"""Strengths by level, and the windows of the sampling."""

import pytest
from colorizediffusion.colorize_core.sampling.settings import CROSS_ATTENTIONS, Settings, level_strengths


def test_the_cross_attentions_are_sixteen_in_order_of_execution():
    assert len(CROSS_ATTENTIONS) == len(set(CROSS_ATTENTIONS)) == 16
    order = {"input": 0, "middle": 1, "output": 2}
    assert list(CROSS_ATTENTIONS) == sorted(CROSS_ATTENTIONS, key=lambda block: (order[block[0]], block[1]))


def test_each_level_governs_its_own_attentions():
    strengths = level_strengths(encoder=2.0, color=3.0, semantic=5.0)
    places = {value: [i for i, strength in enumerate(strengths) if strength == value] for value in set(strengths)}
    assert places == {2.0: [0, 1], 3.0: [2, 3, 10, 11, 12], 5.0: [4, 5, 7, 8, 9], 1.0: [6, 13, 14, 15]}


def test_a_blocks_level_is_found_by_its_place():
    settings = Settings(levels=tuple(float(i) for i in range(16)))
    assert [settings.level(block) for block in CROSS_ATTENTIONS] == list(range(16))


@pytest.mark.parametrize(
    ("given", "windows"),
    [
        ({}, [(0.0, 1.0)]),
        ({"start": 0.2, "end": 0.7}, [(0.2, 0.7)]),
        ({"ignore_start": 0.3, "ignore_end": 0.5}, [(0.0, 0.3), (0.5, 1.0)]),
        ({"start": 0.4, "ignore_start": 0.3, "ignore_end": 0.5}, [(0.5, 1.0)]),
        ({"end": 0.4, "ignore_start": 0.3, "ignore_end": 0.5}, [(0.0, 0.3)]),
        ({"ignore_start": 0.0, "ignore_end": 1.0}, []),
        ({"ignore_start": 0.5, "ignore_end": 0.3}, [(0.0, 1.0)]),
    ],
)
def test_windows(given, windows):
    settings = Settings(**given)
    assert settings.windows == windows
    assert settings.whole_run == (windows == [(0.0, 1.0)])
