"""Which number in a name is the frame's, and what is done about numbers that no picture has."""

import pytest
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.shot.frame_numbers import (
    frame_number,
    numbered_frames,
    parse_numbers,
    pick_frames,
    take_frames,
    write_numbers,
)

ON_TWOS = {number: f"f_{number:04}.png" for number in (1, 3, 5)}


@pytest.mark.parametrize(
    ("name", "which", "number"),
    [
        ("sc12_ink_0007.png", "last", 7),
        ("sc12_ink_0007_v2.png", "second_last", 7),
        ("ink_0007_1920x1080.tga", "third_last", 7),
        ("0007_ink_v2.png", "first", 7),
        ("sc12_0007_v2.png", "second", 7),
        ("ep3_sc12_0007_v2_x.png", "third", 7),
        ("ink_0007.png", "second_last", None),
        ("f_-001.png", "last", -1),
        ("f.-12.png", "last", -12),
        ("-3.png", "last", -3),
        ("shot-001.png", "last", 1),
        ("cut 2 - 0003.png", "last", 3),
        ("2024-01-31.png", "last", 31),
    ],
)
def test_the_number_in_a_name(name, which, number):
    assert frame_number(name, which) == number


def test_before_and_after_zero_are_two_frames():
    names = ["f_-001.png", "f_0000.png", "f_0001.png"]
    assert list(numbered_frames(names, "shot")) == [-1, 0, 1]


def test_one_number_twice_names_the_choice():
    with pytest.raises(ColorizeError, match=r"both frame 2, since the last number.*`number`"):
        numbered_frames(["ink_0001_v2.png", "ink_0002_v2.png"], "shot")
    assert list(numbered_frames(["ink_0001_v2.png", "ink_0002_v2.png"], "shot", "second_last")) == [1, 2]


@pytest.mark.parametrize(
    ("missing", "first", "count", "numbers"),
    [
        ("hold", 0, 0, {1: 1, 2: 1, 3: 3, 4: 3, 5: 5}),
        ("hold", 2, 5, {2: 1, 3: 3, 4: 3, 5: 5, 6: 5}),
        ("hold", 9, 1, {9: 5}),
        ("skip", 0, 0, {1: 1, 3: 3, 5: 5}),
        ("skip", 2, 3, {3: 3}),
    ],
)
def test_drawings_on_twos(missing, first, count, numbers):
    taken = pick_frames(ON_TWOS, first, count, "shot", missing)
    assert taken == {number: ON_TWOS[drawn] for number, drawn in numbers.items()} and list(taken) == sorted(taken)


@pytest.mark.parametrize(
    ("missing", "first", "count", "words"),
    [
        ("refuse", 0, 0, "1 to 5, of which 2 are missing .first: 2.*`missing` to hold"),
        ("hold", -3, 5, "first: -3.*Nothing before the first picture can be held"),
        ("skip", 6, 4, "all are missing"),
        ("refuse", 9, 0, "asked for are 9 to 9"),
    ],
)
def test_frames_that_cannot_be_had(missing, first, count, words):
    with pytest.raises(ColorizeError, match=words):
        pick_frames(ON_TWOS, first, count, "shot", missing)


def test_a_date_holds_no_billions_of_frames():
    with pytest.raises(ColorizeError, match="at most 100000"):
        pick_frames({**ON_TWOS, 20240131: "f_20240131.png"}, 0, 0, "shot", "hold")


def test_exactly_these_numbers():
    assert list(take_frames(ON_TWOS, [1, 5], "shot")) == [1, 5]
    assert take_frames(ON_TWOS, [2, 5], "shot", "hold") == {2: ON_TWOS[1], 5: ON_TWOS[5]}
    with pytest.raises(ColorizeError, match=r"1 are missing \(first: 4"):
        take_frames(ON_TWOS, [3, 4], "shot")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("7", [7]),
        ("1-3", [1, 2, 3]),
        ("1-5:2", [1, 3, 5]),
        ("-2-1", [-2, -1, 0, 1]),
        ("-9--5:2", [-9, -7, -5]),
        ("1-3,8,20-24:2", [1, 2, 3, 8, 20, 22, 24]),
        ("1,2,9", [1, 2, 9]),
    ],
)
def test_numbers_as_text_and_back(text, numbers):
    assert parse_numbers(text) == numbers and write_numbers(numbers) == text


@pytest.mark.parametrize("text", ["a", "1-", "3-1", "1..3", "1-3;5", "1-999999999", "1,,2"])
def test_texts_that_are_no_numbers(text):
    with pytest.raises(ColorizeError, match=r"`frame_numbers` is .*such as 1-48"):
        parse_numbers(text)
