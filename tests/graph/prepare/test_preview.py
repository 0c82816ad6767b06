"""The picture of what the split will do; its sheets lie in tests/artefacts to be looked at."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"


def draw_figure(width, height):
    """Return a drawing [1, H, W, 3] and its mask [1, H, W]: a figure with a thick and a very thin arm."""
    drawing, mask = Image.new("L", (4 * width, 4 * height), 255), Image.new("L", (4 * width, 4 * height), 0)
    ink, inside = ImageDraw.Draw(drawing), ImageDraw.Draw(mask)
    unit = 4 * min(width, height)
    middle, top = 2 * width, (4 * height - unit) / 2
    ink.line((0, top + 0.75 * unit, 4 * width, top + 0.7 * unit), fill=0, width=8)
    for shoulder, hand, thickness in (((0.09, 0.45), (0.4, 0.2), 0.012), ((-0.09, 0.45), (-0.33, 0.62), 0.03)):
        ends = [(middle + x * unit, top + y * unit) for x, y in (shoulder, hand)]
        inside.line(ends, fill=255, width=int(thickness * unit))
        ink.line(ends, fill=0, width=int(thickness * unit))
        ink.line(ends, fill=255, width=int(thickness * unit) - 14)
    dress = [(-0.1, 0.4), (0.1, 0.4), (0.2, 0.8), (-0.2, 0.8)]
    ovals = [(-0.13, 0.1, 0.13, 0.4), (-0.12, 0.78, -0.06, 0.96), (0.06, 0.78, 0.12, 0.96)]
    for pen, settings in ((inside, {"fill": 255}), (ink, {"fill": 255, "outline": 0, "width": 8})):
        for left, upper, right, lower in ovals:
            box = (middle + left * unit, top + upper * unit, middle + right * unit, top + lower * unit)
            pen.ellipse(box, **settings)
        pen.polygon([(middle + x * unit, top + y * unit) for x, y in dress], **settings)
    small = [picture.resize((width, height), Image.Resampling.LANCZOS) for picture in (drawing, mask)]
    grey, region = (torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8) / 255 for picture in small)
    return grey.reshape(1, height, width, 1).expand(-1, -1, -1, 3), region.reshape(1, height, width)


def save(sheet, name):
    ARTEFACTS.mkdir(exist_ok=True)
    path = ARTEFACTS / f"{name}.png"
    Image.fromarray((sheet[0] * 255).round().byte().numpy()).save(path)
    print(f"look at {path.relative_to(ARTEFACTS.parents[1])}")


@pytest.mark.parametrize(("width", "height"), [(768, 768), (512, 896), (1216, 512), (200, 1000)])
def test_the_sheet_is_drawn_for_every_format(pack, width, height):
    drawing, mask = draw_figure(width, height)
    (sheet,), ui = pack.run_ui("ColorizePreviewRegions", image=drawing, mask=mask, width=width, height=height)
    save(sheet, f"regions_{width}x{height}")
    assert sheet.shape[0] == 1 and sheet.shape[-1] == 3
    assert sheet.min() >= 0 and sheet.max() <= 1
    assert len(ui["images"]) == 1, "the node shows the sheet itself"


def test_a_line_map_gives_the_same_sheet_as_its_drawing(pack):
    drawing, mask = draw_figure(256, 256)
    settings = {"mask": mask, "width": 256, "height": 256}
    (from_drawing,) = pack.run("ColorizePreviewRegions", image=drawing, **settings)
    (from_line_map,) = pack.run("ColorizePreviewRegions", image=1 - drawing, **settings)
    assert torch.allclose(from_drawing, from_line_map, atol=2 / 255)


def test_a_thin_arm_is_marked_where_it_falls_into_the_background(pack):
    """Red appears in the coarse panels, not in the output's own."""
    preview = pack.module("colorize_core.prepare.region_preview")
    drawing, mask = torch.ones(1, 512, 512, 3), torch.zeros(1, 512, 512)
    mask[:, :, 100:412] = 1
    mask[:, 200:203, 412:500] = 1
    (sheet,) = pack.run("ColorizePreviewRegions", image=drawing, mask=mask, width=512, height=512)
    red = (sheet[0] - torch.tensor(preview.LOST_COLOR)).abs().amax(-1) < 0.01
    legend = preview.MAIN_SIDE + 100
    assert red[:legend, preview.MAIN_SIDE + 40 :].any()
    assert not red[:legend, : preview.MAIN_SIDE].any()


def test_sizes_are_those_of_the_unet(pack):
    sizes = pack.module("colorize_core.prepare.region_preview").attention_sizes
    assert sizes(768, 512) == [(96, 64), (48, 32), (24, 16), (12, 8)]
    assert sizes(200, 1000) == [(25, 125), (13, 63), (7, 32), (4, 16)]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_masks(pack, value):
    preview = pack.module("colorize_core.prepare.region_preview")
    mask = torch.full((1, 16, 16), value)
    (sheet,) = pack.run("ColorizePreviewRegions", image=torch.ones(1, 64, 64, 1), mask=mask, width=64, height=64)
    color = preview.character_color(0) if value else preview.BACKGROUND_COLOR
    panels = sheet[0, 150 : preview.MAIN_SIDE, 60 : preview.MAIN_SIDE]
    assert torch.allclose(panels, torch.tensor(color), atol=1 / 255)


def test_several_characters_have_colours_of_their_own(pack):
    preview = pack.module("colorize_core.prepare.region_preview")
    drawing, mask = draw_figure(512, 512)
    left, right = mask.clone(), mask.clone()
    left[..., 256:], right[..., :256] = 0, 0
    sheet = preview.preview_regions(drawing, [left, right], 512, 512, 0.05)
    save(sheet, "regions_two_characters")
    for index in (0, 1):
        assert ((sheet - torch.tensor(preview.character_color(index))).abs().amax(-1) < 0.01).any()


@pytest.mark.parametrize(("images", "masks"), [(1, 3), (3, 1), (2, 2)])
def test_one_sheet_a_frame(pack, images, masks):
    drawing, mask = draw_figure(64, 64)
    (sheets,), ui = pack.run_ui(
        "ColorizePreviewRegions",
        image=drawing.expand(images, -1, -1, -1),
        mask=mask.expand(masks, -1, -1),
        width=64,
        height=64,
    )
    assert len(sheets) == len(ui["images"]) == max(images, masks)


def test_bad_input_is_told_in_a_sentence(pack):
    drawing = torch.ones(2, 8, 8, 3)
    with pytest.raises(pack.Error, match=r"2 and `mask` 3"):
        pack.run("ColorizePreviewRegions", image=drawing, mask=torch.ones(3, 8, 8))
    with pytest.raises(pack.Error, match=r"mask.*IMAGE"):
        pack.run("ColorizePreviewRegions", image=drawing, mask=drawing)
    with pytest.raises(pack.Error, match=r"`height` is 4; expected a number from 8"):
        pack.run("ColorizePreviewRegions", image=drawing, mask=torch.ones(2, 8, 8), width=64, height=4)
