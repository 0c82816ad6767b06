"""Drawings of every kind as line maps, and back to their own proportions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

FEW = settings(max_examples=30)
LINES = ("dark_on_light", "light_on_dark", "pencil")


def test_standard_line_art_is_the_published_one(pack, golden_extras):
    drawing = golden_extras["lineart_standard/in/image_u8"][None] / 255
    expected = golden_extras["lineart_standard/out/lines_u8"]
    line_map, _ = pack.run("ColorizePrepareSketch", image=drawing, width=80, height=96, lines="pencil")
    levels = (line_map[0, ..., 0] * 255).floor()
    near = ((levels - expected).abs() <= 1).float().mean()
    print(f"lineart_standard: {near:.2%} within one level, {(levels == expected).float().mean():.2%} equal")
    assert near >= 0.995
    assert torch.equal(line_map[..., 0], line_map[..., 1]) and torch.equal(line_map[..., 0], line_map[..., 2])


@FEW
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(1, 2),
    st.integers(1, 4),
    st.sampled_from(LINES),
    st.integers(8, 15),
    st.integers(8, 15),
)
def test_prepare_then_crop_gives_the_drawings_own_proportions(pack, height, width, batch, channels, lines, h8, w8):
    drawing = torch.rand(batch, height, width, channels, generator=torch.Generator().manual_seed(height * width))
    line_map, box = pack.run("ColorizePrepareSketch", image=drawing, width=8 * w8, height=8 * h8, lines=lines)
    assert line_map.shape == (batch, 8 * h8, 8 * w8, 3)
    assert line_map.min() >= 0 and line_map.max() <= 1
    (cropped,) = pack.run("ColorizeCropToBox", image=line_map, box=box)
    scale = min(8 * h8 / height, 8 * w8 / width)
    assert abs(cropped.shape[1] - height * scale) <= 1 and abs(cropped.shape[2] - width * scale) <= 1
    blank = line_map.clone()
    blank[:, box.top : box.top + box.height, box.left : box.left + box.width] = 0
    assert blank.max() == 0, "the margins are blank"
    (twice,) = pack.run("ColorizeCropToBox", image=line_map.repeat_interleave(2, 1).repeat_interleave(2, 2), box=box)
    assert twice.shape[1:3] == (2 * cropped.shape[1], 2 * cropped.shape[2])


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (7, 2)])
def test_tiny_and_extreme_drawings_work(pack, lines, size):
    line_map, box = pack.run("ColorizePrepareSketch", image=torch.rand(1, *size, 3), width=128, height=64, lines=lines)
    assert line_map.shape == (1, 64, 128, 3)
    assert torch.isfinite(line_map).all() and box.width >= 1 and box.height >= 1


@pytest.mark.parametrize("lines", LINES)
def test_frames_do_not_depend_on_one_another(pack, lines):
    drawings = torch.rand(3, 50, 40, 3) * torch.tensor([1, 0.5, 0.2])[:, None, None, None]
    together, _ = pack.run("ColorizePrepareSketch", image=drawings, width=64, height=64, lines=lines)
    for index in range(3):
        alone, _ = pack.run(
            "ColorizePrepareSketch", image=drawings[index : index + 1], width=64, height=64, lines=lines
        )
        assert torch.allclose(together[index], alone[0], atol=1e-6)


def test_polarity(pack):
    drawing = torch.ones(1, 64, 64, 3)
    drawing[:, 30:34] = 0
    from_dark, _ = pack.run("ColorizePrepareSketch", image=drawing, width=64, height=64, lines="dark_on_light")
    from_light, _ = pack.run("ColorizePrepareSketch", image=1 - drawing, width=64, height=64, lines="light_on_dark")
    assert torch.equal(from_dark, 1 - drawing) and torch.equal(from_light, 1 - drawing)


def test_a_negative_is_told_in_the_log(pack, caplog):
    drawing = torch.ones(1, 64, 64, 3)
    pack.run("ColorizePrepareSketch", image=drawing, width=64, height=64, lines="dark_on_light")
    assert "mostly white" not in caplog.text
    pack.run("ColorizePrepareSketch", image=drawing, width=64, height=64, lines="light_on_dark")
    assert "mostly white" in caplog.text


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_any_layout_are_taken(pack, lines, dtype):
    drawing = torch.rand(1, 3, 40, 50).movedim(1, -1)
    settings = {"width": 64, "height": 64, "lines": lines}
    line_map, _ = pack.run("ColorizePrepareSketch", image=drawing.to(dtype), **settings)
    expected, _ = pack.run("ColorizePrepareSketch", image=drawing.to(dtype).float().contiguous(), **settings)
    assert line_map.dtype == torch.float32
    assert torch.equal(line_map, expected)


@pytest.mark.parametrize("lines", ["dark_on_light", "pencil"])
def test_transparent_parts_are_paper(pack, lines):
    """The colour under transparent pixels is black in most files; it must not come out as a line."""
    alpha = torch.zeros(1, 64, 64, 1)
    alpha[:, 30:34] = 1
    ink = torch.zeros(1, 64, 64, 3)
    opaque, _ = pack.run(
        "ColorizePrepareSketch", image=1 - alpha.expand(1, 64, 64, 3), width=64, height=64, lines=lines
    )
    with_alpha, _ = pack.run(
        "ColorizePrepareSketch", image=torch.cat([ink, alpha], -1), width=64, height=64, lines=lines
    )
    with_mask, _ = pack.run(
        "ColorizePrepareSketch", image=ink, width=64, height=64, lines=lines, transparency=1 - alpha[..., 0]
    )
    assert torch.allclose(with_alpha, opaque) and torch.allclose(with_mask, opaque)
    assert opaque[:, :20].max() < 0.1 and opaque[:, 31:33].min() > 0.3


def test_blank_paper_gives_a_blank_line_map(pack):
    for lines in ("dark_on_light", "pencil"):
        line_map, _ = pack.run(
            "ColorizePrepareSketch", image=torch.ones(1, 40, 50, 3), width=64, height=64, lines=lines
        )
        assert line_map.abs().max() <= 1e-6


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA", "LA", "P"])
def test_files_as_load_image_reads_them(pack, host, base_directory, mode):
    levels = np.full((60, 40), 255, np.uint8)
    levels[28:32] = 0
    grey = Image.fromarray(levels)
    picture = Image.fromarray(levels.astype(np.uint16) * 257) if mode == "I;16" else grey.convert("RGB").convert(mode)
    name = f"drawing-{mode.replace(';', '-')}.png"
    picture.save(base_directory / "input" / name)
    image, transparency = pack.run("LoadImage", image=name)
    line_map, _ = pack.run("ColorizePrepareSketch", image=image, width=64, height=96, transparency=transparency)
    expected, _ = pack.run(
        "ColorizePrepareSketch", image=torch.from_numpy(levels / 255)[None, ..., None], width=64, height=96
    )
    assert torch.allclose(line_map, expected, atol=0.01)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": torch.zeros(1, 4, 4, 7)}, "image.*channels"),
        ({"image": torch.zeros(1, 4, 4)}, r"image.*\[1, 4, 4\]"),
        ({"image": torch.zeros(0, 4, 4, 3)}, "image.*empty"),
        ({"image": torch.full((1, 4, 4, 3), float("inf"))}, "image.*infinite"),
        ({"image": torch.zeros(2, 4, 4, 3), "transparency": torch.zeros(3, 4, 4)}, "transparency.*3"),
        ({"image": torch.zeros(1, 4, 4, 3), "lines": "crayon"}, "lines.*crayon.*pencil"),
    ],
)
def test_bad_input_is_told_in_a_sentence(pack, inputs, message):
    with pytest.raises(pack.Error, match=message):
        pack.run("ColorizePrepareSketch", **inputs)


def test_fit_takes_the_size_from_the_drawing(host, pack):
    drawing = host.torch.rand(1, 400, 200, 3)
    line_map, box = pack.run("ColorizePrepareSketch", image=drawing, width=8, height=8, fit="v2")
    assert tuple(line_map.shape) == (1, 1088, 512, 3) and (box.canvas_width, box.canvas_height) == (512, 1088)
    given, _ = pack.run("ColorizePrepareSketch", image=drawing, width=64, height=96, fit="off")
    assert tuple(given.shape) == (1, 96, 64, 3)
