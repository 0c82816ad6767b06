"""The blueprints of subgraphs/: what most workflows have in common, as one node each."""

from collections.abc import Callable
from typing import Any

from workflow_blueprint import Blueprint
from workflow_page import ENCODING, PICTURES, SAMPLING
from workflow_sheet import Socket

FROM_CHECKPOINT = "Models come from Load Colorize Checkpoint; a LoRA may stand between."
SKETCH_SEGMENTER, COLOR_SEGMENTER = "sketch-segment.safetensors", "isnetis.safetensors"


#: What all blueprints that colour take: the outputs of Load Colorize Checkpoint.
MODELS = {
    "model": "MODEL",
    "colorizer": "COLORIZER",
    "control_net": "CONTROL_NET",
    "vae": "VAE",
    "clip_vision": "CLIP_VISION",
}


def opened(object_info: dict[str, Any], name: str, description: str, pictures: dict[str, str]) -> Blueprint:
    """Open a blueprint that colours, with its models, its pictures and its size."""
    blueprint = Blueprint(object_info, name, f"{description} {FROM_CHECKPOINT}")
    blueprint.take_models(MODELS)
    blueprint.given = {socket: blueprint.take(socket, kind) for socket, kind in pictures.items()}
    blueprint.size = {side: blueprint.take(side, "INT") for side in ("width", "height")}
    return blueprint


def coloured(blueprint: Blueprint, carrier: Socket, mask: Socket | None = None) -> dict[str, Any]:
    """Add everything from Apply to the picture, cut to the drawing's proportions."""
    group = blueprint.sheet.group("Colour", 380, SAMPLING)
    latent = group.node("EmptyLatentImage", **blueprint.size)
    model, positive, negative = blueprint.applied(group, carrier, mask)
    sampled = blueprint.sampler(group, model, positive, negative, latent[0])
    for name, kind in (("seed", "INT"), ("steps", "INT"), ("cfg", "FLOAT")):
        blueprint.sheet.wire_widget(blueprint.take(name, kind), sampled, name)
    group = blueprint.sheet.group("Picture", 320, SAMPLING)
    decoded = group.node("VAEDecode", samples=sampled[0], vae=blueprint.checkpoint[3])
    blueprint.give("image", group.node("ColorizeCropToBox", image=decoded[0], box=blueprint.line_map[1])[0])
    return blueprint.as_workflow()


def colorize(object_info: dict[str, Any]) -> dict[str, Any]:
    """Models, drawing, reference → picture."""
    blueprint = opened(
        object_info,
        "Colorize",
        "Colours a drawing like a reference picture: all of the drawing looks at all of the reference.",
        {"drawing": "IMAGE", "reference": "IMAGE"},
    )
    group = blueprint.sheet.group("Encode", 340, ENCODING)
    blueprint.line_map = group.node("ColorizePrepareSketch", image=blueprint.given["drawing"], **blueprint.size)
    carrier = group.node("ColorizeEncodeReference", clip_vision=blueprint.tower, image=blueprint.given["reference"])
    return coloured(blueprint, carrier[0])


def character_and_background(object_info: dict[str, Any]) -> dict[str, Any]:
    """Models, drawing and reference with their masks → picture."""
    blueprint = opened(
        object_info,
        "Colorize character and background",
        "Colours a drawing's character like the reference's character and its background like the reference's "
        "background. Masks are 1 on the character.",
        {"drawing": "IMAGE", "drawing_mask": "MASK", "reference": "IMAGE", "reference_mask": "MASK"},
    )
    given = blueprint.given
    group = blueprint.sheet.group("Line map and mask", 340, PICTURES)
    blueprint.line_map = group.node("ColorizePrepareSketch", image=given["drawing"], **blueprint.size)
    painted = group.node("MaskToImage", mask=given["drawing_mask"])
    fitted = group.node("ColorizePrepareSketch", "Fit Mask", image=painted[0], lines="light_on_dark", **blueprint.size)
    mask = group.node("ImageToMask", "Character of the drawing", image=fitted[0], channel="red")
    group = blueprint.sheet.group("Bleach", 340, PICTURES)
    merged = group.node("ColorizeMergeMasks", mask_a=given["reference_mask"], mask_b=mask[0], grow=5)
    bleached = group.node("ColorizeBleach", image=given["reference"], mask=merged[0])
    group = blueprint.sheet.group("Encode", 340, ENCODING)
    carrier = group.node("ColorizeEncodeReference", clip_vision=blueprint.tower, image=given["reference"])
    carrier = blueprint.background(group, carrier, bleached, source="bleached_reference")
    return coloured(blueprint, carrier[0], mask[0])


