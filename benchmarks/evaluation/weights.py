"""Weight files that a user has brought, read without running anything that is in them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from host import core
from torch import Tensor

ColorizeError = core("errors").ColorizeError


def check_file(file: Path, option: str) -> None:
    """Refuse a path that is no file."""
    if not file.is_file():
        raise ColorizeError(f"`{option}` is {file}, which is no file; expected the weights. Nothing is downloaded.")


def read_weights(file: Path, option: str) -> dict[str, Tensor]:
    """Read a PyTorch file of tensors by name; one that holds anything else is refused."""
    check_file(file, option)
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes it raise anything
        raise ColorizeError(
            f"`{option}` is {file}, which is no PyTorch file of plain tensors ({str(error).splitlines()[0]}); expected "
            "a state dict as it is published. Download it anew."
        ) from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ColorizeError(f"`{option}` is {file}, which holds a {type(weights).__name__}; expected tensors by name.")
    return weights


def digest(file: Path) -> str:
    """Return the first 12 digits of a file's SHA-256, to tell in a table which file it was."""
    with file.open("rb") as opened:
        found = hashlib.sha256()
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest()[:12]
