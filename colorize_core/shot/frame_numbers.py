"""The numbers of a shot's frames, read off file names: `ink_0012.png` is frame 12."""

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from ..errors import ColorizeError, told

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".tga")
#: Which number in a name is the frame's -> where it stands among them.
POSITIONS = {"last": -1, "second_last": -2, "third_last": -3, "first": 0, "second": 1, "third": 2}
#: What is done about a number that no picture has.
MISSING = ("refuse", "hold", "skip")
#: Frames that a batch has at most; a date in a name can ask for billions.
MOST_FRAMES = 100_000
#: A minus counts where nothing but a separator or the beginning is before it: `f_-001`, but not `shot-001`.
_NUMBER = r"(?:(?:^|(?<=[_.]))-)?\d+"
_RANGE = r"\s*(-?\d+)(?:-(-?\d+)(?::(\d+))?)?\s*"


def frame_number(name: str, which: str = "last") -> int | None:
    """Return a picture's number, None where its name has too few numbers or it is no picture.

    Args:
        which: of `POSITIONS`.

    Example:
        >>> frame_number("sc12_ink_0007.png")
        7
        >>> frame_number("sc12_ink_0007_v2.png", "second_last")
        7
    """
    path = PurePath(name)
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return None
    numbers = re.findall(_NUMBER, path.stem)
    position = POSITIONS[which]
    return int(numbers[position]) if -len(numbers) <= position < len(numbers) else None


def numbered_frames(names: Iterable[str], folder: str, which: str = "last") -> dict[int, str]:
    """Sort the pictures of a folder by their numbers.

    Args:
        names: file names; what is no numbered picture is left out. folder: for messages. which: of `POSITIONS`.

    Returns:
        {number: name}, ascending.

    Raises:
        ColorizeError: two pictures have one number.
    """
    frames: dict[int, str] = {}
    for name in sorted(names):
        number = frame_number(name, which)
        if number is None:
            continue
        if number in frames:
            raise ColorizeError(
                f"{folder}: {frames[number]} and {name} are both frame {number}, since the {which.replace('_', ' ')} "
                "number in a name counts. Choose another one in `number`, or keep one numbered picture a frame in a "
                "folder of its own; masks or colour keys go into another folder."
            )
        frames[number] = name
    return dict(sorted(frames.items()))


def pick_frames(frames: dict[int, str], first: int, count: int, folder: str, missing: str = "refuse") -> dict[int, str]:
    """Pick consecutive frames.

    Args:
        frames: from `numbered_frames`.
        first: number of the first one; 0 for the folder's first.
        count: how many; 0 for all that follow.
        missing: see `take_frames`.

    Raises:
        ColorizeError: there are none, or one between them is missing.
    """
    start = first or min(frames, default=0)
    stop = start + count if count else max(start, max(frames, default=0)) + 1
    return take_frames(frames, range(start, stop), folder, missing)


def take_frames(frames: dict[int, str], wanted: Sequence[int], folder: str, missing: str = "refuse") -> dict[int, str]:
    """Take the frames with these numbers.

    Args:
        frames: from `numbered_frames`.
        wanted: ascending, at least one.
        missing: about a number that no picture has. "refuse": it is an error. "hold": the picture of the last number
            before it, asked for or not. "skip": it is left out.

    Returns:
        {number: name}, ascending.

    Raises:
        ColorizeError: there are none, or `missing` does not help.
    """
    if not frames:
        raise ColorizeError(
            f"{folder} holds no numbered pictures; expected names such as frame_0001.png ({', '.join(SUFFIXES)}) with "
            "as many numbers as `number` asks for."
        )
    numbers = wanted if isinstance(wanted, range) else set(wanted)
    picked = {number: name for number, name in frames.items() if number in numbers}
    # A date in a file's name is a frame's number too, so a stretch may be far longer than the folder has files.
    lacking = len(wanted) - len(picked)
    if missing == "hold" and wanted[0] >= min(frames):
        if len(wanted) > MOST_FRAMES:
            raise ColorizeError(
                f"{folder}: {len(wanted)} frames are asked for, {wanted[0]} to {wanted[-1]}; expected at most "
                f"{MOST_FRAMES}. Change frame_count, or take the picture with the odd number away."
            )
        there = list(frames)
        return {number: frames[there[bisect.bisect(there, number) - 1]] for number in wanted}
    if not picked or (lacking and missing != "skip"):
        first = next(number for number in wanted if number not in picked)
        held = " Nothing before the first picture can be held." * (missing == "hold")
        raise ColorizeError(
            f"{folder} has frames {min(frames)} to {max(frames)}; asked for are {wanted[0]} to {wanted[-1]}, of which "
            f"{lacking if picked else 'all'} are missing (first: {first}).{held} Change first_frame and frame_count, "
            "add the drawings, or set `missing` to hold (drawings on twos) or skip."
        )
    return picked


def parse_numbers(text: str) -> list[int]:
    """Read frame numbers as `write_numbers` and Open Job Description write them.

    Example:
        >>> parse_numbers("1-3,8,10-14:2")
        [1, 2, 3, 8, 10, 12, 14]
    """
    numbers: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(_RANGE, part)
        stretch = match and range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1) or 1)
        if not stretch or len(numbers) + len(stretch) > MOST_FRAMES:
            raise ColorizeError(
                f"`frame_numbers` is {told(text)}; expected ascending numbers and ranges such as 1-48, 1-47:2 or "
                f"1,3,8-12, at most {MOST_FRAMES} frames. Wire the frame numbers of Load Frames, or leave it empty."
            )
        numbers.update(stretch)
    return sorted(numbers)


def write_numbers(numbers: Sequence[int]) -> str:
    """Write ascending frame numbers as a short text.

    Example:
        >>> write_numbers([1, 3, 5, 7, 8, 12])
        '1-7:2,8,12'
    """
    parts, rest = [], list(numbers)
    while rest:
        step = rest[1] - rest[0] if len(rest) > 1 else 1
        run = list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(rest, itertools.count(rest[0], step))))
        if len(run) > 2:
            parts.append(f"{rest[0]}-{rest[len(run) - 1]}" + f":{step}" * (step > 1))
        else:
            run = run[:1]
            parts.append(str(rest[0]))
        rest = rest[len(run) :]
    return ",".join(parts)
