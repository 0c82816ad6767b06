"""Pictures of every mode that Pillow knows, in every format that can hold it: white is 1, black is 0, red is red."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.prepare.picture_file import decoded, read_into
from PIL import Image, ImageCms

#: White, black, a colour, and where there is alpha a clear pixel; each 8×8, as JPEG's blocks are.
COLOURS = [(255, 255, 255, 255), (0, 0, 0, 255), (255, 0, 0, 255), (255, 255, 255, 0)]
GREY = 128
ALPHA, FLOATS = ("LA", "La", "PA", "RGBA", "RGBa"), ("F",)
SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N", "I")
GREYS = ("L", "LA", "La", *SIXTEEN, *FLOATS)
#: Mode -> formats that hold it; "" for modes that are never in a file, but may come of one.
HELD_BY = {
    "1": "png tif tga bmp",
    "L": "png tif tga bmp jpg webp",
    "P": "png tif tga bmp",
    "PA": "tif",
    "LA": "png tif tga webp",
    "La": "tif",
    "RGB": "png tif tga bmp jpg webp",
    "RGBA": "png tif tga webp",
    "RGBa": "tif",
    "RGBX": "tif",
    "CMYK": "tif jpg",
    "YCbCr": "tif jpg",
    "LAB": "tif",
    "HSV": "",
    "F": "tif",
    "I": "",
    "I;16": "png tif",
    "I;16B": "png tif",
    "I;16L": "",
    "I;16N": "",
}
TURNED = [("RGB", "jpg"), ("RGB", "png"), ("RGB", "webp"), ("L", "tif"), ("F", "tif")]
#: What 8 bits of another colour space, or JPEG and WebP, make of a colour.
LOSSY = {"LAB": 0.03, "YCbCr": 0.01, "jpg": 0.02, "webp": 0.02}


def drawn(mode):
    """A picture of a mode, and what it has to be read as: levels [4, 3] and transparency [4]."""
    rgba = np.repeat(np.repeat(np.array([COLOURS], np.uint8), 8, 0), 8, 1)
    if mode in GREYS or mode == "1":
        rgba[:, 16:24, :3] = 0 if mode == "1" else GREY
    clear = rgba[0, ::8, 3] == 0 if mode in ALPHA else np.zeros(4, bool)
    right = rgba[0, ::8, :3] / 255
    picture = Image.fromarray(rgba)
    if mode in SIXTEEN:
        levels = rgba[..., 0].astype(np.uint16) * 257
        if mode == "I":
            return Image.fromarray(levels.astype(np.int32)), right, clear
        order = {"I;16B": ">u2"}.get(mode, "<u2")
        return Image.frombytes(mode, picture.size, levels.astype(order).tobytes()), right, clear
    if mode in FLOATS:
        return Image.fromarray(rgba[..., 0].astype(np.float32) / 255), right, clear
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(picture.convert("RGB"), *profiles, outputMode="LAB"), right, clear
    if mode == "PA":
        palette = picture.convert("RGB").quantize(4).convert("PA")
        palette.putalpha(picture.getchannel("A"))
        return palette, right, clear
    way = {"La": ["LA"], "P": ["RGB"], "HSV": ["RGB"]}.get(mode, ["RGB"] if mode not in ALPHA else [])
    for step in (*way, mode):
        picture = picture.convert(step, dither=Image.Dither.NONE)
    return picture, right, clear


def levels(path):
    with decoded(path) as picture:
        return read(picture, path.name)


def read(picture, name="frame"):
    image, mask = torch.full((*picture.size[::-1], 3), 9.0), torch.full(picture.size[::-1], 9.0)
    read_into(picture, name, image, mask)
    return image.numpy(), mask.numpy()


def check(mode, suffix, image, mask, right, clear):
    near = LOSSY.get(mode, LOSSY.get(suffix, 0.002))
    middle = slice(4, None, 8)
    assert np.abs(mask[4, middle] - clear).max() < 0.002
    seen = ~clear  # whether a clear pixel keeps its colour is the format's
    assert np.abs(image[4, middle][seen] - right[seen]).max() < near
    assert image.min() >= 0 and image.max() <= 1 and mask.min() >= 0 and mask.max() <= 1


def test_every_mode_of_pillow_is_in_the_table():
    assert set(Image.MODES) == set(HELD_BY)


@pytest.mark.parametrize(("mode", "suffix"), [(m, s) for m, held in HELD_BY.items() for s in held.split()])
def test_a_mode_in_a_file(tmp_path, mode, suffix):
    picture, right, clear = drawn(mode)
    path = tmp_path / f"f_0001.{suffix}"
    if suffix == "tif" and mode in ("La", "PA", "RGBa"):
        write_tiff(path, picture)
    else:
        picture.save(path, quality=100) if suffix in LOSSY else picture.save(path)
    check(mode, suffix, *levels(path), right, clear)


@pytest.mark.parametrize("mode", HELD_BY)
def test_a_mode_in_memory(mode):
    """Pillow's versions differ in which mode they give a file."""
    picture, right, clear = drawn(mode)
    picture.format = "PNG"
    check(mode, "", *read(picture), right, clear)


