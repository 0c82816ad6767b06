"""Cels of a shot in a folder of their own below ComfyUI's output folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...finish.cels import FORMATS, cel_of, check_indexed, painted, write_cel
from ...finish.gpl_file import SUFFIX, write_gpl
from ...finish.regions import Regions
from ...prepare.pictures import checked_picture
from ..prepare.frames import each_frame
from ..saved_place import SavedPlace, refused_names, saved_place
from .finished_parts import at, check_counts, check_lines_fit, rgb_frame

#: Digits that a frame's number is filled up to.
DIGITS = 4


class SavedCels(NamedTuple):
    """What has been saved: the files, as ComfyUI tells of them; pictures [B, H, W, 4] where its page shows none."""

    files: list[dict[str, str]]
    preview: Tensor | None


def save_cels(regions: Regions, drawing: Tensor | None, kind: str, prefix: str, first_frame: int) -> SavedCels:
    """Save each frame of a shot as a file, and the palette beside them.

    A take is a folder of its own, `shot_00001`, which appears when it is complete; another one never gets into it.

    Args:
        regions: with swatches. drawing: [B or 1, H, W, C] in [0, 1]. kind: of `FORMATS`.
        prefix: path below the output folder, as `saved_place` takes it. first_frame: number of the first file.

    Raises:
        ColorizeError: the regions have no swatches, sizes or counts differ, there are too many colours for the kind, or
            nothing can be saved there.
    """
    palette, _ = painted(regions)
    if drawing is not None:
        checked_picture(drawing, "drawing")
    check_lines_fit(drawing, regions)
    check_counts({"regions": regions, "drawing": drawing})
    if kind == "png_indexed":
        black = drawing is not None and not any(swatch.role == "line" for swatch in palette.swatches)
        check_indexed(len(palette) + black + 1)
    count = max(len(regions), 1 if drawing is None else len(drawing))
    names, shown = [], []
    with refused_names(prefix, "cel", "Save Cels"):
        place = saved_place(prefix, "cels/shot")
        with new_folder(place) as (part, folder):
            for frame in each_frame(count):
                lines = rgb_frame(drawing, frame, "drawing", regions.size)
                cel = cel_of(regions.frame(at(regions, frame)), lines)
                names.append(f"{place.name}_{first_frame + frame:0{DIGITS}}{FORMATS[kind]}")
                with (part / names[-1]).open("xb") as file:
                    write_cel(cel, kind, file)
                if kind == "tga":
                    shown.append(torch.from_numpy(cel.rgba.astype(np.float32) / 255))
            write_gpl(palette, part / f"{place.name}{SUFFIX}", place.name)
    subfolder = "/".join(filter(None, (place.subfolder.replace("\\", "/"), folder[0])))
    files = [{"filename": name, "subfolder": subfolder, "type": "output"} for name in names]
    return SavedCels(files, torch.stack(shown) if shown else None)


@contextmanager
def new_folder(place: SavedPlace) -> Iterator[tuple[Path, list[str]]]:
    """Make a folder that takes its name, under the next free number, only once all is in it.

    Yields:
        Where to write; a list that gets the folder's final name.
    """
    part = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".part", dir=place.folder))
    final: list[str] = []
    try:
        yield part, final
        part.chmod(0o755)
        number = place.counter
        while (place.folder / f"{place.name}_{number:05}").exists():
            number += 1
        os.replace(part, place.folder / f"{place.name}_{number:05}")
        final.append(f"{place.name}_{number:05}")
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
