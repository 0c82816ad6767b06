"""What the nodes after the sampler make of the pictures in samples/, as workflows/flats.json has them."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "demo"))

from comfy_path import EXAMPLES, import_core  # noqa: E402
from finish_workflows import BACKGROUND, COLORED, DRAWING, PALETTE, REFERENCE  # noqa: E402

line_regions, flats = import_core("finish.line_regions"), import_core("finish.flats")
extract_palette, palette_text = import_core("finish.extract_palette"), import_core("finish.palette_text")
ink_over, picture_layers = import_core("finish.ink_over"), import_core("finish.picture_layers")

#: What of the layered file is shown, by the names of its layers, or of a group.
LAYERS = ("lines", "shading", "character")


@dataclass(frozen=True)
class Finished:
    """Pictures of the drawing's size; the `LAYERS` of illustration_layers.json on white, and all of them."""

    drawing: Image.Image
    colored: Image.Image
    regions: Image.Image
    flats: Image.Image
    inked: Image.Image
    layers: list[Image.Image]
    flattened: Image.Image


def opened(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one of the samples: picture [1, H, W, 3], mask [1, H, W], in [0, 1]."""
    levels = torch.from_numpy(np.array(Image.open(EXAMPLES / f"{name}.png").convert("RGBA"))) / 255
    return levels[None, ..., :3], 1 - levels[None, ..., 3]


def shown(picture: torch.Tensor) -> Image.Image:
    """Turn [1, H, W, 3] in [0, 1] into a picture."""
    return Image.fromarray((picture[0] * 255).round().byte().numpy())


def finished(by_hand: bool = False) -> Finished:
    """Run all of it.

    Args:
        by_hand: the flats, too, in the palette that illustration_layers.json writes; else in the reference's.
    """
    drawing, mask = opened(DRAWING)
    colored, _ = opened(COLORED)
    regions = line_regions.find_regions(drawing, line_regions.RegionChoice(), mask)
    named = palette_text.palette_of_text(PALETTE, None)
    palette = named if by_hand else extract_palette.extract_palette(*opened(REFERENCE)).palette
    flat = flats.make_flats(colored, regions, palette, flats.FlatChoice())
    inked, _ = ink_over.ink_over(flat.image, drawing, regions=flat.regions)
    kept = flats.make_flats(colored, regions, named, flats.FlatChoice("keep"))
    background, _ = opened(BACKGROUND)
    parts = picture_layers.Parts(kept.image, kept.regions, drawing, background, mask)
    document = picture_layers.document_of(parts)
    size = drawing.shape[2], drawing.shape[1]
    return Finished(
        shown(drawing),
        shown(colored).resize(size, Image.Resampling.NEAREST),
        shown(line_regions.draw_regions(regions)),
        shown(flat.image),
        shown(inked),
        [shown_layer(document, name) for name in LAYERS],
        Image.fromarray(document.flattened),
    )


def shown_layer(document: Any, name: str) -> Image.Image:
    """Return one layer, or a group's layers over one another, on white."""
    canvas = Image.new("RGBA", (document.width, document.height), "white")
    for layer in document.layers:
        if name in (layer.name, layer.group):
            part = Image.new("RGBA", canvas.size)
            part.paste(Image.fromarray(layer.pixels), (layer.left, layer.top))
            canvas.alpha_composite(part)
    return canvas.convert("RGB")
