"""All results beside each other: a row a pair, a column a graph."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
from evaluation.pictures import read_picture
from PIL import Image

from .graph_files import caption
from .pairs import Pair

sys.path.append(str(Path(__file__).resolve().parents[2] / "demo"))
from contact_sheet import contact_sheet

#: Characters of a title's line for every 100 pixels of a column.
LETTERS = 13


def draw_sheet(pairs: list[Pair], results: dict[str, Path], side: int) -> Image.Image:
    """Return the sheet: drawing, reference and what else was given, every graph's result, the truth last."""
    given = ["Drawing", "Reference", *(title for title in ("Background",) if title in pairs[0].pictures)]
    last = [title for title in ("Truth",) if title in pairs[0].pictures]
    titles = [*map(str.lower, given), *map(caption, results), *map(str.lower, last)]
    rows = []
    for pair in pairs:
        before, after = ([pair.pictures[title] for title in some] for some in (given, last))
        found = [folder / f"{pair.name}.png" for folder in results.values()]
        rows.append([shown(path) for path in (*before, *found, *after)])
    wrapped = ["\n".join(textwrap.wrap(title, max(8, side * LETTERS // 100))) for title in titles]
    return contact_sheet(wrapped, rows, side, [pair.name for pair in pairs])


def shown(path: Path) -> np.ndarray | None:
    """Return a picture [H, W, 3] uint8; None where there is none."""
    if not path.is_file():
        return None
    picture: np.ndarray = (read_picture(path)[0] * 255).round().byte().numpy()
    return picture
