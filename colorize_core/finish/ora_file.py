"""Layer documents as OpenRaster files, for Krita, GIMP, MyPaint and others; by the standard library and Pillow.

The format has no clipping. What is clipped onto a group goes into that group on top, which is blended by itself first;
it shows nothing outside it, for its own alpha ends where the group's does.

Source: OpenRaster 0.0.6, "File Layout" and "Layer Stack".
"""

import io
import zipfile
from collections.abc import Callable
from html import escape
from typing import IO

import numpy as np
from PIL import Image

from .layer_document import Document, Layer

MIMETYPE = b"image/openraster"
BLENDS = {"normal": "svg:src-over", "multiply": "svg:multiply", "screen": "svg:screen"}
#: Longest side of the thumbnail in pixels.
THUMBNAIL = 256
#: Of PNG: flat colours are packed well already, and more takes seconds a layer.
LEVEL = 1
#: Date of the files inside, so that one document gives one file: the first that ZIP knows.
DATE = (1980, 1, 1, 0, 0, 0)


def write_ora(document: Document, file: IO[bytes], stop: Callable[[], None] = lambda: None) -> None:
    """Write a document.

    Args:
        file: open for writing, at its beginning. stop: called for each layer; may raise to break off.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _put(archive, "mimetype", MIMETYPE)  # the first one, and not packed: programs look for it there
        names = {}
        for number, layer in enumerate(document.layers):
            names[id(layer)] = f"data/layer{number:03}.png"
            _put(archive, names[id(layer)], _picture(layer.pixels))
            stop()
        _put(archive, "stack.xml", stack_xml(document, names).encode("utf-8"))
        _put(archive, "mergedimage.png", _picture(document.merged))
        _put(archive, "Thumbnails/thumbnail.png", _thumbnail(document.merged))


def stack_xml(document: Document, names: dict[int, str]) -> str:
    """Describe the layers, from top to bottom.

    Args:
        names: the PNG files inside, by the id of their layer.
    """
    parts: list[tuple[str, list[Layer]]] = []
    for group, layers in document.grouped:
        if layers[0].clipped and not group and parts:
            base, below = parts[-1]
            parts[-1] = base or below[0].name, [*below, *layers]
        else:
            parts.append((group, list(layers)))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += [f'<image version="0.0.6" w="{document.width}" h="{document.height}" xres="72" yres="72">', "<stack>"]
    for group, members in reversed(parts):
        if group:
            lines.append(f'<stack name="{escape(group)}" composite-op="svg:src-over" isolation="isolate">')
        lines += [_element(layer, names[id(layer)]) for layer in reversed(members)]
        lines += ["</stack>"] * bool(group)
    return "\n".join([*lines, "</stack>", "</image>", ""])


def _element(layer: Layer, name: str) -> str:
    shown = "visible" if layer.visible else "hidden"
    return (
        f'<layer name="{escape(layer.name)}" src="{name}" x="{layer.left}" y="{layer.top}" '
        f'opacity="{layer.opacity:.4g}" visibility="{shown}" composite-op="{BLENDS[layer.blend]}"/>'
    )


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, DATE), data)


def _picture(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=LEVEL)
    return file.getvalue()


def _thumbnail(pixels: np.ndarray) -> bytes:
    picture, file = Image.fromarray(pixels), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(file, "PNG")
    return file.getvalue()
