"""Where a saver of the pack puts its files: below ComfyUI's output folder, under the next free number."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import folder_paths

from ..errors import ColorizeError, told
from .contained import contained, leading_out, refused_link, root_of

#: What ComfyUI's server fills in -> the same as the page's %date:…% writes it.
PARTS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "hh", "minute": "mm", "second": "ss"}


class SavedPlace(NamedTuple):
    """A folder that is there, and what names in it begin with.

    Attributes:
        counter: the next free number, from 1. subfolder: of the output folder, as ComfyUI tells of saved files.
    """

    folder: Path
    name: str
    counter: int
    subfolder: str

    def told(self, file: str) -> dict[str, str]:
        """Return what ComfyUI's page is told of a file that has been saved here."""
        return {"filename": file, "subfolder": self.subfolder, "type": "output"}


def saved_place(prefix: str, example: str) -> SavedPlace:
    """Find the place that a `filename_prefix` names, and make its folder.

    Args:
        prefix: path below the output folder; `filled_in` says what may stand in it. A backslash parts folders on every
            system.
        example: such a path, for the message.

    Raises:
        ColorizeError: it leads out of the output folder. OSError: no folder can be made there; see `refused_names`.
    """
    output = root_of("output")
    path = contained(filled_in(prefix, time.localtime()), output)
    if path is None or path == output:
        raise ColorizeError(
            f"`filename_prefix` is {told(prefix)}; expected a path below ComfyUI's output folder, such as "
            f"{example}, without “..” and not absolute."
        )
    link = leading_out(path.parent, "output")
    if link is not None:
        raise ColorizeError(f"`filename_prefix` is {told(prefix)}; {refused_link(link, 'output')}")
    below = path.relative_to(output).as_posix()
    full, name, counter, subfolder, _ = folder_paths.get_save_image_path(below, str(output))
    return SavedPlace(Path(full), name, counter, subfolder)


@contextmanager
def refused_names(prefix: str, what: str, node: str) -> Iterator[None]:
    """Say of a name or a disk that takes no file what to do about it.

    Args:
        prefix: the input `filename_prefix`. what: is saved. node: its name for people.
    """
    try:
        yield
    except OSError as error:
        raise ColorizeError(
            f"`filename_prefix` is {told(prefix)}, but no {what} can be saved there ({error.strerror}). Choose a "
            f"shorter or another name in {node}, or make room on the disk."
        ) from error


def filled_in(prefix: str, now: time.struct_time) -> str:
    """Fill in the time, as ComfyUI's page and server together do for Save Image.

    Example:
        >>> filled_in("%date:yyyy-MM-dd%/hero_%hour%", time.strptime("2026-03-07 09", "%Y-%m-%d %H"))
        '2026-03-07/hero_09'
    """

    def told_of(match: re.Match[str]) -> str:
        written = match["format"] if match["format"] is not None else PARTS[match["part"]]
        return re.sub(r"yyy?y?|([dMhms])\1?", lambda piece: _time(piece[0], now), written)

    return re.sub(rf"%(?:date:(?P<format>[^%]+)|(?P<part>{'|'.join(PARTS)}))%", told_of, prefix)


def _time(piece: str, now: time.struct_time) -> str:
    if piece.startswith("y"):
        return {"yyyy": str(now.tm_year), "yy": f"{now.tm_year:02}"[-2:]}.get(piece, piece)
    values = {"d": now.tm_mday, "M": now.tm_mon, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}
    return str(values[piece[0]]).zfill(len(piece))
