"""Files of one kind in ComfyUI's input and output folders, which a node offers by name."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ..errors import ColorizeError, told
from .contained import contained, folders_below, leading_out, refused_link, root_of

#: ComfyUI's mark behind the name of a file in the output folder.
OUTPUT_MARK = " [output]"


@dataclass(frozen=True)
class ChosenFiles:
    """A kind of file.

    Attributes:
        what: for people, "carrier file". node: which loads it, "Load Carrier".
        suffix: that all have. any_case: whether other programs write it in capitals, too.
        subfolder: of input and output, searched through with all below it.
    """

    what: str
    node: str
    suffix: str
    subfolder: str
    any_case: bool = False

    def choices(self) -> list[str]:
        """List the files of the input folder, then those of the output folder with ComfyUI's mark `[output]`.

        Searched are the folders themselves and everything under the subfolder, but not all of an output folder, which
        may hold a hundred thousand pictures.
        """
        found = []
        for kind, mark in (("input", ""), ("output", OUTPUT_MARK)):
            root = root_of(kind)
            files = [file for file in root.glob("*") if self._is_one(file)]
            below = [folder / name for folder, names in folders_below(kind, self.subfolder) for name in names]
            files = [file for file in files + list(filter(self._is_one, below)) if not file.name.startswith(".")]
            found += sorted(file.relative_to(root).as_posix() + mark for file in files if not leading_out(file, kind))
        return found

    def path(self, name: str) -> Path:
        """Find the file that an entry of `choices` stands for.

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
                f"`file` is {told(name)}, which does not lie in ComfyUI's input or output folder. Move the {self.what} "
                f"into one of them, best into {self.subfolder}, and choose it in {self.node}."
            )
        link = leading_out(path, kind)
        if link is not None:
            raise ColorizeError(f"`file` is {told(name)}; {refused_link(link, kind)}")
        if not self._is_one(path) or not os.path.isfile(path):
            raise ColorizeError(
                f"`file` is {told(name)}, but there is no such {self.what}. Expected a file ending with {self.suffix} "
                f"in ComfyUI's input folder, or in its output folder with “{OUTPUT_MARK.strip()}” behind the name."
            )
        return path

    def fault(self, name: str | None) -> str | None:
        """Say what is wrong with a name before anything runs; nothing of a wired one, which is None until then."""
        try:
            if name is not None:
                self.path(name)
        except ColorizeError as error:
            return str(error)
        return None

    def fingerprint(self, name: str | None) -> str | float:
        """Return what changes with the file's contents; NaN, which equals nothing, where a name is not known yet."""
        return float("nan") if name is None else hashlib.sha256(self.path(name).read_bytes()).hexdigest()

    def _is_one(self, file: Path) -> bool:
        return (file.name.lower() if self.any_case else file.name).endswith(self.suffix)
