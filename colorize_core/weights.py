"""Tensors out of files, checked before their shapes and numbers are trusted."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .errors import ColorizeError


def named_tensors(loaded: object) -> dict[str, Tensor]:
    """Return the tensors of what was read from a file, which may nest them under `state_dict`; the rest is left."""
    inner = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else {}
    if not isinstance(inner, Mapping):
        return {}
    return {key: value for key, value in inner.items() if isinstance(key, str) and isinstance(value, Tensor)}


def check_weights(weights: Mapping[str, Tensor], file_name: str) -> None:
    """Refuse tensors that are no plain weights, before their shapes are trusted.

    A pickle may hold a single number that says it is a tensor of a million rows, a tensor without any numbers, or one
    of whole numbers, which a module would take as they are.

    Raises:
        ColorizeError: names the first such tensor.
    """
    for key, tensor in weights.items():
        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            came = "a sparse, quantized or empty tensor"
        elif not tensor.is_floating_point():
            came = str(tensor.dtype).removeprefix("torch.")
        elif tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes():
            came = f"{list(tensor.shape)} over {tensor.untyped_storage().nbytes()} bytes"
        else:
            continue
        raise ColorizeError(
            f"{file_name}: {key} is {came}; expected floating-point numbers, each stored. The file is edited or not "
            "what its name says: download it again from where it was published."
        )


def check_complete(part: str, file_name: str, expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Refuse weights that do not fit a module tensor by tensor.

    Args:
        part: the part's name in a sentence. expected: the module's own state_dict. given: what the file holds.

    Raises:
        ColorizeError: with counts and the first few names that are missing, left over or of another shape.
    """
    faults = {
        "missing": [key for key in expected if key not in given],
        "not known": [key for key in given if key not in expected],
        "of another shape": [
            f"{key} {list(given[key].shape)} instead of {list(expected[key].shape)}"
            for key in expected
            if key in given and given[key].shape != expected[key].shape
        ],
    }
    told = [
        f"{len(keys)} {fault}: {', '.join(keys[:3])}{', …' * (len(keys) > 3)}" for fault, keys in faults.items() if keys
    ]
    if told:
        raise ColorizeError(
            f"{file_name} does not fit {part}: {'; '.join(told)}. "
            "The file is truncated, edited or of another version: download the checkpoint again."
        )
