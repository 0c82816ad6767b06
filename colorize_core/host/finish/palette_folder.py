"""Palette files in ComfyUI's input and output folders."""

from ...finish.gpl_file import SUFFIX, read_gpl, write_gpl
from ...finish.palette import Palette
from ..chosen_files import ChosenFiles
from ..saved_place import refused_names, saved_place

PALETTES = ChosenFiles("palette file", "Load Palette", SUFFIX, "palettes", any_case=True)


def load_palette(name: str) -> Palette:
    """Load one of the choices of `PALETTES`."""
    return read_gpl(PALETTES.path(name))


def save_palette(palette: Palette, prefix: str) -> dict[str, str]:
    """Save a palette in the output folder under the next free number.

    Args:
        prefix: path below the output folder, as `saved_place` takes it.

    Returns:
        Where it lies, as ComfyUI tells of saved files: filename, subfolder, type.
    """
    with refused_names(prefix, "palette", "Save Palette"):
        place = saved_place(prefix, f"{PALETTES.subfolder}/hero")
        file = f"{place.name}_{place.counter:05}_{SUFFIX}"
        write_gpl(palette, place.folder / file, place.name)
    return place.told(file)
