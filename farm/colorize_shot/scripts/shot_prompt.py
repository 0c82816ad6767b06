"""A workflow in API format, told which frames to colour.

What the job changes: the folders of the Load Frames nodes titled Drawings and Masks; the carrier, when one is given;
first_frame of Sample Sequence where it is not wired. All else stays as the artist has set it.
"""

import copy
import json
from pathlib import Path
from typing import Any

from shot_files import POSITIONS, ShotError, digest, numbered

Prompt = dict[str, Any]
LOADER = "ColorizeLoadFrames"


def read_workflow(path: Path) -> Prompt:
    """Read a workflow that colours frames."""
    prompt = read_prompt(path)
    find(prompt, LOADER, "Drawings")
    saver(prompt)
    return prompt


def read_prompt(path: Path) -> Prompt:
    """Read a workflow in API format."""
    try:
        prompt = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ShotError(f"{path} cannot be read as a workflow: {error}") from error
    if not isinstance(prompt, dict) or not all(isinstance(n, dict) and "class_type" in n for n in prompt.values()):
        raise ShotError(f"{path} is no workflow in API format. In ComfyUI: File > Export (API).")
    return prompt


def find(prompt: Prompt, kind: str, title: str) -> str:
    """Return the id of the node of a class with a title, or of the only one of its class."""
    ids = [node_id for node_id, node in prompt.items() if node["class_type"] == kind]
    titled = [node_id for node_id in ids if prompt[node_id].get("_meta", {}).get("title") == title]
    for found in (titled, ids):
        if len(found) == 1:
            return found[0]
    raise ShotError(f"The workflow has {len(ids)} {kind} nodes, {len(titled)} of them titled {title}; expected one.")


def saver(prompt: Prompt) -> str:
    """Return the id of the Save Image node that saves the frames."""
    return find(prompt, "SaveImage", "Result")


def input_files(prompt: Prompt, folder: Path | None) -> dict[str, Path]:
    """Find the files of the references' folder that nodes of the workflow name: {name: file}."""
    if folder is None:
        return {}
    named = {value for node in prompt.values() for value in node["inputs"].values() if isinstance(value, str)}
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.name in named}


def use_carrier(prompt: Prompt, file: str) -> Prompt:
    """Take the carrier of every Apply Colorization from a file."""
    prompt = copy.deepcopy(prompt)
    appliers = [node for node in prompt.values() if node["class_type"] == "ColorizeApply"]
    if not appliers:
        raise ShotError("The workflow has no Apply Colorization (ColorizeApply) that could take the job's carrier.")
    prompt["job_carrier"] = {"class_type": "ColorizeLoadCarrier", "inputs": {"file": file}}
    for node in appliers:
        node["inputs"]["carrier"] = ["job_carrier", 0]
    return prompt


def without_masks(prompt: Prompt) -> Prompt:
    """Colour without a split, and so without a background, which acts only beside a mask."""
    prompt = copy.deepcopy(prompt)
    backgrounds = {key: node for key, node in prompt.items() if node["class_type"] == "ColorizeEncodeBackground"}
    for node in prompt.values():
        if node["class_type"] == "ColorizeApply":
            node["inputs"].pop("sketch_mask", None)
        for name, value in node["inputs"].items():
            while isinstance(value, list) and value[0] in backgrounds:
                value = backgrounds[value[0]]["inputs"]["carrier"]
            node["inputs"][name] = value
    for key in backgrounds:
        del prompt[key]
    return prompt


def reading(prompt: Prompt, title: str) -> tuple[str, str]:
    """Return how a Load Frames node reads its folder: which number in a name counts, and what of a missing one."""
    inputs = prompt[find(prompt, LOADER, title)]["inputs"]
    number, missing = inputs.get("number", "last"), inputs.get("missing", "refuse")
    if str(number) not in POSITIONS or str(missing) not in ("refuse", "hold", "skip"):
        raise ShotError(
            f"`number` and `missing` of Load Frames {title} are {number} and {missing}; set both on the node."
        )
    return number, missing


def find_frames(
    prompt: Prompt, frames: list[int], drawings: Path, masks: Path | None
) -> tuple[str, dict[int, Path], dict[int, Path]]:
    """Find a job's pictures as the workflow that colours them reads their names.

    Returns:
        Which number in a name counts; {number: drawing}; {number: mask}, none without a folder of masks.
    """
    position, missing = reading(prompt, "Drawings")
    drawn = numbered(drawings, frames, position, missing)
    if not masks:
        return position, drawn, {}
    number, missing = reading(prompt, "Masks")
    # A mask that is missing cannot be skipped: its drawing is there.
    return position, drawn, numbered(masks, list(drawn), number, "hold" if missing == "hold" else "refuse")


def hash_of(prompt: Prompt, inputs: dict[str, Path]) -> str:
    """Hash a prompt without its titles, and the files {name: file} that it names."""
    nodes = {key: {k: v for k, v in node.items() if k != "_meta"} for key, node in prompt.items()}
    parts = [json.dumps(nodes, sort_keys=True).encode()]
    parts += [part for name, path in sorted(inputs.items()) for part in (name.encode(), path.read_bytes())]
    return digest(*parts)


def read_folder(prompt: Prompt, node_id: str, folder: str) -> None:
    """Make a Load Frames node read a subfolder of ComfyUI's input folder that holds just the job's frames."""
    inputs = prompt[node_id]["inputs"]
    inputs["folder"] = folder
    for name in ("first_frame", "frame_count"):
        if not isinstance(inputs.get(name), list):
            inputs[name] = 0
    for name in ("number", "missing"):  # by these the job has chosen the files already
        inputs.pop(name, None)
    if not isinstance(inputs.get("frame_numbers"), list):
        inputs.pop("frame_numbers", None)


def for_frames(prompt: Prompt, first: int, drawings: str, masks: str | None) -> Prompt:
    """Set the frames of one run.

    Args:
        first: the first frame's number. drawings, masks: subfolders of ComfyUI's input folder.
    """
    prompt = copy.deepcopy(prompt)
    folders = {find(prompt, LOADER, "Drawings"): drawings}
    if masks is not None:
        masks_node = find(prompt, LOADER, "Masks")
        if masks_node in folders:
            raise ShotError("The job has masks, but the workflow has no Load Frames node titled Masks.")
        folders[masks_node] = masks
    for node_id, folder in folders.items():
        read_folder(prompt, node_id, folder)
    for node in prompt.values():
        if node["class_type"] == "ColorizeSampleSequence" and not isinstance(node["inputs"].get("first_frame"), list):
            node["inputs"]["first_frame"] = first
    return prompt
