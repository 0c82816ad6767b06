"""Layer documents as PSD files, for Photoshop, Clip Studio Paint, Krita, GIMP and others.

Written by psd-tools, which is asked for only here. Its own way to make layers either turns their alpha into masks or
adds a channel that other programs show as a selection; so the records are put together one by one, with the alpha in
each layer, three channels in the document, and a merged picture of our own.

Source: Adobe, "Photoshop File Formats Specification", 2019, sections "Layer and Mask Information" and "Image Data".
"""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import IO, Any

import numpy as np

from ..errors import ColorizeError
from .layer_document import Document, Layer

#: Longest side of a PSD file in pixels.
LONGEST_SIDE = 30_000
#: Bytes of pixels that it has at most, a little less than the format's 2 GiB.
MOST_BYTES = 2_000_000_000
BLENDS = {"normal": "NORMAL", "multiply": "MULTIPLY", "screen": "SCREEN"}
#: Transparency, then red, green and blue: the channels of a layer.
CHANNELS = ((-1, 3), (0, 0), (1, 1), (2, 2))
#: Name of the record at the bottom of a group.
BOTTOM = "</Layer group>"


def psd_tools() -> SimpleNamespace:
    """Return the parts of psd-tools that write files.

    Raises:
        ColorizeError: it is not installed.
    """
    try:
        from psd_tools import constants
        from psd_tools.psd import PSD, layer_and_mask
        from psd_tools.psd.header import FileHeader
        from psd_tools.psd.image_data import ImageData
        from psd_tools.psd.image_resources import ImageResources
    except ImportError as error:
        raise ColorizeError(
            "`format` is psd, which needs the package psd-tools, and ComfyUI's Python does not have it. Install it "
            "with `pip install psd-tools` and start ComfyUI anew, or set `format` to ora, which needs nothing."
        ) from error
    return SimpleNamespace(
        constants=constants,
        layers=layer_and_mask,
        Entry=layer_and_mask.LayerRecord,
        PSD=PSD,
        FileHeader=FileHeader,
        ImageData=ImageData,
        ImageResources=ImageResources,
    )


def write_psd(document: Document, file: IO[bytes], stop: Callable[[], None] = lambda: None) -> None:
    """Write a document.

    Args:
        stop: called for each layer; may raise to break off.

    Raises:
        ColorizeError: psd-tools is missing, or the document is too large for the format.
    """
    tools = psd_tools()
    if max(document.width, document.height) > LONGEST_SIDE:
        raise ColorizeError(
            f"The picture is {document.width}×{document.height}; expected at most {LONGEST_SIDE} pixels a side for a "
            "PSD file. Use a smaller `image`, or set `format` to ora."
        )
    rle = tools.constants.Compression.RLE
    records, channels, written = tools.layers.LayerRecords(), tools.layers.ChannelImageData(), 0
    for record, data in _records(document, tools, stop):
        records.append(record)
        channels.append(data)
        written += sum(len(channel.data) for channel in data)
        if written > MOST_BYTES:
            raise ColorizeError(
                f"The layers take more than {MOST_BYTES // 10**9} GB, the most that a PSD file holds. Use a smaller "
                "`image`, set `colors` to one_layer, or set `format` to ora."
            )
    header = tools.FileHeader(
        channels=3, width=document.width, height=document.height, depth=8, color_mode=tools.constants.ColorMode.RGB
    )
    image = tools.ImageData(compression=rle)
    image.set_data([plane.tobytes() for plane in np.moveaxis(document.flattened, -1, 0)], header)
    stop()
    info = tools.layers.LayerInfo(layer_count=len(records), layer_records=records, channel_image_data=channels)
    tools.PSD(
        header=header,
        image_resources=tools.ImageResources.new(),
        layer_and_mask_information=tools.layers.LayerAndMaskInformation(layer_info=info),
        image_data=image,
    ).write(file)


def _records(document: Document, tools: SimpleNamespace, stop: Callable[[], None]) -> Iterator[tuple[Any, Any]]:
    """Yield the records of layers and groups with their channels, from bottom to top."""
    for group, layers in document.grouped:
        if group:
            yield _divider(BOTTOM, tools.constants.SectionDivider.BOUNDING_SECTION_DIVIDER, tools)
        for layer in layers:
            yield _layer(layer, tools)
            stop()
        if group:
            yield _divider(group, tools.constants.SectionDivider.OPEN_FOLDER, tools)


def _layer(layer: Layer, tools: SimpleNamespace) -> tuple[Any, Any]:
    height, width = layer.pixels.shape[:2]
    record = tools.Entry(
        top=layer.top,
        left=layer.left,
        bottom=layer.top + height,
        right=layer.left + width,
        blend_mode=getattr(tools.constants.BlendMode, BLENDS[layer.blend]),
        opacity=round(255 * layer.opacity),
        clipping=tools.constants.Clipping.NON_BASE if layer.clipped else tools.constants.Clipping.BASE,
        flags=tools.layers.LayerFlags(visible=layer.visible),
    )
    data = tools.layers.ChannelDataList()
    for _, place in CHANNELS:
        channel = tools.layers.ChannelData(compression=tools.constants.Compression.RLE)
        channel.set_data(layer.pixels[..., place].tobytes(), width, height, 8)
        data.append(channel)
    return _named(record, layer.name, tools), data


def _divider(name: str, kind: Any, tools: SimpleNamespace) -> tuple[Any, Any]:
    """Return the record that begins or ends a group, which has no pixels."""
    record = tools.Entry()
    record.tagged_blocks.set_data(tools.constants.Tag.SECTION_DIVIDER_SETTING, kind=kind)
    data = tools.layers.ChannelDataList([tools.layers.ChannelData() for _ in CHANNELS])
    return _named(record, name, tools), data


def _named(record: Any, name: str, tools: SimpleNamespace) -> Any:
    """Give a record its channels and its name: in Unicode, and for old programs in ASCII."""
    record.channel_info = [tools.layers.ChannelInfo(id=channel) for channel, _ in CHANNELS]
    record.name = name.encode("ascii", "replace").decode("ascii")
    record.tagged_blocks.set_data(tools.constants.Tag.UNICODE_LAYER_NAME, name)
    return record
