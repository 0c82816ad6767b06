"""The workflow for a coloured shot: flats, tracks, cels. It needs no model, only the frames."""

from collections.abc import Callable
from typing import Any

from finish_workflows import opened
from shot_workflows import DRAWINGS_FOLDER, MASKS_FOLDER
from workflow_page import ENCODING, NO_FILE, NO_PICTURE, PICTURES, SAMPLING, TALL
from workflow_prompt import MUTED
from workflow_sheet import Group, Node

COLOUR_FOLDER = "shot/colour"

SHOT_TO_CELS = """
### Shot to cels

The coloured frames of a shot become flat colours that do not flicker, one swatch a region in all frames, and cels for
animation. **Needs no model**: any colourizer's frames will do, those of the template *shot* for example.

1. Put the **drawings** into a folder below ComfyUI's `input`, named by frame (`ink_0001.png` …); the **coloured
   frames** and the **masks** of the characters, white on black, with the same numbers, into two others. Choose all
   three. Coloured frames may be smaller than the drawings.
2. Choose the **character sheet**: a coloured picture on white paper, or a coloured frame.
3. Press *Run*.

**No masks?** Take the wire out of *within*. **Drawings on twos?** *missing* `skip` on *Drawings*.

### What to look at

- *Line Regions* shows closed gaps in magenta; raise *close_gap* where a line was left open.
- *Track Regions* shows all frames small, each track in a colour of its own, with a magenta border where it is new. A
  part that changes its colour there has been lost and found again.
- **Your colours, by name?** Choose the file in *Palette*, unmute it (Ctrl+M), and wire it to the dot *palette*.
- **Shadows?** *shading* `two_tones`, with a palette that has shadows.

### Something is wrong in many frames

Correct it once. Press *Run*, save one frame of *Flats of the tracks* (right-click), fill its regions with the right
colours of the palette, choose that file in *Anchor*, unmute it (Ctrl+M), and set *anchor_frame* of Track Regions to the
frame, counted from 0. Its colours win in all frames. Take a frame in which much of the character shows.

### What is saved

`cels` in ComfyUI's `output`: palette colours alone, without soft edges, under the drawings' numbers, and the palette.
Unmute *Save Layers* for a file in layers for each frame. **A render farm:** see `farm/README.md`.
"""


def frames(group: Group, title: str, folder: str, **inputs: Any) -> Node:
    """Add a folder of the shot."""
    return group.node("ColorizeLoadFrames", title, colour="choose", folder=folder, **inputs)


def muted(node: Node) -> Node:
    """Leave a node out until it is wanted, as Ctrl+M does."""
    node.data["mode"] = MUTED
    return node


def shot_to_cels(object_info: dict[str, Any]) -> dict[str, Any]:
    """Folders of drawings, coloured frames and masks; palette, regions, flats, tracks, lines, cels."""
    sheet = opened(object_info, SHOT_TO_CELS)
    group = sheet.group("1 · The shot", 360, PICTURES)
    drawings = frames(group, "Drawings", DRAWINGS_FOLDER)
    numbers = {"frame_numbers": drawings[4]}
    colour = frames(group, "Colour", COLOUR_FOLDER, **numbers)
    masks = frames(group, "Masks", MASKS_FOLDER, **numbers)
    within = group.node("ImageToMask", "Characters of the drawings", image=masks[0], channel="red")
    group = sheet.group("2 · Palette", 380, ENCODING)
    reference = group.node("LoadImage", "Character sheet", tall=TALL, colour="choose", image=NO_PICTURE)
    extracted = group.node("ColorizeExtractPalette", tall=480, image=reference[0])
    palette = group.reroute(extracted[0], "palette")
    other = sheet.group("Or from a file", 380, ENCODING, below=group)
    muted(other.node("ColorizeLoadPalette", "Palette", tall=TALL, file=NO_FILE))
    group = sheet.group("3 · Regions and flats", 400, ENCODING)
    regions = group.node("ColorizeLineRegions", tall=560, drawing=drawings[0], within=within[0])
    flat = group.node("ColorizeFlats", tall=640, colour="choose", image=colour[0], regions=regions[0], palette=palette)
    other = sheet.group("A frame put right by hand", 400, PICTURES, below=group)
    anchor = muted(other.node("LoadImage", "Anchor", tall=TALL, image=NO_PICTURE))
    group = sheet.group("4 · Tracks", 480, SAMPLING)
    wires = {"regions": flat[1], "image": colour[0], "palette": palette, "anchor": anchor[0]}
    tracked = group.node("ColorizeTrackRegions", tall=640, colour="choose", **wires)
    group = sheet.group("5 · Pictures", 480, SAMPLING)
    wires = {"drawing": drawings[0], "regions": tracked[0]}
    inked = group.node("ColorizeInkOver", image=tracked[2], **wires)
    group.node("PreviewImage", "Result", tall=520, colour="result", images=inked[0])
    group.node("PreviewImage", "Flats of the tracks", tall=520, colour="result", images=tracked[2])
    group = sheet.group("6 · Cels", 400, SAMPLING)
    group.node("ColorizeSaveCels", colour="result", tall=640, first_frame=drawings[2], **wires)
    parts = {"image": tracked[2], "mask": within[0], "format": "ora"}
    muted(group.node("ColorizeSaveLayers", tall=640, **wires, **parts))
    return sheet.as_workflow()


BUILDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"shot_to_cels": shot_to_cels}
