"""Which pictures belong together: by name, by a list, or shuffled."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from host import core

ColorizeError = core("errors").ColorizeError

#: What is taken for a picture.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".tga")
#: Of sentences of one kind so many are told one by one.
TOLD = 10
#: Columns of a list of pairs; the first has to be there.
COLUMNS = ("name", "truth", "reference")


@dataclass(frozen=True)
class Group:
    """A result and what belongs to it.

    Attributes:
        name: of the result, without its suffix; with the folders it lies in below the one that was given.
        truth, reference, mask, labels: None where there is none.
    """

    name: str
    result: Path
    truth: Path | None = None
    reference: Path | None = None
    mask: Path | None = None
    labels: Path | None = None


def pictures_in(folder: Path, option: str) -> dict[str, Path]:
    """Return a folder's pictures by name, sorted; those of folders in it have names such as `shot/0001`."""
    if not folder.is_dir():
        raise ColorizeError(
            f"`{option}` is {folder}, which is no folder; expected a folder with pictures. Look at the path."
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in inside.parts):
            continue
        name = inside.with_suffix("").as_posix()
        if name in found:
            raise ColorizeError(
                f"`{option}` holds {found[name].name} and {path.name}; expected one picture a name. Move one away."
            )
        found[name] = path
    if not found:
        raise ColorizeError(
            f"`{option}` is {folder}, which holds no picture; expected files that end in {', '.join(SUFFIXES)}."
        )
    return found


def read_list(path: Path) -> dict[str, dict[str, str]]:
    """Read which truth and reference belong to which result.

    The file is CSV with a first line of column names out of `COLUMNS`; names may have suffixes. A column or cell that
    is left out means the result's own name.

    Returns:
        the result's name -> {"truth": name, "reference": name}.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.DictReader(file)
            columns, rows = list(lines.fieldnames or []), list(lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ColorizeError(f"`--pairs` is {path}, which cannot be read ({error}); expected a CSV file.") from error
    if COLUMNS[0] not in columns or not set(columns) <= set(COLUMNS):
        raise ColorizeError(
            f"`--pairs` has the columns {', '.join(columns) or 'none'}; expected {', '.join(COLUMNS)} in its first "
            "line, of which truth and reference may be left out."
        )
    listed: dict[str, dict[str, str]] = {}
    for row in rows:
        name = bare(row[COLUMNS[0]] or "")
        if name in listed:
            raise ColorizeError(f"`--pairs` names the result {name} twice; expected one line a result.")
        listed[name] = {column: bare(row.get(column) or name) for column in COLUMNS[1:]}
    return listed


def bare(name: str) -> str:
    """Return a name without the suffix of a picture."""
    name = name.strip().replace("\\", "/")
    return next((name[: -len(suffix)] for suffix in SUFFIXES if name.lower().endswith(suffix)), name)


def shuffle(names: Iterable[str], seed: int) -> dict[str, str]:
    """Give every name another one, each once: a single ring through all, drawn from the seed.

    Names are sorted first, so that the same names and seed give the same ring on any machine.
    """
    order = sorted(names)
    if len(order) < 2:
        raise ColorizeError(f"{len(order)} picture is too few to shuffle; expected at least two.")
    ring = np.random.default_rng(seed).permutation(len(order))
    return {order[here]: order[there] for here, there in zip(ring, np.roll(ring, -1), strict=True)}


def group(
    results: dict[str, Path],
    truth: dict[str, Path],
    references: dict[str, Path],
    masks: dict[str, Path],
    labels: dict[str, Path],
    partners: dict[str, dict[str, str]] | None = None,
) -> tuple[list[Group], list[str]]:
    """Find what belongs to each result; folders that were not given are empty.

    Args:
        masks, labels: by the truth's name. partners: the result's name -> names of its truth and its reference, in
            place of its own; results that it does not name are left out.

    Returns:
        the groups, sorted by name, and a sentence for everything that has no partner.
    """
    lacking: dict[str, list[str]] = {}

    def find(folder: dict[str, Path], name: str, what: str, of: str) -> Path | None:
        if folder and name not in folder:
            lacking.setdefault(what, []).append(of)
        return folder.get(name)

    groups = []
    if partners:
        lacking["The list has no line for the result"] = [name for name in results if name not in partners]
        lacking["The list names a result that is not there:"] = [name for name in partners if name not in results]
    for name, path in results.items():
        if partners is not None and name not in partners:
            continue
        other = (partners or {}).get(name, {})
        right, shown = other.get("truth", name), other.get("reference", name)
        found = Group(
            name,
            path,
            find(truth, right, "No truth for the result", name),
            find(references, shown, "No reference for the result", name),
            find(masks, right, "No mask for the result", name),
            find(labels, right, "No label picture for the result", name),
        )
        groups.append(found)
    used = {found.truth for found in groups}
    lacking["No result for the truth"] = [name for name, path in truth.items() if path not in used]
    notes = [sentence for what, names in lacking.items() for sentence in told(what, names)]
    for option, folder, kind in (("--truth", truth, "truth"), ("--references", references, "reference")):
        if folder and all(getattr(found, kind) is None for found in groups):
            raise ColorizeError(
                f"`{option}` holds {', '.join(list(folder)[:3])} …, `--results` {', '.join(list(results)[:3])} …; "
                "expected the same names, whatever their suffixes. Rename the results, or give a list with `--pairs`."
            )
    return groups, notes


def told(what: str, names: list[str]) -> list[str]:
    """Return a sentence a name, and one for all that are too many to tell."""
    sentences = [f"{what} {name}." for name in names[:TOLD]]
    more = len(names) - TOLD
    return sentences if more <= 0 else [*sentences, f"{what}: {more} more names."]
