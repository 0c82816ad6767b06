"""Which pictures go into the graphs together: by name, as for benchmarks/evaluate.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluation.folders import pictures_in, told
from host import core

ColorizeError = core("errors").ColorizeError

#: Titles of the nodes that load a pair's pictures -> option that gives them.
OPTIONS = {
    "Drawing": "drawings",
    "Reference": "references",
    "Background": "backgrounds",
    "Mask": "masks",
    "Reference mask": "reference_masks",
    "Truth": "truth",
}


@dataclass(frozen=True)
class Pair:
    """A drawing and what belongs to it.

    Attributes:
        name: the drawing's, without its suffix. pictures: by the title of the node that loads them.
    """

    name: str
    pictures: dict[str, Path]


def find_pairs(given: dict[str, Path | None]) -> tuple[list[Pair], list[str]]:
    """Find what belongs to each drawing.

    Args:
        given: option -> folder, or one picture for all drawings, or None.

    Returns:
        the pairs, sorted by name, and a sentence for every drawing that lacks one of its pictures and is left out.
    """
    found: dict[str, dict[str, Path] | Path] = {}
    for title, option in OPTIONS.items():
        path = given.get(option)
        if path is not None:
            alone = path.is_file() and title != "Drawing"
            found[title] = path if alone else pictures_in(path, f"--{option.replace('_', '-')}")
    drawings = found["Drawing"]
    assert isinstance(drawings, dict)
    pairs, lost = [], {}
    for name in drawings:
        pictures = {title: some if isinstance(some, Path) else some.get(name) for title, some in found.items()}
        there = {title: path for title, path in pictures.items() if path is not None}
        for title in pictures.keys() - there.keys():
            lost.setdefault(f"No {title.lower()} for the drawing", []).append(name)
        if len(there) == len(pictures):
            pairs.append(Pair(name, there))
    notes = [sentence for what, names in sorted(lost.items()) for sentence in told(what, names)]
    if not pairs:
        raise ColorizeError(
            f"None of the {len(drawings)} drawings has all its pictures; expected the same names in every folder, "
            f"whatever their suffixes. {notes[0]}"
        )
    return pairs, notes
