"""Names of files and folders that come from the graph, and the folders of ComfyUI that they must not lead out of.

No name leads out of a folder by itself, by `..` or from the root. Links that the owner of the machine has put into a
folder are followed as the ComfyUI that runs here follows them: up to some version all are, later ones stay inside.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import folder_paths

#: How deep folders are listed below a link; what it leads to may be a whole disk.
LINKED_DEPTH = 2


def contained(name: str, folder: str | Path) -> Path | None:
    """Return the path that a name stands for below a folder, links in it not looked at.

    Args:
        name: as it came; may not be absolute; a backslash parts folders on every system. folder: of ComfyUI's.

    Returns:
        None where the name leads out of the folder, or can be no path at all.
    """
    name = name.replace("\\", "/")
    if not name.strip() or "\0" in name or os.path.isabs(name):
        return None
    path, root = os.path.abspath(os.path.join(folder, name)), os.path.abspath(folder)
    try:
        os.fsencode(path)
        return Path(path) if os.path.commonpath((root, path)) == root else None
    except ValueError:  # half a surrogate pair, another drive
        return None


def leading_out(path: Path, kind: str) -> Path | None:
    """Return the link on the way to a path that leads out of a folder, where this ComfyUI does not follow it.

    Args:
        path: from `contained`. kind: whose folder it was looked up in, "input" or "output".
    """
    root = root_of(kind)
    parts = path.relative_to(root).parts
    steps = [root.joinpath(*parts[: depth + 1]) for depth in range(len(parts))]
    return next((step for step in steps if not _is_followed(step, kind)), None)


def refused_link(link: Path, kind: str) -> str:
    """Say of a link from `leading_out` where it leads, and what to do."""
    return (
        f"{link.relative_to(root_of(kind)).as_posix()} is a link to {os.path.realpath(link)}, outside ComfyUI's {kind} "
        f"folder, where this version of ComfyUI follows no links. Mount the folder there in place of the link, start "
        f"ComfyUI with --{kind}-directory, or copy the files."
    )


def root_of(kind: str) -> Path:
    """Return ComfyUI's folder "input" or "output"."""
    return Path(os.path.abspath(folder_paths.get_directory_by_type(kind)))


def folders_below(kind: str, start: str = "") -> Iterator[tuple[Path, list[str]]]:
    """Walk through ComfyUI's input or output folder as far as `leading_out` finds nothing.

    Hidden folders are left out, and so are a link back to a folder above it, and what lies deeper than `LINKED_DEPTH`
    below a link that leads out.

    Args:
        start: a subfolder to begin with.

    Yields:
        Each folder, the first one included, with the names of its files.
    """
    root = root_of(kind)
    yield from _walk(root / start, kind, LINKED_DEPTH if _leads_elsewhere(root / start, root) else None, ())


def _walk(path: Path, kind: str, depth: int | None, above: tuple[str, ...]) -> Iterator[tuple[Path, list[str]]]:
    """Go on below a folder: `depth` folders deep, or as deep as it gets."""
    real = os.path.realpath(path)
    if real in above or not _is_followed(path, kind):
        return
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError:  # not there, not ours to read, or gone since
        return
    yield path, [entry.name for entry in entries if not entry.is_dir()]
    for entry in entries:
        # A backslash in a name, which only some systems allow, could not be told from one that parts folders.
        if depth != 0 and entry.is_dir() and not entry.name.startswith(".") and "\\" not in entry.name:
            inner = Path(entry.path)
            below = depth - 1 if depth else LINKED_DEPTH if _leads_elsewhere(inner, root_of(kind)) else None
            yield from _walk(inner, kind, below, (*above, real))


def _is_followed(path: Path, kind: str) -> bool:
    """Tell whether ComfyUI's own nodes would take a path below its folder."""
    try:
        folder_paths.get_annotated_filepath(f"{path.relative_to(root_of(kind)).as_posix()} [{kind}]")
    except ValueError:
        return False
    return True


def _leads_elsewhere(path: Path, root: Path) -> bool:
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
