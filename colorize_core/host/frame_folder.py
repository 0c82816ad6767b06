"""Numbered pictures in a subfolder of ComfyUI's input folder, as one batch."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import folder_paths
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ..errors import ColorizeError, told
from ..frame_numbers import numbered_frames, pick_frames
from .contained import contained, is_inside
from .frames import each_frame


class LoadedFrames(NamedTuple):
    """What Load Frames gives, in the order of its outputs."""

    image: Tensor
    mask: Tensor
    first_frame: int
    frame_count: int


def frame_folders() -> list[str]:
    """List the subfolders of the input folder."""
    root = Path(folder_paths.get_input_directory())
    return sorted(
        (Path(path) / name).relative_to(root).as_posix()
        for path, names, _ in os.walk(root)
        for name in names
        if not name.startswith(".")
    )


def find_frames(folder: str, first: int | None, count: int | None) -> dict[int, Path]:
    """Find consecutive frames of a folder: {number: file}.

    Args:
        folder: below the input folder.
        first, count: as in `pick_frames`; None where it is not known yet, for all frames, consecutive or not.
    """
    root = folder_paths.get_input_directory()
    path = contained(folder, root)
    if path is None or not os.path.isdir(path):
        raise ColorizeError(
            f"`folder` is {told(folder)}; expected a subfolder of ComfyUI's input folder ({root}) with "
            "numbered pictures."
        )
    frames = numbered_frames((p.name for p in path.iterdir()), folder)
    if first is not None and count is not None:
        frames = pick_frames(frames, first, count, folder)
    outside = [name for name in frames.values() if not is_inside(path / name, root)]
    if outside:
        raise ColorizeError(f"{folder}/{outside[0]} links to a file outside ComfyUI's input folder. Copy it there.")
    return {number: path / name for number, name in frames.items()}


def fingerprint_frames(folder: str, first: int | None, count: int | None) -> str:
    """Hash which files the frames are, and when each was written."""
    digest = hashlib.sha256()
    for number, path in find_frames(folder, first, count).items():
        written = path.stat()
        digest.update(f"{number} {path.name} {written.st_size} {written.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load_frames(folder: str, first: int = 0, count: int = 0) -> LoadedFrames:
    """Load consecutive frames of one size.

    Returns:
        [B, H, W, 3] in [0, 1]; [B, H, W], 1 where a frame is transparent, as Load Image gives it; the first frame's
        number; B.
    """
    files = find_frames(folder, first, count)
    paths = list(files.values())
    images: list[Tensor] = []
    masks: list[Tensor] = []
    for index in each_frame(len(paths)):
        image, mask = read_frame(paths[index])
        if images and image.shape != images[0].shape:
            (height, width), (h, w) = images[0].shape[:2], image.shape[:2]
            raise ColorizeError(
                f"{folder}: {paths[0].name} is {width}×{height}, {paths[index].name} is {w}×{h}; the frames of a shot "
                "must have one size. Export them again in one."
            )
        images.append(image)
        masks.append(mask)
    return LoadedFrames(torch.stack(images), torch.stack(masks), next(iter(files)), len(paths))


def read_frame(path: Path) -> tuple[Tensor, Tensor]:
    """Read a picture [H, W, 3] in [0, 1] and its transparency [H, W], 1 = transparent."""
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I"):  # 16-bit grey
                grey = np.asarray(picture, dtype=np.float32) / 65535.0
                rgba = np.stack([grey, grey, grey, np.ones_like(grey)], axis=-1)
            else:
                rgba = np.asarray(picture.convert("RGBA"), dtype=np.float32) / 255.0
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ColorizeError(f"{path.name} cannot be read as a picture ({error}). Export the frame again.") from error
    pixels = torch.from_numpy(rgba.copy())
    return pixels[..., :3].contiguous(), 1.0 - pixels[..., 3]