def prepare_references(object_info: dict[str, Any]) -> dict[str, Any]:
    """Drawing and reference → the drawing's mask, the reference's mask, the reference bleached."""
    blueprint = Blueprint(
        object_info,
        "Prepare references",
        "Finds the characters of a drawing and of a reference, and paints the reference's character white. `box` is "
        "Prepare Sketch's, so that the drawing's mask lies where the line map lies.",
    )
    sockets = (("drawing", "IMAGE"), ("box", "COLORIZE_BOX"), ("reference", "IMAGE"))
    drawing, box, reference = (blueprint.take(name, kind) for name, kind in sockets)
    group = blueprint.sheet.group("Characters", 340, PICTURES)
    masks = []
    for name, file, title, inputs in (
        ("sketch_segmenter", SKETCH_SEGMENTER, "drawing", {"image": drawing, "box": box, "kind": "drawing", "grow": 0}),
        ("color_segmenter", COLOR_SEGMENTER, "reference", {"image": reference}),
    ):
        loader = group.node("ColorizeSegmenterLoader", f"Segmenter of the {title}", model_name=file)
        blueprint.sheet.wire_widget(blueprint.take(name, "COMBO"), loader, "model_name")
        masks.append(group.node("ColorizeSegmentCharacter", f"Character of the {title}", segmenter=loader[0], **inputs))
    sketch_mask, reference_mask = masks
    group = blueprint.sheet.group("Bleach", 340, PICTURES)
    merged = group.node("ColorizeMergeMasks", mask_a=reference_mask[0], mask_b=sketch_mask[0])
    blueprint.sheet.wire_widget(blueprint.take("grow", "INT"), merged, "grow")
    bleached = group.node("ColorizeBleach", image=reference, mask=merged[0])
    blueprint.give("sketch_mask", sketch_mask[0])
    blueprint.give("reference_mask", reference_mask[0])
    blueprint.give("bleached_reference", bleached[0])
    return blueprint.as_workflow()


def flats_from_picture(object_info: dict[str, Any]) -> dict[str, Any]:
    """Drawing and coloured picture → the drawing's lines over flat colours, and what makes cels and layers."""
    blueprint = Blueprint(
        object_info,
        "Flats from picture",
        "Makes exact flat colours at a drawing's size of a coloured picture, with the drawing's lines over them. Needs "
        "no model. `palette` and `within` (1 where regions are looked for) may stay open.",
    )
    sockets = (("drawing", "IMAGE"), ("image", "IMAGE"), ("palette", "COLORIZE_PALETTE"), ("within", "MASK"))
    drawing, image, palette, within = (blueprint.take(name, kind) for name, kind in sockets)
    group = blueprint.sheet.group("Regions", 340, PICTURES)
    regions = group.node("ColorizeLineRegions", drawing=drawing, within=within)
    group = blueprint.sheet.group("Flats", 340, ENCODING)
    flats = group.node("ColorizeFlats", image=image, regions=regions[0], palette=palette)
    group = blueprint.sheet.group("Lines", 340, SAMPLING)
    inked = group.node("ColorizeInkOver", image=flats[0], drawing=drawing, regions=flats[1])
    for node, name, kind in (
        (regions, "close_gap", "INT"), (flats, "shading", "COMBO"), (inked, "line_color", "COMBO"),
    ):  # fmt: skip
        blueprint.sheet.wire_widget(blueprint.take(name, kind), node, name)
    for name, socket in (("image", inked[0]), ("flats", flats[0]), ("regions", flats[1]), ("unsure", flats[2])):
        blueprint.give(name, socket)
    return blueprint.as_workflow()


BUILDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Colorize": colorize,
    "Colorize character and background": character_and_background,
    "Prepare references": prepare_references,
    "Flats from picture": flats_from_picture,
}
