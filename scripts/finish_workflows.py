"""The workflows for what comes after the sampler: flats, cels, layers. They need no model and run as they open."""

from collections.abc import Callable
from typing import Any

from workflow_page import ENCODING, EXAMPLE_TALL, NOTES, PICTURES, SAMPLING
from workflow_sheet import Group, Node, Sheet

DRAWING, COLORED = "drawing-jumper-large", "colored-jumper"
REFERENCE, BACKGROUND = "reference-blueberry", "background-hills-large"

FLATS = """
### Flats

Any coloured picture becomes exact flat colours at the drawing's size, with the drawing's lines. **Needs no model.**

Press **Run**: the drawing has 1024×1024 pixels, the picture that a small model has coloured 128×128.

**Your own:** put *Load Image* in the place of *Drawing*, *Coloured picture* (of any colourizer, any size, its outlines
where the drawing's are) and *Reference*, and paint the character on drawing and reference (right-click → *Open in
MaskEditor*). Without masks take the wires out of *within* and *mask*.

### What to turn

- **Two parts in one colour?** *Line Regions* shows closed gaps in magenta; raise *close_gap* where one was left open.
- **A region in a wrong colour?** Paint a dot of the right palette colour with a hard brush, on the saved flats or on a
  blank canvas, and wire that picture to *corrections*; newer ComfyUI's *Painter* will do.
- **Shadows?** *shading* `two_tones`, with a palette that has shadows: from a shaded reference, or by *Edit Palette*.
- **Your colours, by name?** *Edit Palette* or *Load Palette* in place of *Extract Palette*.

### What is saved

In ComfyUI's `output`: `cels` in palette colours without soft edges, for animation; `layers`, a layer a colour, as
OpenRaster for Krita and GIMP. For Photoshop and Clip Studio choose `psd`; that needs `pip install psd-tools`.
"""

LAYERS = """
### Illustration layers

A coloured picture becomes a file in layers to paint on: lines, highlights, shading, a layer for each colour, and the
background. **Needs no model.**

Press **Run** and open the newest file of `output/layers` in Krita or GIMP. For Photoshop and Clip Studio choose
*format* `psd`; that needs `pip install psd-tools` in ComfyUI's Python.

**Your own:** put *Load Image* in the place of *Drawing* and *Coloured picture*, and paint the character on the drawing
(right-click → *Open in MaskEditor*). Without a mask take the wires out of *within* and *mask*. Leave *background* open
to keep the picture's own.

### What to turn

- **Names of the layers** are those of *Edit Palette*: a line a colour, picked from the picture or a model sheet. Or put
  *Extract Palette* with a reference in its place.
- **shading** `keep` moves the picture's own light and shadow onto the exact colours; `two_tones` makes hard shadows, of
  swatches with *shadow #rrggbb* behind them; `flat` gives none.
- **A batch** gives a file a picture.
"""

PALETTE = """hair #244baf
skin #fee0c9
jumper #895fe4
shorts #1fb98a
eyes #6b63b4
bow #94b552
gloves and shoes #3c3c34
"""


def opened(object_info: dict[str, Any], text: str) -> Sheet:
    """Open a sheet with its note."""
    sheet = Sheet(object_info)
    sheet.group("Read me", 520, NOTES).note(text, "How to use")
    return sheet


def example(group: Group, title: str, picture: str) -> Node:
    """Add a picture of the pack, for a user's own to take its place."""
    return group.node("ColorizeExamplePicture", title, tall=EXAMPLE_TALL, colour="choose", picture=picture)


def flats(object_info: dict[str, Any]) -> dict[str, Any]:
    """Regions, palette, flats, lines, cels and layers."""
    sheet = opened(object_info, FLATS)
    group = sheet.group("1 · Pictures", 320, PICTURES)
    drawing, colored = example(group, "Drawing", DRAWING), example(group, "Coloured picture", COLORED)
    reference = example(group, "Reference", REFERENCE)
    group = sheet.group("2 · Regions and palette", 380, ENCODING)
    regions = group.node("ColorizeLineRegions", tall=560, drawing=drawing[0], within=drawing[1])
    palette = group.node("ColorizeExtractPalette", tall=480, image=reference[0], mask=reference[1])
    group = sheet.group("3 · Flats", 400, SAMPLING)
    wires = {"image": colored[0], "regions": regions[0], "palette": palette[0]}
    flat = group.node("ColorizeFlats", tall=640, colour="choose", **wires)
    inked = group.node("ColorizeInkOver", image=flat[0], drawing=drawing[0], regions=flat[1])
    group = sheet.group("4 · Result", 480, SAMPLING)
    result = group.node("PreviewImage", "Result", tall=520, colour="result", images=inked[0])
    cels = group.node("ColorizeSaveCels", colour="result", tall=640, regions=flat[1], drawing=drawing[0])
    group = sheet.group("5 · Layers", 400, SAMPLING)
    parts = {"image": flat[0], "regions": flat[1], "drawing": drawing[0], "mask": drawing[1]}
    group.node("ColorizeSaveLayers", colour="result", tall=640, **parts, format="ora")
    pictures = [(node, "picture") for node in (drawing, colored, reference)]
    sheet.offer_as_app([*pictures, (regions, "close_gap"), (flat, "shading")], [result, cels])
    return sheet.as_workflow()


def illustration_layers(object_info: dict[str, Any]) -> dict[str, Any]:
    """Shading kept, named colours, background: one file in layers."""
    sheet = opened(object_info, LAYERS)
    group = sheet.group("1 · Pictures", 320, PICTURES)
    drawing, colored = example(group, "Drawing", DRAWING), example(group, "Coloured picture", COLORED)
    background = example(group, "Background", BACKGROUND)
    group = sheet.group("2 · Regions and palette", 380, ENCODING)
    regions = group.node("ColorizeLineRegions", tall=560, drawing=drawing[0], within=drawing[1])
    palette = group.node("ColorizePalette", tall=520, grows=240, colour="choose", text=PALETTE)
    group = sheet.group("3 · Colours", 400, SAMPLING)
    wires = {"image": colored[0], "regions": regions[0], "palette": palette[0]}
    flat = group.node("ColorizeFlats", tall=640, colour="choose", **wires, shading="keep")
    group = sheet.group("4 · Layers", 520, SAMPLING)
    parts = {"image": flat[0], "regions": flat[1], "drawing": drawing[0], "background": background[0]}
    saved = group.node("ColorizeSaveLayers", colour="result", tall=760, **parts, mask=drawing[1], format="ora")
    pictures = [(node, "picture") for node in (drawing, colored, background)]
    sheet.offer_as_app([*pictures, (palette, "text"), (flat, "shading")], [saved])
    return sheet.as_workflow()


BUILDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "flats": flats,
    "illustration_layers": illustration_layers,
}
