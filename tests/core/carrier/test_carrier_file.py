"""Carrier files: what was saved comes back, and nothing else is taken for a carrier."""

import json
import os
import struct
from dataclasses import fields, replace

import pytest
import safetensors.torch
import torch
from colorizediffusion.colorize_core.carrier import carrier_file
from colorizediffusion.colorize_core.carrier.carrier import Carrier, Region
from colorizediffusion.colorize_core.carrier.carrier_file import (
    SUFFIX,
    checksum,
    read_carrier,
    write_carrier,
)
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.version import VERSION

N, D = 4, 6


def full_carrier(dtype=torch.float32) -> Carrier:
    generator = torch.Generator().manual_seed(0)

    def rand(*shape):
        return torch.rand(*shape, generator=generator).to(dtype)

    tokens = rand(2, N, D)
    return Carrier(
        tokens=tokens,
        class_token=rand(2, 1, D),
        checkpoint="0123456789abcdef",
        background_tokens=rand(1, N, D),
        background_features=tuple(rand(1, 3 + i, 2) for i in range(12)),
        style=tuple(rand(1, 2 + i) for i in range(12)),
        style_has_background=True,
        regions=(Region(tokens, rand(1, 5, 7).float(), 0.5), Region(rand(1, N, D), rand(3, 2, 2).float(), 1.25)),
    )


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, (Carrier, Region)):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


@pytest.fixture
def file(tmp_path):
    return tmp_path / f"hero{SUFFIX}"


@pytest.fixture
def parts():
    """(metadata, tensors) of a full carrier's file, to be changed and written back."""

    def read(path):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        return json.loads(data[8 : 8 + length])["__metadata__"], safetensors.torch.load(data)

    return read


def write(file, metadata, tensors, sign=True):
    """Write a file with a checksum that fits, as somebody would who knows the format."""
    if sign:
        metadata = {**metadata, "sha256": checksum(metadata, tensors)}
    file.write_bytes(safetensors.torch.save(tensors, metadata))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_round_trip(file, dtype):
    carrier = full_carrier(dtype)
    write_carrier(carrier, file)
    assert same(read_carrier(file), carrier)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_bare_carrier_and_views(file):
    """Tokens expanded to a batch, and sliced out of a larger tensor, are saved as what they show."""
    tokens = torch.rand(1, N + 1, D)
    carrier = Carrier(tokens=tokens[:, 1:].expand(3, N, D), class_token=tokens[:, :1].expand(3, 1, D))
    write_carrier(carrier, file)
    loaded = read_carrier(file)
    assert same(loaded, carrier) and loaded.checkpoint is None


def test_the_header_tells_people_what_it_is(file, parts):
    write_carrier(full_carrier(), file)
    metadata, _ = parts(file)
    assert metadata["pack_version"] == VERSION and metadata["checkpoint"] == "0123456789abcdef"
    assert json.loads(metadata["sizes"])["tokens"] == [2, N, D]


def test_version_is_the_packs():
    root = carrier_file.Path(__file__).resolve().parents[3]
    assert f'\nversion = "{VERSION}"\n' in (root / "pyproject.toml").read_text()


def test_a_failed_write_leaves_the_old_file(file, monkeypatch):
    write_carrier(full_carrier(), file)
    before = file.read_bytes()

    def no_space(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_carrier(replace(full_carrier(), checkpoint="f" * 16), file)
    assert file.read_bytes() == before and len(list(file.parent.iterdir())) == 1


def test_every_changed_byte_is_noticed(file):
    write_carrier(full_carrier(), file)
    data = file.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 200)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        file.write_bytes(bytes(changed))
        try:
            loaded = read_carrier(file)
        except ColorizeError:
            continue
        assert same(loaded, full_carrier()), f"byte {place}: read as something else"


def test_every_truncation_is_noticed(file):
    write_carrier(full_carrier(), file)
    data = file.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1]:
        file.write_bytes(data[:length])
        with pytest.raises(ColorizeError, match=r"hero\.carrier"):
            read_carrier(file)
    file.write_bytes(data + b"more")
    with pytest.raises(ColorizeError):
        read_carrier(file)


