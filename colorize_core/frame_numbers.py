"""The numbers of a shot's frames, read off file names: `ink_0012.png` is frame 12."""

import itertools
import re
from collections.abc import Iterable
from pathlib import PurePath

from .errors import ColorizeError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def frame_number(name: str) -> int | None:
    """Return the last number in a picture's name, None where it has none or is no picture.

    Example:
        >>> frame_number("sc12_ink_0007.png")
        7
    """
    path = PurePath(name)
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return None
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def numbered_frames(names: Iterable[str], folder: str) -> dict[int, str]:
    """Sort the pictures of a folder by their numbers.

    Args:
        names: file names; what is no numbered picture is left out. folder: for messages.

    Returns:
        {number: name}, ascending.

    Raises:
        ColorizeError: two pictures have one number.
    """
    frames: dict[int, str] = {}
    for name in sorted(names):
        number = frame_number(name)
        if number is None:
            continue
        if number in frames:
            raise ColorizeError(
                f"{folder}: {frames[number]} and {name} are both frame {number}. Keep one numbered picture a frame in "
                "a folder of its own; masks or colour keys go into another folder."
            )
        frames[number] = name
    return dict(sorted(frames.items()))


def pick_frames(frames: dict[int, str], first: int, count: int, folder: str) -> dict[int, str]:
    """Pick consecutive frames.

    Args:
        frames: from `numbered_frames`.
        first: number of the first one; 0 for the folder's first.
        count: how many; 0 for all that follow.

    Raises:
        ColorizeError: there are none, or one between them is missing.
    """
    if not frames:
        raise ColorizeError(
            f"{folder} holds no numbered pictures; expected names such as frame_0001.png ({', '.join(SUFFIXES)})."
        )
    start = first or min(frames)
    stop = start + count if count else max(frames) + 1
    picked = {number: name for number, name in frames.items() if start <= number < stop}
    # A date in a file's name is a frame's number too, so a stretch may be far longer than the folder has files.
    missing = stop - start - len(picked)
    if missing or stop <= start:
        first_missing = next(number for number in itertools.count(start) if number not in picked)
        raise ColorizeError(
            f"{folder} has frames {min(frames)} to {max(frames)}; asked for are {start} to {stop - 1}, of which "
            f"{missing if missing > 0 else 'all'} are missing (first: {first_missing}). Change first_frame and "
            "frame_count, or add the drawings."
        )
    return picked
