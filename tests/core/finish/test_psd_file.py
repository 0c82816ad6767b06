"""PSD files, read back by psd-tools and by Pillow."""

import io
import sys

import numpy as np
import pytest
from colorizediffusion.colorize_core.errors import ColorizeError
from colorizediffusion.colorize_core.finish.layer_document import Document, Layer
from colorizediffusion.colorize_core.finish.psd_file import write_psd
from PIL import Image

psd_tools = pytest.importorskip("psd_tools")


def written(document):
    file = io.BytesIO()
    write_psd(document, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def psd(shaded_document):
    return psd_tools.PSDImage.open(io.BytesIO(written(shaded_document)))


def test_layers_come_back_to_the_byte(psd, shaded_document):
    found = [layer for layer in psd.descendants() if not layer.is_group()]
    assert [layer.name for layer in found] == [layer.name for layer in shaded_document.layers]
    for layer, own in zip(found, shaded_document.layers, strict=True):
        assert (layer.left, layer.top, layer.opacity, layer.visible) == (own.left, own.top, 255, True)
        assert layer.blend_mode.name.lower() == own.blend
        assert layer.clipping == own.clipped and not layer.has_mask()
        planes = [layer._channels[place].get_data(layer.width, layer.height, 8, 1) for place in (1, 2, 3, 0)]
        pixels = np.stack([np.frombuffer(plane, np.uint8) for plane in planes], axis=-1)
        assert np.array_equal(pixels.reshape(own.pixels.shape), own.pixels)


def test_the_group_has_the_colours_and_carries_the_shading(psd):
    background, group, shading, highlights, lines = psd
    assert background.name == "background" and lines.name == "lines"
    assert group.is_group() and group.name == "colours" and group.blend_mode.name == "NORMAL"
    assert [layer.name for layer in group] == ["肌", "hair & 髪"]
    assert list(group.clip_layers) == [shading, highlights]


def test_the_merged_picture_is_what_the_layers_show(psd, shaded_document):
    merged = Image.open(io.BytesIO(written(shaded_document)))
    assert merged.mode == "RGB" and psd.channels == 3
    boxes = [(layer.left, layer.top) for layer in shaded_document.layers]
    assert [box[:2] for _, mode, box, _ in merged.layers if mode == "RGBA" and box[2] > box[0]] == boxes
    assert np.array_equal(np.asarray(merged), shaded_document.flattened)
    composite = np.asarray(psd.composite(color=1.0, force=True).convert("RGB")).astype(int)
    assert np.abs(composite - shaded_document.flattened).max() <= 1


def test_an_empty_document_and_the_largest_side(shaded_document):
    empty = Image.open(io.BytesIO(written(Document(3, 2, ()))))
    assert empty.size == (3, 2) and np.asarray(empty).min() == 255
    with pytest.raises(ColorizeError, match="30001×1"):
        write_psd(Document(30_001, 1, (Layer("x", np.zeros((1, 1, 4), np.uint8)),)), io.BytesIO())


def test_without_psd_tools_it_says_what_to_do(shaded_document, monkeypatch):
    monkeypatch.setitem(sys.modules, "psd_tools.psd", None)
    with pytest.raises(ColorizeError, match=r"pip install psd-tools.*ora"):
        write_psd(shaded_document, io.BytesIO())