@pytest.mark.parametrize("key", ["checkpoint", "region_strengths", "style_has_background", "pack_version", "sizes"])
def test_changed_metadata_is_noticed(file, parts, key):
    write_carrier(full_carrier(), file)
    metadata, tensors = parts(file)
    write(file, {**metadata, key: metadata[key].replace("0", "7") + " "}, tensors, sign=False)
    with pytest.raises(ColorizeError, match="checksum"):
        read_carrier(file)


NASTY_HEADERS = {
    "huge length": struct.pack("<Q", 2**63) + b"{}",
    "length beyond the file": struct.pack("<Q", 500_000) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"\xff\xfe{}",
    "a list": struct.pack("<Q", 2) + b"[]",
    "nested deeply": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00" + b"\x00" * 100,
}


@pytest.mark.parametrize("name", NASTY_HEADERS)
def test_hostile_headers(file, name):
    file.write_bytes(NASTY_HEADERS[name])
    with pytest.raises(ColorizeError, match=r"hero\.carrier"):
        read_carrier(file)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**31, 2**31, 2**31], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]},
        {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]},
        {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]},
        {"dtype": "F33", "shape": [4], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": "4", "data_offsets": [0, 16]},
    ],
)
def test_hostile_tensors(file, entry):
    header = json.dumps(
        {"__metadata__": {"format": "colorize-carrier", "format_version": "1"}, "tokens": entry}
    ).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 16)
    with pytest.raises(ColorizeError, match=r"hero\.carrier"):
        read_carrier(file)


def change_tensor(name, value):
    return lambda metadata, tensors: (metadata, {**tensors, name: value})


def change_metadata(**values):
    return lambda metadata, tensors: ({**metadata, **values}, tensors)


def drop(*names):
    return lambda metadata, tensors: (metadata, {k: v for k, v in tensors.items() if k not in names})


WELL_SIGNED_NONSENSE = {
    "integer tokens": change_tensor("tokens", torch.ones(2, N, D, dtype=torch.int64)),
    "double tokens": change_tensor("tokens", torch.ones(2, N, D, dtype=torch.float64)),
    "flat tokens": change_tensor("tokens", torch.ones(N, D)),
    "empty tokens": change_tensor("tokens", torch.ones(0, N, D)),
    "no tokens": drop("tokens"),
    "tokens of another width": change_tensor("background_tokens", torch.ones(1, N, D + 1)),
    "NaN": change_tensor("style.3", torch.full((1, 5), float("nan"))),
    "a mask beyond 1": change_tensor("regions.0.mask", torch.full((1, 5, 7), 3.0)),
    "a feature too few": drop("background_features.7"),
    "a style too few": drop("style.0"),
    "the last style too few": drop("style.11"),
    "a tensor too many": change_tensor("extra", torch.ones(1)),
    "background without checkpoint": change_metadata(checkpoint=""),
    "a region too many": change_metadata(region_strengths="[1, 1, 1]"),
    "an endless strength": change_metadata(region_strengths="[1, Infinity]"),
    "strengths that are text": change_metadata(region_strengths='"ab"'),
    "strengths that are nothing": change_metadata(region_strengths="null"),
    "no truth": change_metadata(style_has_background="maybe"),
    "a later format": change_metadata(format_version="2"),
    "another format": change_metadata(format="pt"),
}


@pytest.mark.parametrize("name", WELL_SIGNED_NONSENSE)
def test_well_signed_nonsense(file, parts, name):
    write_carrier(full_carrier(), file)
    write(file, *WELL_SIGNED_NONSENSE[name](*parts(file)))
    with pytest.raises(ColorizeError, match=r"hero\.carrier"):
        read_carrier(file)


def test_other_files(file, tmp_path):
    safetensors.torch.save_file({"weight": torch.ones(2)}, file)
    with pytest.raises(ColorizeError, match="no carrier"):
        read_carrier(file)
    with pytest.raises(ColorizeError, match="cannot be read"):
        read_carrier(tmp_path / "none")
    with pytest.raises(ColorizeError, match="cannot be read"):
        read_carrier(tmp_path)
