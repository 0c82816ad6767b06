"""A picture taken apart into layers, and what is seen of them together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish.layer_document import Document, Layer, layer_name
from colorizediffusion.colorize_core.finish.picture_layers import Parts, document_of
from colorizediffusion.colorize_core.finish.regions import NO_SWATCH
from painted_regions import HAIR, SKIN, drawing, flat_picture

NAMES = ["background", "肌", "hair & 髪", "shading", "highlights", "lines"]


def bytes_of(picture):
    return (picture[0] * 255).round().numpy().astype(np.int16)


def names(document):
    return [layer.name for layer in document.layers]


def test_what_is_seen_is_the_picture_with_the_lines_on_it(shaded_document, shaded_picture):
    assert names(shaded_document) == NAMES
    seen, ink = shaded_document.flattened.astype(np.int16), 1 - drawing()[0, ..., 0].numpy()
    clear = ink == 0
    clear &= ~np.pad(ink > 0, 1)[2:, 1:-1] & ~np.pad(ink > 0, 1)[:-2, 1:-1]  # beside a line shading is the line's
    clear &= ~np.pad(ink > 0, 1)[1:-1, 2:] & ~np.pad(ink > 0, 1)[1:-1, :-2]
    assert clear.sum() > 300
    assert np.abs(seen - bytes_of(shaded_picture))[clear].max() <= 1
    assert seen[ink == 1].max() == 0


def test_colours_reach_to_the_middle_of_the_lines_and_are_pure(shaded_document, small_regions, full_size_layer):
    for layer, color, label in zip(shaded_document.layers[1:3], (SKIN, HAIR), (1, 2), strict=True):
        pixels = full_size_layer(layer.pixels, layer.left, layer.top, small_regions.size)
        assert (layer.pixels[..., :3] == color).all() and layer.group == "colours"
        assert np.array_equal(pixels[..., 3] == 255, small_regions.filled[0].numpy() == label)
        assert np.isin(pixels[..., 3], (0, 255)).all()


def test_the_pictures_own_lines_are_no_shading(small_regions):
    """Flats with the lines drawn over: under the lines the colours go on as beside them."""
    image = flat_picture(small_regions) * drawing()
    assert names(document_of(Parts(image=image, regions=small_regions, drawing=drawing()))) == [
        "background", "肌", "hair & 髪", "lines",
    ]  # fmt: skip
    assert "shading" in names(document_of(Parts(image=image, regions=small_regions)))


def test_a_mask_parts_character_and_background(small_regions, shaded_picture):
    mask = torch.zeros(1, *small_regions.size)
    mask[..., :20] = 1
    document = document_of(Parts(image=shaded_picture, regions=small_regions, mask=mask))
    assert [(layer.name, layer.group) for layer in document.layers][:3] == [
        ("background", ""), ("rest", "character"), ("肌", "character"),
    ]  # fmt: skip
    assert np.abs(document.flattened - bytes_of(shaded_picture)).max() <= 1
    flat = document_of(Parts(regions=small_regions, mask=mask))
    assert [(layer.name, layer.group) for layer in flat.layers] == [("hair & 髪", "background"), ("肌", "character")]


def test_a_soft_mask_leaves_no_pale_rim(shaded_picture):
    mask = torch.linspace(0, 1, shaded_picture.shape[2]).expand(1, *shaded_picture.shape[1:3])
    document = document_of(Parts(image=shaded_picture, mask=mask))
    assert names(document) == ["background", "character"]
    assert np.abs(document.flattened - bytes_of(shaded_picture)).max() <= 1


def test_regions_without_swatches_take_the_pictures_colours(small_regions, shaded_picture):
    bare = replace(small_regions, palette=None, paint=None)
    image = flat_picture(small_regions)
    document = document_of(Parts(image=image, regions=bare, drawing=drawing()))
    assert names(document) == ["background", "#f6d3b8", "#7d4f9e", "lines"]
    with pytest.raises(ColorizeError, match="Flats"):
        document_of(Parts(regions=bare))


def test_coloured_lines_keep_their_colour_and_trace_lines_are_none(small_regions):
    brown, red = (120, 60, 20), (255, 0, 0)
    layer = document_of(Parts(drawing=drawing(color=brown))).layers[-1]
    inked = layer.pixels[..., 3] > 0
    assert np.abs(layer.pixels[inked][:, :3].astype(int) - brown).max() <= 2
    lines = drawing()
    lines[:, 8:10, 8:16] = torch.tensor(red) / 255
    trace = torch.zeros(1, *small_regions.size, dtype=torch.bool)
    trace[:, 8:10, 8:16] = True
    document = document_of(Parts(regions=replace(small_regions, trace=trace), drawing=lines))
    seen = document.flattened[8:10, 8:16]
    assert (seen == SKIN).all() and (document.flattened[3, 4:36] == 0).all()


def test_one_layer_and_nothing_painted(small_regions, shaded_picture):
    document = document_of(Parts(image=shaded_picture, regions=small_regions), "one_layer")
    assert names(document) == ["background", "colours", "shading", "highlights"]
    assert [layer.clipped for layer in document.layers] == [False, False, True, True]
    empty = replace(small_regions, paint=torch.full_like(small_regions.paint, NO_SWATCH))
    blank = document_of(Parts(regions=empty))
    assert blank.layers == () and (blank.flattened == 255).all() and not blank.merged.any()


def test_what_is_clipped_shows_only_on_what_it_lies_on():
    """By hand: half of red on nothing, multiplied by a grey that reaches beyond it, over half of blue."""
    red = np.array([[[255, 0, 0, 128], [0, 0, 0, 0]]], dtype=np.uint8)
    grey = np.full((1, 2, 4), (128, 128, 128, 255), dtype=np.uint8)
    blue = np.full((1, 2, 4), (0, 0, 255, 128), dtype=np.uint8)
    layers = Layer("blue", blue), Layer("red", red), Layer("grey", grey, blend="multiply", clipped=True)
    document = Document(2, 1, layers)
    share = 128 / 255
    alpha = 2 * share - share**2
    expected = [255 * share * share / alpha, 0, 255 * share * (1 - share) / alpha, 255 * alpha]
    assert np.abs(document.merged[0, 0] - expected).max() <= 1
    assert tuple(document.merged[0, 1]) == (0, 0, 255, 128)


@pytest.mark.parametrize("name", ["", " \n ", "\ud800", "a\0b", "x" * 999])
def test_every_name_becomes_one_that_files_take(name):
    made = layer_name(name)
    assert 0 < len(made) <= 255 and made.isprintable() and made.encode("utf-8")
