"""Layered pictures: as files below ComfyUI's output folder, and as the layer document of newer versions of ComfyUI."""

from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor

from ...errors import ColorizeError
from ...finish.layer_document import Document
from ...finish.ora_file import write_ora
from ...finish.picture_layers import document_of
from ...finish.psd_file import psd_tools, write_psd
from ...whole_file import whole_file
from ..loading import stop_when_cancelled
from ..prepare.frames import each_frame
from ..saved_place import refused_names, saved_place
from .finished_parts import ShotParts

#: Format, which is the file's suffix too -> what writes it.
FORMATS: dict[str, Callable[[Document, IO[bytes], Callable[[], None]], None]] = {"psd": write_psd, "ora": write_ora}
#: Layers that ComfyUI's Create Layered Image takes.
MOST_LAYERS = 50


class SavedLayers(NamedTuple):
    """Files, as ComfyUI tells of them; what is seen of the layers on white paper, [B, H, W, 3] in [0, 1]."""

    files: list[dict[str, str]]
    image: Tensor


def save_layers(parts: ShotParts, kind: str, colors: str, prefix: str) -> SavedLayers:
    """Save each frame as a file of its own, under the next free numbers.

    Args:
        kind: of `FORMATS`. colors: of `COLORS_AS`. prefix: path below the output folder, as `saved_place` takes it.

    Raises:
        ColorizeError: parts do not go together, psd-tools is missing, or nothing can be saved there.
    """
    if kind == "psd":
        psd_tools()
    files, pictures = [], []
    with refused_names(prefix, "layers", "Save Layers"):
        place = None
        for index, document in enumerate(documents(parts, colors)):
            place = place or saved_place(prefix, "layers/picture")
            name = f"{place.name}_{place.counter + index:05}_.{kind}"
            with whole_file(place.folder / name) as file:
                FORMATS[kind](document, file, stop_when_cancelled)
            files.append(place.told(name))
            pictures.append(torch.from_numpy(document.flattened).float() / 255)
    return SavedLayers(files, torch.stack(pictures))


def documents(parts: ShotParts, colors: str, linear: bool = False) -> Iterator[Document]:
    """Yield a document a frame, with progress, until the user cancels."""
    parts = parts.checked()
    for index in each_frame(len(parts)):
        yield document_of(parts.frame(index), colors, linear, stop_when_cancelled)


def make_layers(parts: ShotParts, colors: str) -> dict[str, Any]:
    """Make ComfyUI's own layer document of a picture: LAYERS, version 1.

    It has no groups and no clipping, and multiplies in linear light, for which the shading is made here.

    Raises:
        ColorizeError: parts do not go together, they hold more than one frame, or there are more layers than it takes.
    """
    parts = parts.checked()
    if len(parts) > 1:
        raise ColorizeError(
            f"`{parts.longest}` holds {len(parts)} frames; expected one, for ComfyUI's layers are those of one "
            "picture. Choose a frame with Image From Batch, or use Save Layers, which makes a file a frame."
        )
    (document,) = documents(parts, colors, linear=True)
    if len(document.layers) > MOST_LAYERS:
        raise ColorizeError(
            f"The picture has {len(document.layers)} layers; expected at most {MOST_LAYERS}, which is what ComfyUI's "
            "layers hold. Set `colors` to one_layer, wire `regions` from Flats with a smaller palette, or use Save "
            "Layers."
        )
    items = []
    for order, layer in enumerate(document.layers):
        pixels = torch.from_numpy(layer.pixels).float()[None] / 255
        items.append(
            {
                "type": "raster",
                "image": pixels[..., :3].contiguous(),
                "mask": 1 - pixels[..., 3],
                "name": layer.name,
                "x": layer.left,
                "y": layer.top,
                "opacity": layer.opacity,
                "blend_mode": layer.blend,
                "visible": layer.visible,
                "z_index": order,
            }
        )
    return {"version": 1, "canvas": (document.width, document.height), "layers": items}
