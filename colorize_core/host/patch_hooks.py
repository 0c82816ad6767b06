"""Callables as ComfyUI's ModelPatcher wants them: shared by clones, asked for side models."""

from collections.abc import Callable, Sequence

import comfy.model_patcher


class Hook:
    """A patch function together with the side models that it needs on the device.

    ModelPatcher deep-copies its patches when it is cloned and moves what has `to`; a hook holds no state of a run,
    so clones share it and it is never moved.
    """

    def __init__(self, call: Callable, models: Sequence[comfy.model_patcher.ModelPatcher] = ()):
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
