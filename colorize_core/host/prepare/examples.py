"""What comes with the pack to try it: the demonstration model, and pictures that it can colour."""

from pathlib import Path

import folder_paths
import torch
from torch import Tensor

from ...prepare.picture_file import read_picture

#: Not `examples`: ComfyUI takes a folder of that name for the one with the templates, and no longer finds those.
EXAMPLES = Path(__file__).resolve().parents[3] / "samples"
MODEL_FILE = EXAMPLES / "colorize-demo.safetensors"
#: What the loader calls the demonstration model; no file of a user's can be called so, for want of a file ending.
MODEL_CHOICE = "demonstration model, 128x128 (comes with the pack)"
#: Beginnings of the pictures' names, in the order in which a user needs them.
KINDS = ("drawing", "colored", "reference", "background")


def checkpoint_choices() -> list[str]:
    """List the files in models/checkpoints, and last the demonstration model, where the installation has it.

    ComfyUI takes the first choice for a new node's: the demonstration model is that only of who has no checkpoint.
    """
    own = folder_paths.get_filename_list("checkpoints")
    return [*own, MODEL_CHOICE] if MODEL_FILE.is_file() else list(own)


def checkpoint_path(choice: str) -> str:
    """Return the file behind one of `checkpoint_choices`."""
    if choice == MODEL_CHOICE:
        return str(MODEL_FILE)
    return folder_paths.get_full_path_or_raise("checkpoints", choice)


def example_choices() -> list[str]:
    """List the example pictures: drawings, then coloured ones, references, and backgrounds."""
    return [path.stem for kind in KINDS for path in sorted(EXAMPLES.glob(f"{kind}-*.png"))]


def load_example(name: str) -> tuple[Tensor, Tensor]:
    """Load one of `example_choices`.

    Returns:
        the picture [1, H, W, 3] in [0, 1]; its character's mask [1, H, W], 1 = character, all 0 for a background.
    """
    image, mask = read_picture(EXAMPLES / f"{name}.png")
    return torch.unsqueeze(image, 0), torch.unsqueeze(mask, 0)
