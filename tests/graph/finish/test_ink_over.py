"""Ink Over through the graph: batches, transparency, files of Load Image, and what does not go together."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw


@pytest.fixture
def drawing():
    """Antialiased lines [1, 80, 64, 3]."""
    page = Image.new("L", (256, 320), 255)
    pen = ImageDraw.Draw(page)
    pen.ellipse((40, 60, 200, 260), outline=0, width=14)
    pen.line((0, 300, 250, 20), fill=0, width=10)
    grey = np.asarray(page.resize((64, 80), Image.Resampling.BOX)).astype(np.float32) / 255
    return torch.from_numpy(grey)[None, ..., None].repeat(1, 1, 1, 3)


def regions_of(pack, height, width, frames=1, trace=None):
    module = pack.module("colorize_core.finish.regions")
    filled = torch.ones(frames, height, width, dtype=torch.int32)
    tables = tuple(module.table_of(frame.numpy()) for frame in filled)
    return module.Regions(filled=filled, ink=torch.zeros_like(filled, dtype=torch.bool), trace=trace, tables=tables)


def test_the_drawing_comes_back_on_colours_at_its_own_size(pack, studio, drawing):
    picture = studio.picture(height=80, width=64)
    (result, ink) = pack.run("ColorizeInkOver", image=picture, drawing=drawing)
    assert torch.equal(ink, 1 - drawing[..., 0]) and result.dtype == torch.float32
    paper = ink == 0
    assert torch.equal(result[paper], picture[paper])
    (small, _) = pack.run("ColorizeInkOver", image=studio.picture(height=20, width=16), drawing=drawing)
    assert small.shape == drawing.shape and small[ink == 1].max() == 0


@pytest.mark.parametrize(("images", "drawings"), [(3, 1), (1, 3), (2, 2)])
def test_every_frame_is_laid_over_by_itself(pack, studio, drawing, images, drawings):
    pictures = studio.picture(height=40, width=32, batch=images)
    lines = torch.cat([drawing.roll(9 * frame, dims=1) for frame in range(drawings)])
    regions = regions_of(pack, 80, 64, frames=drawings)
    inputs = {"line_color": "tinted", "regions": regions}
    result, ink = pack.run("ColorizeInkOver", image=pictures, drawing=lines, **inputs)
    assert len(result) == len(ink) == max(images, drawings)
    inputs["regions"] = regions.frame(drawings - 1)
    last, _ = pack.run("ColorizeInkOver", image=pictures[-1:], drawing=lines[-1:], **inputs)
    assert torch.equal(result[-1:], last)


def test_lines_on_transparency(pack, studio, drawing, base_directory):
    """Load Image gives black everywhere, and where it is transparent; a picture with four channels says it itself."""
    alpha = (1 - drawing[0, ..., 0]).mul(255).round().byte().numpy()
    rgba = np.dstack([np.zeros((80, 64, 3), np.uint8), alpha])
    Image.fromarray(rgba, "RGBA").save(base_directory / "input" / "lines.png")
    image, mask = pack.run("LoadImage", image="lines.png")
    picture = studio.picture(height=80, width=64)
    expected, _ = pack.run("ColorizeInkOver", image=picture, drawing=drawing)
    result, _ = pack.run("ColorizeInkOver", image=picture, drawing=image, transparency=mask)
    assert image.max() == 0 and torch.allclose(result, expected, atol=1 / 255)
    four, _ = pack.run("ColorizeInkOver", image=picture, drawing=torch.from_numpy(rgba).float()[None] / 255)
    assert torch.allclose(four, expected, atol=1 / 255)
    two, _ = pack.run("ColorizeInkOver", image=picture, drawing=image, transparency=torch.cat([mask, mask * 0]))
    assert torch.equal(two[:1], result) and len(two) == 2


def test_half_precision_and_inputs_are_left_alone(pack, studio, drawing):
    picture = studio.picture(height=80, width=64).to(torch.bfloat16)
    before = picture.clone()
    result, ink = pack.run("ColorizeInkOver", image=picture, drawing=drawing.half(), line_color="black")
    assert result.dtype == ink.dtype == torch.float32 and torch.equal(picture, before)
    assert torch.equal(result[ink == 0], picture.float()[ink == 0])


def test_what_does_not_go_together_is_told(pack, studio, drawing):
    picture = studio.picture()
    with pytest.raises(pack.Error, match=r"`image` 2, `drawing` 3"):
        pack.run("ColorizeInkOver", image=studio.picture(batch=2), drawing=drawing.expand(3, -1, -1, -1))
    with pytest.raises(pack.Error, match=r"`drawing` is 64×80 pixels and `regions` are 8×9"):
        pack.run("ColorizeInkOver", image=picture, drawing=drawing, regions=regions_of(pack, 9, 8))
    with pytest.raises(pack.Error, match=r"`color` is 'brown'; expected a colour as #rrggbb"):
        pack.run("ColorizeInkOver", image=picture, drawing=drawing, line_color="color", color="brown")
    pack.run("ColorizeInkOver", image=picture, drawing=drawing, color="not looked at")
