"""A LoRA of the checkpoint's own as weight patches, which go with the clone of the MODEL and merge with users'."""

import uuid
from collections.abc import Mapping

import comfy.model_patcher

from .pieces import Piece

#: Where a MODEL keeps the patches that it has of ours.
ATTACHMENT = "colorize_weight_lora"


class WeightLora(Piece):
    """Adds a LoRA to a MODEL's weights.

    Args:
        patches: by the name of the weight, as `comfy.lora.load_lora` gives them.
    """

    def __init__(self, patches: Mapping[str, object]):
        self.patches = patches

    def install(self, model: comfy.model_patcher.ModelPatcher) -> None:
        """Register with a MODEL."""
        model.add_patches(dict(self.patches))
        model.set_attachments(ATTACHMENT, self.patches)


def remove_lora(model: comfy.model_patcher.ModelPatcher) -> None:
    """Take the LoRA of an earlier installation out of a clone; all other weight patches stay."""
    ours = model.get_attachment(ATTACHMENT) or {}
    for name, patch in ours.items():
        rest = [entry for entry in model.patches.get(name, []) if entry[1] is not patch]
        model.patches.pop(name, None)
        if rest:
            model.patches[name] = rest
    if ours:
        model.remove_attachments(ATTACHMENT)
        model.patches_uuid = uuid.uuid4()
