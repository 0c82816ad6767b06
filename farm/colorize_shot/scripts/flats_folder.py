"""The folder that the flats of a shot are written into, and the book that says what was written from what.

The folder ends up holding what the inputs give. Nothing that somebody has put there or changed by hand is lost: what
is in the way of it goes into the subfolder `replaced`, and so do cels of frames that are in the job no more.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from job_log import log
from shot_files import write_whole

BOOK = ".colorize_flats.json"
REPLACED = "replaced"
#: Files of which a message names each.
MOST_NAMED = 5


@dataclass(frozen=True)
class Book:
    """What the job has written into a folder.

    Attributes:
        inputs: hash of all that the files were made from; empty while they are being written.
        files: {path below the folder: hash} of what is there. begun: the same of what was about to be written.
    """

    inputs: str = ""
    files: dict[str, str] = field(default_factory=dict)
    begun: dict[str, str] = field(default_factory=dict)

    def wrote(self, name: str, found: str) -> bool:
        """Tell whether a file with this hash is the job's own, as it was written."""
        return found in (self.files.get(name), self.begun.get(name))


def file_hash(path: Path) -> str | None:
    """Hash a file; None where there is none."""
    try:
        with path.open("rb") as file:
            total = hashlib.sha256()
            while piece := file.read(1 << 20):
                total.update(piece)
    except FileNotFoundError:
        return None
    return total.hexdigest()


def read_book(folder: Path) -> Book:
    """Read what the job has written into a folder; an empty book where that is not known."""
    try:
        book = json.loads((folder / BOOK).read_text(encoding="utf-8"))
        known = [{name: str(found) for name, found in book[part].items() if below(name)} for part in ("files", "begun")]
        return Book(str(book["inputs"]), *known)
    except (OSError, ValueError, TypeError, AttributeError, LookupError):
        return Book()


def below(name: str) -> bool:
    """Tell whether a name stays below the folder that it is joined to."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def write_book(folder: Path, book: Book) -> None:
    """Write it, whole or not at all."""
    write_whole(folder / BOOK, (json.dumps(asdict(book), indent=1) + "\n").encode())


def why_anew(folder: Path, inputs: str) -> str:
    """Say why the files have to be made; nothing where they are all there, as these inputs give them."""
    book = read_book(folder)
    if not book.files:
        return "there are none yet"
    if book.inputs != inputs:
        return "a drawing, a coloured frame or another input has changed" if book.inputs else "they are unfinished"
    found = {name: file_hash(folder / name) for name in book.files}
    gone = [name for name, now in found.items() if now is None]
    changed = [name for name, now in found.items() if now is not None and now != book.files[name]]
    told = [f"{named(gone)} gone"] * bool(gone) + [f"{named(changed)} changed by hand"] * bool(changed)
    return " and ".join(told)


def put_files(folder: Path, files: Mapping[str, Path], inputs: str) -> None:
    """Bring a folder to hold these files: {path below it: file}.

    A file that is there already stays as it is. Stopped in the middle, the next time goes on from there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    book = read_book(folder)
    new = {name: file_hash(path) or "" for name, path in files.items()}
    write_book(folder, Book("", book.files, {**book.begun, **new}))
    stale = {*book.files, *book.begun} - set(new)
    for name in sorted(stale | set(new)):
        found = file_hash(folder / name)
        if found is None or found == new.get(name):
            continue
        if name in stale:
            move_aside(folder, name, "is of no frame of this job")
        elif not book.wrote(name, found):
            move_aside(folder, name, "was not written by this job, or was changed by hand")
    for name, path in files.items():
        if file_hash(folder / name) != new[name]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, path.read_bytes())
            log.info("wrote %s", folder / name)
    write_book(folder, Book(inputs, new))


def move_aside(folder: Path, name: str, why: str) -> None:
    """Keep a file that cannot stay where it is."""
    target = folder / REPLACED / name
    target.parent.mkdir(parents=True, exist_ok=True)
    stem, count = target.stem, 1
    while target.exists():
        target, count = target.with_name(f"{stem}.{count}{target.suffix}"), count + 1
    os.replace(folder / name, target)
    log.info("%s %s: moved to %s", folder / name, why, target)


def named(names: list[str]) -> str:
    """Name some files in a sentence, up to their verb.

    Example:
        >>> named(["ink_0001.png", "ink_0002.png"])
        'ink_0001.png, ink_0002.png are'
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(sorted(names)[:MOST_NAMED])}{more} {'is' if len(names) == 1 else 'are'}"
