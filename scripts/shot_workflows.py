"""The workflows for whole shots: a folder of drawings and one of masks, coloured in chunks with one carrier."""

from typing import Any

from workflow_page import ENCODING, NO_PICTURE, PICTURES, SAMPLING, TALL, Page
from workflow_prompt import MUTED
from workflow_sheet import Node, Socket

DRAWINGS_FOLDER, MASKS_FOLDER = "shot/drawings", "shot/masks"

SHOT = """
### A shot

Colours all drawings of a shot like one reference: encoded once, sampled in chunks that fit in memory.

1. Put the **drawings** into a folder below ComfyUI's `input`, named by frame (`ink_0001.png` …), and the **masks** of
   the characters, white on black, with the same numbers, into another. Choose both.
2. Choose a **reference** and paint its character (right-click → *Open in MaskEditor*).
3. Press *Run*. A part of the shot: *first_frame* and *frame_count* of *Drawings*.

Frames do not depend on how the shot is cut: colour it in parts, on other days, on other machines.

**Colours flicker?** The template **anchored_shot**; closed gaps in the lines. **The next shot of this character:**
unmute *Save Carrier* (Ctrl+M) once, then choose its file in *Load Carrier* and wire that to Apply Colorization.
**No masks?** Unwire *sketch_mask*. **A render farm:** see `farm/README.md`.
"""

ANCHORED = """
### A shot with an anchor

Colours all drawings of a shot like one reference, and steadily: every frame looks at one frame that you approve.

1. Put the **drawings** into a folder below ComfyUI's `input`, named by frame (`ink_0001.png` …), and the **masks** of
   the characters, white on black, with the same numbers, into another. Choose both, in *Drawings* and *Masks* and again
   in the group *Anchor*.
2. Choose a **reference** and paint its character (right-click → *Open in MaskEditor*).
3. **One frame first:** bypass *Attention Injection* (Ctrl+B), set *frame_count* of *Drawings* to 1, press *Run*.
   Another *Seed* until you like it; mend colours in any paint program, without moving lines.
4. **Then the shot:** choose that picture in *Approved frame*, take the bypass and the 1 back, press *Run*. Is it not
   the folder's first frame, set *Number of the anchor*.

All frames start from the same noise. What the anchor shows has to be right: a wrong colour stays wrong in all frames.

**A frame that shows much that the anchor does not?** Cut the shot there, with an anchor for each part.
**The anchor's shapes shine through?** Lower *fidelity*, or raise *start_percent*.
**No masks?** Unwire *sketch_mask* and *reference_mask*.
"""


def shot(object_info: dict[str, Any]) -> dict[str, Any]:
    """A folder of drawings and one of masks, coloured in chunks with one carrier."""
    page = Page(object_info, SHOT)
    drawings, mask = frames(page)
    carrier, group = encoded(page)
    other = page.sheet.group("For the next shot", 380, ENCODING, below=group)
    other.node("ColorizeSaveCarrier", carrier=carrier).data["mode"] = MUTED
    other.node("ColorizeLoadCarrier", colorizer=page.checkpoint[1], file="")
    sampled(page, 4, drawings, carrier, mask)
    return page.sheet.as_workflow()


def anchored_shot(object_info: dict[str, Any]) -> dict[str, Any]:
    """The same, and every frame looks at one that was coloured before."""
    page = Page(object_info, ANCHORED)
    drawings, mask = frames(page)
    carrier, _ = encoded(page)
    group = page.sheet.group("4 · Anchor", 380, PICTURES)
    picture = group.node("LoadImage", "Approved frame", tall=TALL, colour="choose", image=NO_PICTURE)
    width, height = page.size["width"], page.size["height"]
    size = {"target_width": width, "target_height": height}
    padded = group.node("ResizeAndPadImage", image=picture[0], padding_color="white", interpolation="lanczos", **size)
    number = group.node("PrimitiveInt", "Number of the anchor", colour="choose", value=0)
    seed = group.node("PrimitiveInt", "Seed", colour="choose", value=0)[0]
    first = {"first_frame": number[0], "frame_count": 1}
    drawing = group.node("ColorizeLoadFrames", "Anchor's drawing", colour="choose", folder=DRAWINGS_FOLDER, **first)
    lines = group.node("ColorizePrepareSketch", "Anchor's lines", image=drawing[0], **page.size)
    own_mask = fitted_masks(page, group, "Anchor's mask", drawing)
    own = {"image": padded[0], "reference_mask": own_mask, "reference_lines": lines[0]}
    sampled(page, 5, drawings, carrier, mask, {"sketch_fidelity": 1.0, "seed": seed, **own}, seed=seed)
    return page.sheet.as_workflow()


def frames(page: Page) -> tuple[Node, Socket]:
    """Add group 2: drawings with their line maps, and masks; return the drawings' node and the masks."""
    group = page.sheet.group("2 · Drawings and masks", 360, PICTURES)
    drawings = group.node("ColorizeLoadFrames", "Drawings", colour="choose", folder=DRAWINGS_FOLDER)
    page.canvas(group)
    page.line_map = group.node("ColorizePrepareSketch", "Prepare Sketch", image=drawings[0], **page.size)
    return drawings, fitted_masks(page, group, "Masks", drawings, "Fit Masks", "Characters of the drawings")


def fitted_masks(page: Page, group: Any, title: str, drawings: Node, fit: str = "", last: str = "") -> Socket:
    """Add the masks of the drawings' frames, brought to where the line maps have the drawings."""
    numbers = {"frame_numbers": drawings[4]}
    masks = group.node("ColorizeLoadFrames", title, colour="choose", folder=MASKS_FOLDER, **numbers)
    fitted = group.node("ColorizePrepareSketch", fit, image=masks[0], lines="light_on_dark", **page.size)
    mask: Socket = group.node("ImageToMask", last, image=fitted[0], channel="red")[0]
    return mask


def encoded(page: Page) -> tuple[Socket, Any]:
    """Add group 3: the reference and what is encoded from it; return the carrier and the group."""
    group = page.sheet.group("3 · Reference", 380, ENCODING)
    reference = group.node("LoadImage", "Reference", tall=TALL, colour="choose", image=NO_PICTURE)
    bleached = group.node("ColorizeBleach", image=reference[0], mask=reference[1])
    carrier = group.node("ColorizeEncodeReference", clip_vision=page.tower, image=reference[0])
    return page.background(group, carrier, bleached, source="bleached_reference")[0], group


def sampled(
    page: Page,
    number: int,
    drawings: Node,
    carrier: Socket,
    mask: Socket,
    anchor: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    """Add the last two groups, counted from this number: from Apply to the saved frames.

    Args:
        anchor: inputs of Attention Injection; None for none.
        settings: of Sample Sequence.
    """
    group = page.sheet.group(f"{number} · Colour", 380, SAMPLING)
    latent = group.node("EmptyLatentImage", **page.size, batch_size=drawings[3])
    model, positive, negative = page.applied(group, carrier, mask)
    if anchor is not None:
        parts = {"control_net": page.checkpoint[2], "vae": page.checkpoint[3]}
        model = group.node("ColorizeAttentionInjection", model=model, **parts, **anchor, **page.size)[0]
    frames = group.node(
        "ColorizeSampleSequence",
        model=model,
        positive=positive,
        negative=negative,
        latent_image=latent[0],
        frame_numbers=drawings[4],
        **settings,
    )
    page.finish(number + 1, frames)


BUILDERS = {"shot": shot, "anchored_shot": anchored_shot}