def write_tiff(path, picture):
    """Write what Pillow reads but does not write: alpha in a second or fourth channel, pre-multiplied for a small a."""
    bands = {"La": (1, 1), "PA": (3, 2), "RGBa": (2, 1)}
    photometric, alpha = bands[picture.mode]
    tags = {256: picture.width, 257: picture.height, 259: 1, 262: photometric, 278: picture.height, 338: alpha}
    count = len(picture.getbands())
    if picture.mode == "PA":
        colours = np.zeros((3, 256), np.uint16)
        palette = np.array(picture.getpalette("RGB"), np.uint16).reshape(-1, 3).T * 257
        colours[:, : palette.shape[1]] = palette
        tags[320] = tuple(colours.flatten().tolist())
    write_raw_tiff(path, {**tags, 258: (8,) * count, 277: count}, picture.tobytes())


def write_raw_tiff(path, tags, data):
    """Write one strip of numbers, with tags of whole numbers."""
    tags = {**tags, 273: 0, 279: len(data)}
    whole = {tag: value if isinstance(value, tuple) else (value,) for tag, value in sorted(tags.items())}
    behind = 8 + 2 + 12 * len(whole) + 4
    entries, tail = b"", b""
    whole[273] = (behind + sum(4 * len(values) for values in whole.values() if len(values) > 1),)
    for tag, values in whole.items():
        packed = struct.pack(f"<{len(values)}I", *values)
        place = packed if len(values) == 1 else struct.pack("<I", behind + len(tail))
        tail += packed if len(values) > 1 else b""
        entries += struct.pack("<HHI", tag, 4, len(values)) + place
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(whole)) + entries + bytes(4) + tail + data)


@pytest.mark.parametrize(("bits", "photometric"), [(16, 0), (12, 1), (32, 0)])
def test_grey_tiff_with_other_whites(tmp_path, bits, photometric):
    """White is zero (scanners, faxes); 12 bits, whose white is 4095; floats with white as zero."""
    grey = np.array([[1.0, 0.0, 0.5, 0.25]]) if photometric else np.array([[0.0, 1.0, 0.5, 0.75]])
    if bits == 12:
        whole = "".join(f"{round(level * 4095):012b}" for level in grey[0])
        data = int(whole, 2).to_bytes(6, "big")
    else:
        data = (grey * 65535).astype("<u2").tobytes() if bits == 16 else grey.astype("<f4").tobytes()
    tags = {256: 4, 257: 1, 258: (bits,), 259: 1, 262: photometric, 277: 1, 278: 1}
    write_raw_tiff(tmp_path / "f_1.tif", tags | ({339: (3,)} if bits == 32 else {}), data)
    image, _ = levels(tmp_path / "f_1.tif")
    assert np.abs(image[0, :, 0] - [1, 0, 0.5, 0.25]).max() < 0.001


