"""A carrier as one safetensors file, so that a character sheet is encoded once for a whole episode.

Layout of the file: the tensors `tokens`, `class_token` and, where the carrier has them, `background_tokens`,
`background_features.0…11`, `style.0…11`, `regions.0.tokens`, `regions.0.mask`, …; and metadata, all of it text:

    format                 "colorize-carrier"
    format_version         "1"
    pack_version           of the pack that wrote the file
    checkpoint             fingerprint of the checkpoint of background and style; empty where there is neither
    style_has_background   "true" or "false"
    version                id of the version whose checkpoint made the tokens; empty where an image tower alone did
    region_strengths       JSON list, one number a region
    views                  how many pictures show the one character whose tokens lie one after the other; 1 if missing
    region_views           JSON list, the same for each region; all 1 if missing
    sizes                  JSON, {tensor name: shape}, for people and other programs
    sha256                 over the metadata above and every tensor's name, dtype, shape and bytes

The checksum finds damage and careless editing; it is no signature.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ..errors import ColorizeError
from ..version import VERSION
from ..whole_file import whole_file
from .carrier import Carrier, Region

FORMAT, FORMAT_VERSION = "colorize-carrier", "1"
SUFFIX = ".carrier.safetensors"
#: Most background features or style vectors; no version has more than 36.
MOST_FEATURES = 100
DTYPES = (torch.float16, torch.bfloat16, torch.float32)
#: Largest header in bytes; a carrier of a hundred regions needs 20 thousand.
MAX_HEADER = 1 << 20
MAX_REGIONS = 256
AGAIN = "Save it again with Save Carrier."


def write_carrier(carrier: Carrier, path: Path) -> None:
    """Write a carrier so that the file is either there and whole, or not there at all.

    Args:
        path: the file, in an existing folder. An existing file is replaced.
    """
    tensors = _tensors(carrier)
    metadata = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "pack_version": VERSION,
        "checkpoint": carrier.checkpoint or "",
        "version": carrier.version or "",
        "style_has_background": json.dumps(carrier.style_has_background),
        "region_strengths": json.dumps([float(region.strength) for region in carrier.regions]),
        "views": str(carrier.views),
        "region_views": json.dumps([region.views for region in carrier.regions]),
        "sizes": json.dumps({name: list(tensor.shape) for name, tensor in tensors.items()}),
    }
    metadata["sha256"] = checksum(metadata, tensors)
    data = safetensors.torch.save(tensors, metadata)
    with whole_file(path) as file:
        file.write(data)


def read_carrier(path: Path) -> Carrier:
    """Read a carrier from a file, all of it or nothing.

    Raises:
        ColorizeError: the file cannot be read, is none of ours, is damaged or was changed.
    """
    name = path.name
    try:
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8 or not 2 <= length <= MAX_HEADER:
                raise ColorizeError(f"{name} is no carrier file: its header is said to be {length} bytes long. {AGAIN}")
            header = file.read(length)
            data = start + header + file.read()
        metadata = json.loads(header).get("__metadata__")
        tensors = safetensors.torch.load(data) if _is_ours(metadata) else {}
    except ColorizeError:
        raise
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
        RecursionError,
        KeyError,
        safetensors.SafetensorError,
    ) as e:
        reason = str(e).partition("\n")[0] or type(e).__name__
        raise ColorizeError(
            f"{name} cannot be read as a carrier ({reason}): it is damaged or truncated. {AGAIN}"
        ) from e
    return _checked_carrier(name, metadata, tensors)


def checksum(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """Hash all metadata but the checksum itself, and every tensor's name, dtype, shape and bytes."""
    told = {key: value for key, value in metadata.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tensors(carrier: Carrier) -> dict[str, Tensor]:
    """Name the carrier's tensors, each with memory of its own, on the CPU."""
    named = {"tokens": carrier.tokens}
    if carrier.class_token is not None:
        named["class_token"] = carrier.class_token
    if carrier.background_tokens is not None:
        named["background_tokens"] = carrier.background_tokens
    named |= {f"background_features.{i}": feature for i, feature in enumerate(carrier.background_features)}
    named |= {f"style.{i}": vector for i, vector in enumerate(carrier.style)}
    for i, region in enumerate(carrier.regions):
        named |= {f"regions.{i}.tokens": region.tokens, f"regions.{i}.mask": region.mask}
    return {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu").copy_(tensor.detach())
        for name, tensor in named.items()
    }


def _is_ours(metadata: object) -> bool:
    return isinstance(metadata, dict) and metadata.get("format") == FORMAT


def _checked_carrier(name: str, metadata: dict[str, str], tensors: dict[str, Tensor]) -> Carrier:
    """Build the carrier once everything about the file is known to be right."""
    if not _is_ours(metadata):
        raise ColorizeError(
            f"{name} is a safetensors file, but no carrier: nothing in it says “{FORMAT}”. Choose a file that Save "
            "Carrier has written; checkpoints go through Load Colorize Checkpoint."
        )
    version = metadata.get("format_version")
    if version != FORMAT_VERSION:
        raise ColorizeError(
            f"{name} is a carrier of format {version}, this pack ({VERSION}) reads format {FORMAT_VERSION}; it was "
            f"written by version {metadata.get('pack_version')}. Update the pack, or encode the references again."
        )
    if metadata.get("sha256") != checksum(metadata, tensors):
        raise ColorizeError(
            f"{name}: the checksum does not fit the contents: the file was changed or damaged after it had been saved. "
            f"{AGAIN}"
        )
    try:
        strengths = [float(number) for number in json.loads(metadata["region_strengths"])]
        styled_with_background = {"true": True, "false": False}[metadata["style_has_background"]]
        fingerprint = metadata["checkpoint"] or None
        json.loads(metadata.get("sizes", "{}")).keys()
        views = [int(metadata.get("views", "1")), *json.loads(metadata.get("region_views", "[]"))]
        views += [1] * (1 + len(strengths) - len(views))  # files of versions before 0.2 hold one view of each
        if len(views) != 1 + len(strengths) or not all(type(number) is int and number > 0 for number in views):
            raise ValueError("views")
        if len(strengths) > MAX_REGIONS or not all(abs(number) < float("inf") for number in strengths):
            raise ValueError("regions")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ColorizeError(f"{name}: the carrier's metadata are not as expected ({error!r}). {AGAIN}") from error
    _check_tensors(name, tensors, views, metadata)
    regions = [
        Region(tensors[f"regions.{i}.tokens"], tensors[f"regions.{i}.mask"], strength, views[1 + i])
        for i, strength in enumerate(strengths)
    ]
    return Carrier(
        tokens=tensors["tokens"],
        class_token=tensors.get("class_token"),
        checkpoint=fingerprint,
        background_tokens=tensors.get("background_tokens"),
        background_features=_listed(tensors, "background_features"),
        style=_listed(tensors, "style"),
        style_has_background=styled_with_background,
        regions=tuple(regions),
        views=views[0],
        version=metadata.get("version") or None,
    )


def _listed(tensors: Mapping[str, Tensor], name: str) -> tuple[Tensor, ...]:
    """Return the tensors name.0, name.1, … as far as they go."""
    names = itertools.takewhile(tensors.__contains__, (f"{name}.{i}" for i in range(MOST_FEATURES)))
    return tuple(tensors[key] for key in names)


def _check_tensors(name: str, tensors: dict[str, Tensor], views: list[int], metadata: Mapping[str, str]) -> None:
    """Refuse tensors that are not exactly those of a carrier.

    Args:
        views: of the reference, then of each region.
    """
    regions, version = len(views) - 1, metadata.get("version") or None
    features, styles = (sum(key.startswith(start) for key in tensors) for start in ("background_features.", "style."))
    shape = tuple(tensors["tokens"].shape) if "tokens" in tensors else ()
    if len(shape) != 3 or 0 in shape:
        raise ColorizeError(f"{name}: the reference tokens are {list(shape)}; expected [R, N, D]. {AGAIN}")
    _, joined, d = shape
    n, left_over = divmod(joined, views[0])
    if left_over or not n:
        raise ColorizeError(f"{name}: {joined} reference tokens are not those of {views[0]} views. {AGAIN}")
    # Every name with the shape it must have; None fits any length, the batch is 1 or the references' number.
    expected: dict[str, tuple[int | None, ...]] = {"tokens": (joined, d)}
    if version is None:
        expected["class_token"] = (1, d)
    if "background_tokens" in tensors:
        expected["background_tokens"] = (None, d)
        expected |= {f"background_features.{i}": (None, None) for i in range(features)}
    expected |= {f"style.{i}": (None,) for i in range(styles)}
    for i in range(regions):
        expected |= {f"regions.{i}.tokens": (views[1 + i] * n, d), f"regions.{i}.mask": (None, None)}
    written = set(json.loads(metadata["sizes"])) if "sizes" in metadata else set(tensors)
    if not set(tensors) == set(expected) == written:
        odd = sorted((set(tensors) ^ set(expected)) | (set(tensors) ^ written))
        raise ColorizeError(f"{name}: tensors are missing or left over: {', '.join(odd[:3])}. {AGAIN}")
    for key, sizes in expected.items():
        tensor = tensors[key]
        fits = tensor.ndim == len(sizes) + 1 and tensor.numel() > 0
        fits = fits and all(size in (None, given) for size, given in zip(sizes, tensor.shape[1:], strict=True))
        if not fits or tensor.dtype not in DTYPES:
            wanted = ["R", *("any" if size is None else size for size in sizes)]
            raise ColorizeError(
                f"{name}: `{key}` is {tensor.dtype} {list(tensor.shape)}; expected floating-point numbers of shape "
                f"{wanted}. {AGAIN}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ColorizeError(f"{name}: `{key}` holds NaN or infinity. {AGAIN}")
        if key.endswith(".mask") and not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise ColorizeError(f"{name}: `{key}` holds values outside 0…1. {AGAIN}")
    if not metadata["checkpoint"] and (version or features or styles):
        raise ColorizeError(f"{name} holds what a checkpoint has made, but not which checkpoint it belongs to. {AGAIN}")
