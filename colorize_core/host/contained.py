"""Names of files and folders that come from the graph, and the folders of ComfyUI that they must not lead out of."""

import os
from pathlib import Path


def contained(name: str, folder: str | Path) -> Path | None:
    """Return the path that a name stands for below a folder.

    Args:
        name: as it came; may not be absolute. folder: of ComfyUI's.

    Returns:
        None where the name leads out of the folder, symbolic links followed, or can be no path at all.
    """
    if not name.strip() or os.path.isabs(name):
        return None
    path = Path(folder) / name
    return path if is_inside(path, folder) else None


def is_inside(path: str | Path, folder: str | Path) -> bool:
    """Tell whether a path, symbolic links followed, lies in a folder; what can be no path lies nowhere."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):  # a NUL, half a surrogate pair, a drive that is none
        return False