def write_png(path, colour_type, pixels, transparent=b""):
    """Write a PNG of 16 bits a channel."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    chunks += [(b"tRNS", transparent)] * bool(transparent) + [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits(tmp_path, colour_type, channels):
    pixels = np.full((1, 3, channels), 65535)
    pixels[0, 1] = 0
    pixels[0, 2] = 32768
    write_png(tmp_path / "f_1.png", colour_type, pixels)
    image, mask = levels(tmp_path / "f_1.png")
    alpha = channels in (2, 4)
    assert np.abs(image[0] - [[1] * 3, [0] * 3, [0.5] * 3]).max() < 0.003
    assert np.abs(mask[0] - ([0, 1, 0.5] if alpha else [0, 0, 0])).max() < 0.003


def test_a_transparent_level(tmp_path):
    """PNG without an alpha channel names one level or colour that is clear; a palette has an alpha for each."""
    write_png(tmp_path / "f_1.png", 0, np.array([[[65535], [0], [300]]]), struct.pack(">H", 300))
    assert levels(tmp_path / "f_1.png")[1].tolist() == [[0, 0, 1]]
    for mode, clear in (("L", 255), ("RGB", (255, 255, 255)), ("P", bytes([0, 128]))):
        picture = Image.new(mode, (2, 1))
        if mode == "P":
            picture.putpalette([0, 0, 0, 9, 9, 9])
        picture.putpixel((1, 0), 1 if mode == "P" else clear)
        picture.save(tmp_path / "f_2.png", transparency=clear)
        mask = levels(tmp_path / "f_2.png")[1]
        assert np.abs(mask - ([[1, 1 - 128 / 255]] if mode == "P" else [[0, 1]])).max() < 1e-6


@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGB", "jpg"), ("RGB", "png"), ("RGB", "webp"), ("L", "tif"), ("F", "tif")]
)
def test_turned_as_exif_says(tmp_path, mode, suffix):
    """Orientation 6: the top of the file is the right side."""
    picture = Image.fromarray(np.repeat(np.linspace(0, 1, 16, dtype=np.float32)[:, None], 32, 1) * (mode == "F" or 255))
    exif = Image.Exif()
    exif[274] = 6
    picture.convert(mode).save(tmp_path / f"f_1.{suffix}", exif=exif)
    image, mask = levels(tmp_path / f"f_1.{suffix}")
    assert image.shape == (32, 16, 3) and mask.shape == (32, 16)
    assert image[:, -2].max() < 0.2 and image[:, 1].min() > 0.8


@pytest.mark.parametrize(
    ("levels_of", "words"),
    [
        (np.full((2, 2), 255, np.float32), "levels up to 255; expected 0 for black to 1 for white"),
        (np.array([[np.nan, 0.0]], np.float32), "NaN or infinite levels"),
        (np.full((2, 2), 65535, np.int32), "TIFF of 32-bit whole numbers"),
    ],
)
def test_levels_without_a_white_are_refused(tmp_path, levels_of, words):
    path = tmp_path / "f_0001.tif"
    Image.fromarray(levels_of).save(path)
    with pytest.raises(ColorizeError, match=rf"f_0001\.tif is a .*{words}.*Export"):
        levels(path)


def test_floats_go_over_white_by_a_little(tmp_path):
    Image.fromarray(np.array([[-0.1, 1.1, 0.25]], np.float32)).save(tmp_path / "f_1.tif")
    assert levels(tmp_path / "f_1.tif")[0][0, :, 0].tolist() == [0, 1, 0.25]


def test_what_pillow_cannot_read_is_named(tmp_path):
    """Colour in 32-bit float: no mode of Pillow has it."""
    tags = {256: 1, 257: 1, 258: (32, 32, 32), 259: 1, 262: 2, 277: 3, 278: 1, 339: (3, 3, 3)}
    write_raw_tiff(tmp_path / "f_1.tif", tags, bytes(12))
    with pytest.raises(ColorizeError, match=r"f_1\.tif cannot be read .*32-bit float"):
        levels(tmp_path / "f_1.tif")


def test_strips_are_joined_without_a_seam(tmp_path):
    """As ComfyUI's Load Image has it, to the last bit."""
    grey = np.random.default_rng(0).integers(0, 256, (700, 3000, 4), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "f_1.png", compress_level=1)
    image, mask = levels(tmp_path / "f_1.png")
    assert np.array_equal(image, grey[..., :3].astype(np.float32) / 255.0)
    assert np.array_equal(mask, 1 - grey[..., 3].astype(np.float32) / 255.0)


PEAK = """
import re, sys, types
sys.modules["pack"] = types.ModuleType("pack")
sys.modules["pack"].__path__ = [sys.argv[1]]
from pathlib import Path
import torch
from pack.colorize_core.prepare.picture_file import decoded, read_into
def peak():  # of this program: getrusage's is that of the program which has started it, where it was larger
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
image, mask = torch.zeros(4000, 5000, 3), torch.zeros(4000, 5000)
before = peak()
with decoded(Path(sys.argv[2])) as picture:
    read_into(picture, "", image, mask)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of a process")
def test_a_large_scan_needs_little_more_than_its_batch(tmp_path):
    """Pillow's own picture and a few strips: under 6 bytes a pixel over the 16 of the batch."""
    Image.new("RGBA", (5000, 4000), (0, 0, 0, 9)).save(tmp_path / "f_1.png", compress_level=1)
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", PEAK, str(root), str(tmp_path / "f_1.png")]
    over = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024
    assert 0 < over < 6 * 5000 * 4000
