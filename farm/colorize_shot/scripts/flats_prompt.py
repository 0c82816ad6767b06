"""A workflow in API format that makes flats of a coloured shot, told which files to take and what to save.

What the job changes: the folders of the Load Frames nodes titled Drawings, Colour and Masks; palette and anchor, when
they are given; where Save Cels and Save Layers save. All else stays as the artist has set it.
"""

import copy
from pathlib import Path

from job_log import log, progress
from shot_files import ShotError
from shot_prompt import LOADER, Prompt, find, read_folder, read_prompt

FLATS, TRACKS = "ColorizeFlats", "ColorizeTrackRegions"
CELS, LAYERS = "ColorizeSaveCels", "ColorizeSaveLayers"
#: Class -> about how long it takes beside the others; what stands here is told as progress.
SLOW = {
    LOADER: 1,
    "ColorizeLineRegions": 6,
    FLATS: 3,
    TRACKS: 3,
    CELS: 1,
    LAYERS: 4,
}


def read_flats_workflow(path: Path) -> Prompt:
    """Read a workflow that makes cels."""
    prompt = read_prompt(path)
    prompt = without(prompt, *of_class(prompt, "PreviewImage"))  # nobody looks at them on a farm
    loaders = {title: titled(prompt, LOADER, title) for title in ("Drawings", "Colour")}
    lacking = [title for title, node in loaders.items() if node is None]
    if lacking:
        raise ShotError(
            f"{path.name} has no Load Frames node titled {' and none titled '.join(lacking)}; expected one titled "
            "Drawings and one titled Colour, for the drawings and their coloured frames. Give the nodes these titles "
            "and export the workflow again."
        )
    saver_of_cels(prompt)
    return prompt


def titled(prompt: Prompt, kind: str, title: str) -> str | None:
    """Return the id of the one node of a class with a title, None where there is none."""
    ids = [key for key, node in prompt.items() if node["class_type"] == kind]
    found = [key for key in ids if prompt[key].get("_meta", {}).get("title") == title]
    if len(found) > 1:
        raise ShotError(f"The workflow has {len(found)} {kind} nodes titled {title}; expected one.")
    return found[0] if found else None


def saver_of_cels(prompt: Prompt) -> str:
    """Return the id of the Save Cels node."""
    return find(prompt, CELS, "Cels")


def saver_of_layers(prompt: Prompt) -> str:
    """Return the id of the Save Layers node."""
    return find(prompt, LAYERS, "Layers")


def of_class(prompt: Prompt, *kinds: str) -> list[str]:
    """Return the ids of the nodes of some classes."""
    return [key for key, node in prompt.items() if node["class_type"] in kinds]


def behind(prompt: Prompt, ids: set[str]) -> set[str]:
    """Return these nodes and all that take something from them."""
    found = set(ids)
    while True:
        more = {key for key in prompt if key not in found and sources(prompt, key) & found}
        if not more:
            return found
        found |= more


def sources(prompt: Prompt, node_id: str) -> set[str]:
    """Return the ids of the nodes that a node takes something from."""
    return {str(value[0]) for value in prompt[node_id]["inputs"].values() if isinstance(value, list)}


def use_palette(prompt: Prompt, file: str) -> Prompt:
    """Take the palette from a file: in a wired Load Palette titled Palette, else in every Flats and Track Regions."""
    prompt = copy.deepcopy(prompt)
    takers = of_class(prompt, FLATS, TRACKS)
    own = titled(prompt, "ColorizeLoadPalette", "Palette")
    if own is not None and behind(prompt, {own}) & set(takers):
        prompt[own]["inputs"]["file"] = file
        return prompt
    prompt["job_palette"] = {"class_type": "ColorizeLoadPalette", "inputs": {"file": file}}
    for key in takers:
        prompt[key]["inputs"]["palette"] = ["job_palette", 0]
    return prompt


