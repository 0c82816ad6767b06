"""Numbered pictures in a subfolder of ComfyUI's input folder, as one batch."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import folder_paths
import torch
from torch import Tensor

from ...errors import ColorizeError, told
from ...prepare.picture_file import decoded, read_into
from ...shot.frame_numbers import numbered_frames, parse_numbers, pick_frames, take_frames, write_numbers
from ..contained import contained, folders_below, leading_out, refused_link, root_of
from ..prepare.frames import each_frame


@dataclass(frozen=True)
class FrameChoice:
    """Which frames of a folder are loaded.

    Attributes:
        folder: below the input folder.
        first_frame, frame_count: a stretch, as in `pick_frames`.
        missing: of `MISSING`; see `take_frames`.
        number: which number in a name is the frame's, of `POSITIONS`.
        frame_numbers: text of `write_numbers`, in place of the stretch; empty for the stretch.
    """

    folder: str
    first_frame: int = 0
    frame_count: int = 0
    missing: str = "refuse"
    number: str = "last"
    frame_numbers: str = ""


class LoadedFrames(NamedTuple):
    """What Load Frames gives, in the order of its outputs."""

    image: Tensor
    mask: Tensor
    first_frame: int
    frame_count: int
    frame_numbers: str


def frame_folders() -> list[str]:
    """List the subfolders of the input folder."""
    root = root_of("input")
    return sorted(path.relative_to(root).as_posix() for path, _ in folders_below("input") if path != root)


def frame_folder(folder: str) -> Path:
    """Find a subfolder of the input folder."""
    root = folder_paths.get_input_directory()
    path = contained(folder, root)
    link = None if path is None else leading_out(path, "input")
    if link is not None:
        raise ColorizeError(f"`folder` is {told(folder)}; {refused_link(link, 'input')}")
    if path is None or not os.path.isdir(path):
        raise ColorizeError(
            f"`folder` is {told(folder)}; expected a subfolder of ComfyUI's input folder ({root}) with "
            "numbered pictures."
        )
    return path


def find_frames(choice: FrameChoice) -> dict[int, Path]:
    """Find the chosen frames: {number: file}, ascending."""
    path, folder = frame_folder(choice.folder), choice.folder
    frames = numbered_frames((entry.name for entry in path.iterdir()), folder, choice.number)
    if choice.frame_numbers.strip():
        picked = take_frames(frames, parse_numbers(choice.frame_numbers), folder, choice.missing)
    else:
        picked = pick_frames(frames, choice.first_frame, choice.frame_count, folder, choice.missing)
    for name in set(picked.values()):
        link = leading_out(path / name, "input")
        if link is not None:
            raise ColorizeError(f"`folder` is {told(folder)}; {refused_link(link, 'input')}")
    return {number: path / name for number, name in picked.items()}


def fingerprint_frames(choice: FrameChoice) -> str:
    """Hash which files the frames are, and when each was written; see `find_frames`."""
    digest = hashlib.sha256()
    for number, path in find_frames(choice).items():
        written = path.stat()
        digest.update(f"{number} {path.name} {written.st_size} {written.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load_frames(choice: FrameChoice) -> LoadedFrames:
    """Load frames of one size.

    Returns:
        [B, H, W, 3] in [0, 1]; [B, H, W], 1 where a frame is transparent, as Load Image gives it; the first frame's
        number; B; the number of each, as `write_numbers` writes them.
    """
    files = find_frames(choice)
    paths = list(files.values())
    image = mask = torch.empty(0)
    height = width = 0
    for index in each_frame(len(paths)):
        if index and paths[index] == paths[index - 1]:  # held
            image[index], mask[index] = image[index - 1], mask[index - 1]
            continue
        with decoded(paths[index]) as picture:
            w, h = picture.size
            if not index:
                height, width = h, w
                image, mask = torch.empty(len(paths), h, w, 3), torch.empty(len(paths), h, w)
            if (h, w) != (height, width):
                raise ColorizeError(
                    f"{choice.folder}: {paths[0].name} is {width}×{height}, {paths[index].name} is {w}×{h}; the frames "
                    "of a shot must have one size. Export them again in one."
                )
            read_into(picture, paths[index].name, image[index], mask[index])
    return LoadedFrames(image, mask, next(iter(files)), len(paths), write_numbers(list(files)))
