"""OpenRaster files, read back as the format's description has them."""

import io
import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from colorizediffusion.colorize_core.finish.ora_file import write_ora
from PIL import Image


@pytest.fixture(scope="module")
def data(shaded_document):
    file = io.BytesIO()
    write_ora(shaded_document, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def archive(data):
    return zipfile.ZipFile(io.BytesIO(data))


def picture(archive, name):
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def test_programs_find_the_mimetype_at_its_place(data, archive):
    assert data[30:54] == b"mimetypeimage/openraster"
    assert archive.namelist()[0] == "mimetype" and archive.testzip() is None
    assert archive.getinfo("mimetype").compress_type == zipfile.ZIP_STORED


def test_layers_from_top_to_bottom_with_the_shading_in_the_group(archive, shaded_document):
    image = ElementTree.fromstring(archive.read("stack.xml"))
    assert (image.get("w"), image.get("h")) == ("40", "24")
    lines, group, background = image.find("stack")
    assert (lines.get("name"), background.get("name")) == ("lines", "background")
    assert group.tag == "stack" and group.get("name") == "colours" and group.get("isolation") == "isolate"
    assert [(layer.get("name"), layer.get("composite-op")) for layer in group] == [
        ("highlights", "svg:screen"),
        ("shading", "svg:multiply"),
        ("hair & 髪", "svg:src-over"),
        ("肌", "svg:src-over"),
    ]
    for layer, own in zip([background, *reversed(group), lines], shaded_document.layers, strict=True):
        assert (int(layer.get("x")), int(layer.get("y"))) == (own.left, own.top)
        assert np.array_equal(picture(archive, layer.get("src")), own.pixels)


def test_without_clipping_the_layers_show_the_same(shaded_document):
    """As a program reads them: the shading inside the group and not clipped."""
    inside = [
        replace(layer, clipped=False, group="colours" if layer.clipped else layer.group)
        for layer in shaded_document.layers
    ]
    read = replace(shaded_document, layers=tuple(inside))
    assert np.array_equal(read.merged, shaded_document.merged)


def test_merged_picture_and_thumbnail(archive, shaded_document):
    assert np.array_equal(picture(archive, "mergedimage.png"), shaded_document.merged)
    assert max(picture(archive, "Thumbnails/thumbnail.png").shape) <= 256