def use_anchor(prompt: Prompt, file: str, index: int) -> Prompt:
    """Take a frame's flats that were put right from a file: in Load Image titled Anchor, else in Track Regions.

    Args:
        index: which of the job's frames it is, from 0.
    """
    prompt = copy.deepcopy(prompt)
    trackers = of_class(prompt, TRACKS)
    if not trackers:
        raise ShotError(
            "The job has an AnchorFile, but the flats' workflow has no Track Regions (ColorizeTrackRegions) that could "
            "take it."
        )
    own = titled(prompt, "LoadImage", "Anchor")
    if own is None:
        own = "job_anchor"
        prompt[own] = {"class_type": "LoadImage", "inputs": {}}
        for key in trackers:
            prompt[key]["inputs"]["anchor"] = [own, 0]
    prompt[own]["inputs"]["image"] = file
    for key in trackers:
        prompt[key]["inputs"]["anchor_frame"] = index
    return prompt


def without_masks(prompt: Prompt) -> Prompt:
    """Look for regions in the whole drawings, and leave out what is made of the masks."""
    masks = titled(prompt, LOADER, "Masks")
    if masks is None:
        return prompt
    prompt = copy.deepcopy(prompt)
    gone = behind(prompt, {masks})
    for key in of_class(prompt, "ColorizeLineRegions", LAYERS):
        inputs = prompt[key]["inputs"]
        for name in ("within", "mask"):
            if isinstance(inputs.get(name), list) and inputs[name][0] in gone:
                del inputs[name]
    prompt = without(prompt, masks)
    if not of_class(prompt, CELS):
        raise ShotError("The job has no masks, and the workflow makes no cels without them. Set MasksFolder.")
    return prompt


def without(prompt: Prompt, *ids: str) -> Prompt:
    """Leave out nodes and all that take something from them."""
    gone = behind(prompt, set(ids))
    return {key: node for key, node in prompt.items() if key not in gone}


def with_layers(prompt: Prompt, kind: str) -> Prompt:
    """Save layered files too.

    Args:
        kind: psd, ora, or no for none.
    """
    if kind == "no":
        return without(prompt, *of_class(prompt, LAYERS))
    prompt = copy.deepcopy(prompt)
    if not of_class(prompt, LAYERS):
        raise ShotError(f"Layers is {kind}, but the workflow has no Save Layers (ColorizeSaveLayers) node.")
    prompt[saver_of_layers(prompt)]["inputs"]["format"] = kind
    return prompt


def for_shot(prompt: Prompt, folders: dict[str, str], place: str, first: int) -> Prompt:
    """Set the frames of the shot, and where its files are saved.

    Args:
        folders: title of a Load Frames node -> subfolder of ComfyUI's input folder. place: subfolder of its output
            folder. first: the first frame's number.
    """
    prompt = copy.deepcopy(prompt)
    for title, folder in folders.items():
        node = titled(prompt, LOADER, title)
        if node is None:
            log.info("the flats' workflow has no Load Frames node titled %s: it does without", title)
        else:
            read_folder(prompt, node, folder)
            prompt[node]["inputs"]["missing"] = "skip"  # a shot on twos has gaps
    prompt[saver_of_cels(prompt)]["inputs"] |= {"filename_prefix": f"{place}/palette", "first_frame": first}
    for key in of_class(prompt, LAYERS):
        prompt[key]["inputs"]["filename_prefix"] = f"{place}/layers"
    return prompt


class FlatsProgress:
    """Tells how much of such a prompt is done, by what its slow nodes tell."""

    def __init__(self, prompt: Prompt):
        self.weights = {key: SLOW[node["class_type"]] for key, node in prompt.items() if node["class_type"] in SLOW}
        self.parts = dict.fromkeys(self.weights, 0.0)
        self.percent = 0

    def after(self, node: str, part: float) -> None:
        """Take what a node tells of itself, in [0, 1], and report each whole percent of all; it never falls."""
        if node in self.parts:
            self.parts[node] = max(part, self.parts[node])
        done = sum(self.weights[key] * part for key, part in self.parts.items())
        percent = int(100 * done / max(1, sum(self.weights.values())))
        if percent > self.percent:
            self.percent = percent
            progress(percent, 100)
