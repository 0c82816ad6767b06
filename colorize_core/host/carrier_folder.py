"""Carrier files in ComfyUI's input and output folders, and never outside them."""

import os
from pathlib import Path

import folder_paths

from ..carrier import Carrier
from ..carrier_file import SUFFIX, read_carrier, write_carrier
from ..errors import ColorizeError, told
from .colorizer import Colorizer
from .contained import contained, is_inside
from .encode import check_carrier

#: Subfolder of input and output that is searched through for carrier files.
SUBFOLDER = "carriers"
OUTPUT_MARK = " [output]"


def carrier_choices() -> list[str]:
    """List the carrier files of the input folder, then those of the output folder with ComfyUI's mark `[output]`.

    Searched are the folders themselves and everything under `carriers`, but not all of an output folder, which may
    hold a hundred thousand pictures.
    """
    found = []
    for folder, mark in ((folder_paths.get_input_directory(), ""), (folder_paths.get_output_directory(), OUTPUT_MARK)):
        root = Path(folder)
        files = [*root.glob(f"*{SUFFIX}"), *root.glob(f"{SUBFOLDER}/**/*{SUFFIX}")]
        names = sorted(file.relative_to(root).as_posix() for file in files if is_inside(file, root))
        found += [name + mark for name in names if not Path(name).name.startswith(".")]
    return found


def carrier_path(name: str) -> Path:
    """Find the file that an entry of `carrier_choices` stands for.

    Args:
        name: path below the input folder, or below the output folder with ` [output]` behind it.

    Raises:
        ColorizeError: there is no such file, or it does not lie in one of the two folders.
    """
    inner, folder = folder_paths.annotated_filepath(name)
    folder = folder or folder_paths.get_input_directory()
    allowed = {folder_paths.get_input_directory(), folder_paths.get_output_directory()}
    path = contained(inner, folder) if folder in allowed else None
    if path is None:
        raise ColorizeError(
            f"`file` is {told(name)}, which does not lie in ComfyUI's input or output folder. Move the carrier file "
            f"into one of them, best into {SUBFOLDER}, and choose it in Load Carrier."
        )
    if not path.name.endswith(SUFFIX) or not os.path.isfile(path):
        raise ColorizeError(
            f"`file` is {told(name)}, but there is no such carrier file. Expected a file ending with {SUFFIX} in "
            f"ComfyUI's input folder, or in its output folder with “{OUTPUT_MARK.strip()}” behind the name."
        )
    return path


def load_carrier(name: str, colorizer: Colorizer | None = None) -> Carrier:
    """Load a carrier; with a colorizer, refuse one of another checkpoint at once."""
    carrier = read_carrier(carrier_path(name))
    if colorizer is not None:
        check_carrier(carrier, colorizer)
    return carrier


def save_carrier(carrier: Carrier, prefix: str) -> dict[str, str]:
    """Save a carrier in the output folder under the next free number.

    Args:
        prefix: path below the output folder; %year%, %month%, … are filled in as in Save Image.

    Returns:
        Where it lies, as ComfyUI tells of saved files: filename, subfolder, type.
    """
    output = folder_paths.get_output_directory()
    folder = Path(output) / os.path.dirname(os.path.normpath(prefix))
    if contained(prefix, output) is None or not is_inside(folder, output):
        raise ColorizeError(
            f"`filename_prefix` is {told(prefix)}; expected a path below ComfyUI's output folder, such as "
            f"{SUBFOLDER}/hero, without “..” and not absolute."
        )
    try:
        full, name, counter, subfolder, _ = folder_paths.get_save_image_path(prefix, output)
        file = f"{name}_{counter:05}_{SUFFIX}"
        write_carrier(carrier, Path(full) / file)
    except OSError as error:
        raise ColorizeError(
            f"`filename_prefix` is {told(prefix)}, but no carrier can be saved there ({error.strerror}). Choose a "
            "shorter or another name in Save Carrier, or make room on the disk."
        ) from error
    return {"filename": file, "subfolder": subfolder, "type": "output"}
