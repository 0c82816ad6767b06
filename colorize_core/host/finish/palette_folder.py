"""Palette files in ComfyUI's input and output folders."""

import os
from pathlib import Path

import folder_paths

from ...errors import ColorizeError, told
from ...finish.gpl_file import SUFFIX, read_gpl, write_gpl
from ...finish.palette import Palette
from ..contained import contained, folders_below, leading_out, refused_link, root_of
from ..saved_place import refused_names, saved_place

#: Subfolder of input and output that is searched through for palettes.
SUBFOLDER = "palettes"
OUTPUT_MARK = " [output]"


def palette_choices() -> list[str]:
    """List the palettes of the input folder, then those of the output folder with ComfyUI's mark `[output]`.

    Searched are the folders themselves and everything under `palettes`.
    """
    found = []
    for kind, mark in (("input", ""), ("output", OUTPUT_MARK)):
        root = root_of(kind)
        files = list(root.glob("*"))
        files += [folder / name for folder, names in folders_below(kind, SUBFOLDER) for name in names]
        files = [file for file in files if file.name.lower().endswith(SUFFIX) and not file.name.startswith(".")]
        found += sorted(file.relative_to(root).as_posix() + mark for file in files if not leading_out(file, kind))
    return found


def palette_path(name: str) -> Path:
    """Find the file that an entry of `palette_choices` stands for.

    Args:
        name: path below the input folder, or below the output folder with ` [output]` behind it.

    Raises:
        ColorizeError: there is no such file, or it does not lie in one of the two folders.
    """
    inner, folder = folder_paths.annotated_filepath(name)
    kinds = {None: "input"} | {folder_paths.get_directory_by_type(kind): kind for kind in ("input", "output")}
    kind = kinds.get(folder)
    path = contained(inner, root_of(kind)) if kind else None
    if kind is None or path is None:
        raise ColorizeError(
            f"`file` is {told(name)}, which does not lie in ComfyUI's input or output folder. Move the palette file "
            f"into one of them, best into {SUBFOLDER}, and choose it in Load Palette."
        )
    link = leading_out(path, kind)
    if link is not None:
        raise ColorizeError(f"`file` is {told(name)}; {refused_link(link, kind)}")
    if not path.name.lower().endswith(SUFFIX) or not os.path.isfile(path):
        raise ColorizeError(
            f"`file` is {told(name)}, but there is no such palette. Expected a file ending with {SUFFIX} in ComfyUI's "
            f"input folder, or in its output folder with “{OUTPUT_MARK.strip()}” behind the name."
        )
    return path


def load_palette(name: str) -> Palette:
    """Load one of `palette_choices`."""
    return read_gpl(palette_path(name))


def save_palette(palette: Palette, prefix: str) -> dict[str, str]:
    """Save a palette in the output folder under the next free number.

    Args:
        prefix: path below the output folder, as `saved_place` takes it.

    Returns:
        Where it lies, as ComfyUI tells of saved files: filename, subfolder, type.
    """
    with refused_names(prefix, "palette", "Save Palette"):
        place = saved_place(prefix, f"{SUBFOLDER}/hero")
        file = f"{place.name}_{place.counter:05}_{SUFFIX}"
        write_gpl(palette, place.folder / file, place.name)
    return place.told(file)
