"""The files of a shot: numbered drawings, and coloured frames that say what they were made from."""

import hashlib
import itertools
import json
import os
import re
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".tga")
#: As Load Frames reads them: which number in a name is the frame's, and a minus that counts.
POSITIONS = {"last": -1, "second_last": -2, "third_last": -3, "first": 0, "second": 1, "third": 2}
NUMBER = re.compile(r"(?:(?:^|(?<=[_.]))-)?\d+")
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
#: Largest header of a carrier in bytes, as the pack reads it.
MAX_HEADER = 1 << 20
#: Keyword of the text in a frame's PNG that holds the hash of its inputs.
STAMP = b"colorize_inputs"


class ShotError(RuntimeError):
    """The job's files are not as they should be."""


def parse_frames(text: str) -> list[int]:
    """Read a range of frames as Open Job Description writes it.

    Example:
        >>> parse_frames("1-3,8,10-14:2")
        [1, 2, 3, 8, 10, 12, 14]
    """
    frames: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(-?\d+)(?:-(-?\d+)(?::(-?\d+))?)?\s*", part)
        if not match:
            raise ShotError(f"{text!r} is no range of frames; expected something like 1-48 or 1-10,20-30:2.")
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        frames |= set(range(first, last + (1 if step > 0 else -1), step))
    return sorted(frames)


def runs(frames: Iterable[int]) -> list[list[int]]:
    """Cut ascending frames where one is left out.

    Example:
        >>> runs([1, 2, 3, 7, 8])
        [[1, 2, 3], [7, 8]]
    """
    cut: list[list[int]] = []
    for frame in frames:
        if cut and cut[-1][-1] == frame - 1:
            cut[-1].append(frame)
        else:
            cut.append([frame])
    return cut


def number_in(path: Path, which: str) -> re.Match[str] | None:
    """Find the number of a picture in the stem of its name, None where it is none."""
    found = list(NUMBER.finditer(path.stem))
    position = POSITIONS[which]
    is_picture = path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    return found[position] if is_picture and -len(found) <= position < len(found) else None


def numbered(folder: Path, wanted: list[int], which: str = "last", missing: str = "refuse") -> dict[int, Path]:
    """Find the pictures with these numbers.

    Args:
        which, missing: as in Load Frames: which number in a name counts, and what is done about one that is not there.
    """
    if not folder.is_dir():
        raise ShotError(f"{folder} is no folder.")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = number_in(path, which)
        if match is None:
            continue
        number = int(match[0])
        if number in found and (number in wanted or missing == "hold"):
            raise ShotError(f"{folder}: {found[number].name} and {path.name} are both frame {number}.")
        found[number] = path
    if missing == "hold":
        held = itertools.accumulate(sorted({*found, *wanted}), lambda last, number: number if number in found else last)
        found = {n: found[last] for n, last in zip(sorted({*found, *wanted}), held, strict=True) if last in found}
    lacking = [number for number in wanted if number not in found]
    if lacking and missing != "skip":
        raise ShotError(f"{folder} lacks {len(lacking)} of the job's frames, first {lacking[0]}.")
    return {number: found[number] for number in wanted if number in found}


def named_for(frame: int, drawing: Path, which: str) -> str:
    """Return the stem of a frame's file: the drawing's own, with the frame's number where the drawing is held.

    Example:
        >>> named_for(8, Path("ink_0007.png"), "last")
        'ink_0008'
    """
    match = number_in(drawing, which)
    if match is None or int(match[0]) == frame:
        return drawing.stem
    return f"{drawing.stem[: match.start()]}{frame:0{len(match[0])}}{drawing.stem[match.end() :]}"


def digest(*contents: bytes | Path) -> str:
    """Hash files and texts, each with its length."""
    total = hashlib.sha256()
    for content in contents:
        data = content.read_bytes() if isinstance(content, Path) else content
        total.update(struct.pack(">Q", len(data)) + data)
    return total.hexdigest()


def copy_frames(files: Mapping[int, Path], folder: Path) -> None:
    """Copy the pictures of frames into a folder, under names that say no more than their numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, path in files.items():
        shutil.copyfile(path, folder / f"frame_{frame:08}{path.suffix.lower()}")


def copy_inputs(files: Mapping[str, Path], folder: Path) -> None:
    """Copy files into ComfyUI's input folder: {name there: file}; those that are there already stay."""
    for name, path in files.items():
        if not (folder / name).is_file() or digest(folder / name) != digest(path):
            shutil.copyfile(path, folder / name)


def check_carrier(path: Path) -> None:
    """Refuse a carrier that holds something for each frame: a run of as many frames would take it for its own.

    A file whose start cannot be read is left to ComfyUI, which tells what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, MAX_HEADER)))
        tensors = {name: entry["shape"][0] for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, AttributeError, TypeError, LookupError):
        return
    for name, count in tensors.items():
        if count != 1:
            raise ShotError(
                f"{path.name} holds {count} rows of {name}, one for each frame of the shot that it was saved with; "
                "a job cuts the shot anew, and needs one for all. Save the carrier from one reference, one background "
                "and one mask; Apply Colorization takes the masks of all frames."
            )


def stamped(png: bytes, text: str) -> bytes:
    """Put a text into a PNG, behind its first chunk."""
    if not png.startswith(PNG_START) or not png.endswith(PNG_END):
        raise ShotError("ComfyUI gave a picture that is no whole PNG.")
    head = len(PNG_START) + 25  # signature; length, name, 13 bytes and checksum of the header
    body = b"tEXt" + STAMP + b"\0" + text.encode("latin-1")
    return png[:head] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + png[head:]


def stamp_of(path: Path) -> str | None:
    """Return the text that `stamped` has put into a PNG; None where there is no such file, text or end."""
    try:
        png = path.read_bytes()
    except OSError:
        return None
    if not png.startswith(PNG_START) or not png.endswith(PNG_END):
        return None
    start = len(PNG_START)
    while start + 12 <= len(png):
        (length,) = struct.unpack(">I", png[start : start + 4])
        name, body = png[start + 4 : start + 8], png[start + 8 : start + 8 + length]
        if name == b"tEXt" and body.startswith(STAMP + b"\0"):
            return body[len(STAMP) + 1 :].decode("latin-1")
        start += 12 + length
    return None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is either there and whole, or as it was before."""
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
