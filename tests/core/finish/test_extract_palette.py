"""The colours of pictures that are made here, so that the right ones are known."""

import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish.extract_palette import extract_palette
from colorizediffusion.colorize_core.finish.palette import Swatch

WHITE, BLACK = (255, 255, 255), (20, 20, 24)
SKIN, SHADE, HAIR, SHIRT = (246, 211, 184), (205, 160, 140), (25, 22, 30), (250, 250, 252)


def picture(*boxes, paper=WHITE, size=256):
    """Boxes (left, top, right, bottom, colour), each over those before it: [1, size, size, 3]."""
    image = torch.tensor(paper).repeat(size, size, 1)
    for left, top, right, bottom, color in boxes:
        image[top:bottom, left:right] = torch.tensor(color)
    return image[None].float() / 255


def outlined(left, top, right, bottom, color, line=3):
    """A box with a dark outline."""
    return (left - line, top - line, right + line, bottom + line, BLACK), (left, top, right, bottom, color)


#: A head with a shaded side, black hair, a white shirt, all outlined, on white paper.
FIGURE = (
    *outlined(60, 20, 190, 70, HAIR),
    *outlined(70, 70, 180, 150, SKIN),
    (140, 70, 180, 150, SHADE),
    *outlined(50, 160, 200, 230, SHIRT),
)


def colors(extracted):
    return [swatch.color for swatch in extracted.palette.swatches]


def test_paper_and_lines_are_left_out_and_a_white_shirt_and_black_hair_stay():
    found = extract_palette(picture(*FIGURE))
    assert colors(found) == [SHIRT, HAIR, SKIN, SHADE]
    shades = [swatch for swatch in found.palette.swatches if swatch.role == "shadow"]
    skin = found.palette.swatches[2]
    assert shades == [Swatch(f"{skin.name} shadow", SHADE, "shadow", skin.name)]
    whole = 156 * 76 + 136 * 56 + 116 * 86 - 116 * 3  # outlines overlap by three rows
    assert found.shares[2] == pytest.approx(70 * 80 / whole, rel=0.05)


def test_colours_along_antialiased_edges_are_none():
    large = picture(*FIGURE, size=256).movedim(-1, 1)
    turned = torch.nn.functional.interpolate(large, size=(410, 333), mode="bilinear", align_corners=False)
    found = extract_palette(turned.movedim(1, -1))
    assert set(colors(found)) == {SHIRT, HAIR, SKIN, SHADE}


def test_several_pictures_are_sheets_of_one_character():
    other = (0, 200, 120)
    batch = torch.cat([picture(*FIGURE), picture(*outlined(60, 60, 200, 200, other))])
    assert set(colors(extract_palette(batch))) == {SHIRT, HAIR, SKIN, SHADE, other}


def test_mask_says_where_and_a_shirt_in_it_may_reach_the_border():
    image = picture(*FIGURE, *outlined(50, 160, 200, 256, SHIRT))
    assert SHIRT not in colors(extract_palette(image))
    mask = torch.zeros(1, 64, 64)
    mask[:, 41:, 13:50] = 1
    assert colors(extract_palette(image, mask)) == [SHIRT]
    assert not len(extract_palette(image, torch.zeros(1, 64, 64)).palette)


def test_merge_most_and_smallest_share():
    near, small = (240, 120, 60), (30, 90, 200)
    image = picture((0, 0, 256, 256, (200, 60, 60)), (20, 20, 120, 120, (240, 122, 60)), (150, 20, 230, 90, near),
                    (200, 200, 210, 210, small))  # fmt: skip
    assert colors(extract_palette(image)) == [(200, 60, 60), (240, 122, 60), small]
    assert near in colors(extract_palette(image, merge=0.5))
    assert small not in colors(extract_palette(image, smallest_share=0.002))
    assert colors(extract_palette(image, most=1)) == [(200, 60, 60)]


def test_nothing_to_find():
    for image in (picture(), picture(paper=(250, 247, 240)), torch.ones(1, 1, 1, 3)):
        assert extract_palette(image).palette.swatches == ()


def test_half_precision_and_other_layouts_give_the_same():
    image = picture(*FIGURE)
    same = image.half().movedim(-1, 1).contiguous().movedim(1, -1)
    assert extract_palette(same) == extract_palette(image)


def test_names_are_unique_and_plain():
    image = picture((0, 0, 128, 256, (220, 30, 40)), (128, 0, 256, 256, (200, 30, 60)), paper=(0, 0, 0))
    assert [swatch.name for swatch in extract_palette(image).palette.swatches] == ["red 1", "red 2"]


def test_large_pictures_are_looked_at_in_steps():
    image = picture(*FIGURE).repeat_interleave(8, 1).repeat_interleave(8, 2)
    assert colors(extract_palette(image)) == [SHIRT, HAIR, SKIN, SHADE]


def test_pictures_and_masks_that_do_not_go_together():
    with pytest.raises(ColorizeError, match="`image` holds 2 and `mask` 3"):
        extract_palette(torch.zeros(2, 8, 8, 3), torch.ones(3, 8, 8))
