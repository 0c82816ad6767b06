"""The workflows of the farm's job, in API format."""

from collections.abc import Callable
from typing import Any

from workflow_prompt import Prompt, set_inputs, to_prompt
from workflow_sheet import Sheet

REFERENCE = "reference.png"
DRAWINGS, COLOURED, MASKS = "shot/drawings", "shot/colour", "shot/masks"


def colour(object_info: dict[str, Any], shot: dict[str, Any]) -> Prompt:
    """The workflow `shot` in API format; its reference is the file that the job's folder of references has."""
    prompt = to_prompt(shot, object_info)
    set_inputs(prompt, "Reference", image=REFERENCE)
    return prompt


def flats(object_info: dict[str, Any]) -> Prompt:
    """Coloured frames to flats, tracks, cels and layers; titles are what the job looks for."""
    sheet = Sheet(object_info)
    group = sheet.group("Shot", 400)
    drawings = group.node("ColorizeLoadFrames", "Drawings", folder=DRAWINGS)
    numbers = {"frame_numbers": drawings[4]}
    coloured = group.node("ColorizeLoadFrames", "Colour", folder=COLOURED, **numbers)
    masks = group.node("ColorizeLoadFrames", "Masks", folder=MASKS, **numbers)
    within = group.node("ImageToMask", "Characters of the drawings", image=masks[0], channel="red")
    group = sheet.group("Flats", 400)
    regions = group.node("ColorizeLineRegions", "Regions", drawing=drawings[0], within=within[0])
    flat = group.node("ColorizeFlats", "Flats", image=coloured[0], regions=regions[0])
    tracked = group.node("ColorizeTrackRegions", "Tracked", regions=flat[1], image=coloured[0])
    group = sheet.group("Save", 400)
    parts = {"regions": tracked[0], "drawing": drawings[0]}
    group.node("ColorizeSaveCels", "Cels", **parts, first_frame=drawings[2])
    group.node("ColorizeSaveLayers", "Layers", **parts, image=tracked[2], mask=within[0])
    group.node("SaveImage", "Tracks", images=tracked[1], filename_prefix="tracks")
    return to_prompt(sheet.as_workflow(), object_info)


#: File in the bundle -> what makes it, from the server's nodes and the workflow `shot`.
BUILDERS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Prompt]] = {
    "workflow": colour,
    "flats_workflow": lambda object_info, _: flats(object_info),
}
