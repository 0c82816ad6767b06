"""Callables as ComfyUI's ModelPatcher wants them: shared by clones, asked for side models."""

from collections.abc import Callable, Sequence

import comfy.model_patcher


class Hook:
    """A patch function together with the side models that it needs on the device.

    ModelPatcher deep-copies its patches when it is cloned and moves what has `to`; a hook holds no state of a run,
    so clones share it and it is never moved.

    Args:
        key: which of our patches it belongs to.
        call: the patch function.
        models: what ComfyUI loads together with the patched model.
    """

    def __init__(self, key: str, call: Callable, models: Sequence[comfy.model_patcher.ModelPatcher] = ()):
        self.key = key
        self.call = call
        self.side_models = list(models)

    def __call__(self, *args, **kwargs):
        """Call the patch function."""
        return self.call(*args, **kwargs)

    def __deepcopy__(self, memo) -> "Hook":
        return self

    def to(self, *args, **kwargs) -> "Hook":
        """Stay as it is, on whatever device."""
        return self

    def models(self) -> list[comfy.model_patcher.ModelPatcher]:
        """Return the models that ComfyUI loads together with the patched one."""
        return self.side_models


def remove_hooks(transformer_options: dict, key: str) -> None:
    """Take an earlier installation of one of our patches out of a clone's options; all other patches stay."""

    def ours(patch) -> bool:
        return isinstance(patch, Hook) and patch.key == key

    for patches in transformer_options.get("patches", {}).values():
        patches[:] = [patch for patch in patches if not ours(patch)]
    for replacements in transformer_options.get("patches_replace", {}).values():
        for block in [block for block, patch in replacements.items() if ours(patch)]:
            del replacements[block]
    for wrappers in transformer_options.get("wrappers", {}).values():
        wrappers.pop(key, None)
