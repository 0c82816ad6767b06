"""The frames of a chunk, taken out of everything that holds one row for each frame of a shot.

ComfyUI keeps what belongs to single frames in three places: tensors of the conditioning, pictures inside its
ControlNets, and whatever the patches of a MODEL hold. The rule is the same for all: a batch as long as the shot is cut,
a batch of one goes with every frame.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ...errors import ColorizeError
from ..sampling.patch_hooks import Hook
from ..sampling.pieces import Piece


class Frames:
    """Some frames of a shot.

    Args:
        start, stop: the first frame, and the one behind the last.
        count: frames of the whole shot.
    """

    def __init__(self, start: int, stop: int, count: int):
        self.start, self.stop, self.count = start, stop, count
        self._parts: dict[int, tuple[Any, Any]] = {}

    def of(self, tensor: Tensor) -> Tensor:
        """Return these frames of a tensor [count, …]; a tensor of another length comes back as it is."""
        per_frame = tensor.ndim > 0 and len(tensor) == self.count
        return tensor[self.start : self.stop] if per_frame else tensor

    def of_conditioning(self, conditioning: list) -> list:
        """Return a conditioning for these frames."""
        return [[self.of(context), self.of_options(options)] for context, options in conditioning]

    def of_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return a conditioning's options for these frames: tensors and ControlNets cut, the rest shared."""
        return {key: self._of_option(value) for key, value in options.items()}

    def _of_option(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.of(value)
        if isinstance(value, Piece):
            return self._of_owner(value)
        return self.of_control(value) if is_control(value) else value

    def of_control(self, control: Any) -> Any:
        """Return a copy of a ControlNet, and of those before it, for these frames; the same copy each time."""

        def cut() -> Any:
            part = control.copy()
            part.cond_hint_original = self._of_option(control.cond_hint_original)
            if getattr(part, "whole_line_map", None) is not None:
                part.whole_line_map = part.cond_hint_original  # these are all the pictures of the chunk
            part.extra_concat_orig = [self._of_option(extra) for extra in getattr(control, "extra_concat_orig", ())]
            previous = control.previous_controlnet
            return part if previous is None else part.set_previous_controlnet(self.of_control(previous))

        return self._once(control, cut)

    def of_model_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a MODEL whose patches of ours are for these frames; other patches are shared."""
        return self._of_patches(options)

    def _of_patches(self, value: Any) -> Any:
        if type(value) is dict:
            return {key: self._of_patches(inner) for key, inner in value.items()}
        if type(value) is list:
            return [self._of_patches(inner) for inner in value]
        return value.rebound(self._of_owner) if isinstance(value, Hook) and value.owners() else value

    def _of_owner(self, owner: Any) -> Any:
        """Return a copy of a patch whose tensors, tuples of tensors and ControlNets are those of these frames."""

        def cut() -> Any:
            part = copy.copy(owner)
            for name, value in vars(owner).items():
                if isinstance(value, tuple):
                    setattr(part, name, tuple(self._of_option(inner) for inner in value))
                else:
                    setattr(part, name, self._of_option(value))
            return part

        return self._once(owner, cut)

    def _once(self, whole: Any, cut: Callable[[], Any]) -> Any:
        if id(whole) not in self._parts:
            self._parts[id(whole)] = (whole, cut())
        return self._parts[id(whole)][1]


def is_control(value: Any) -> bool:
    """Tell whether a value is a ControlNet of any kind."""
    return hasattr(value, "cond_hint_original") and hasattr(value, "copy")


def check_frames(count: int, model_options: dict[str, Any], conditionings: Mapping[str, list]) -> None:
    """Refuse line maps, references and masks that are neither one nor one for each frame.

    Args:
        count: frames of the shot.
        conditionings: by the name of the input that they came in.
    """
    for name, conditioning in conditionings.items():
        for context, options in conditioning:
            refuse_other_counts(count, f"The references in `{name}` are", context)
            control = options.get("control")
            while is_control(control):
                pictures = control.cond_hint_original
                refuse_other_counts(count, f"The line maps or ControlNet images in `{name}` are", pictures)
                control = control.previous_controlnet
    for owner in patch_owners(model_options.get("transformer_options", {})):
        for value in vars(owner).values():
            for tensor in value if isinstance(value, tuple) else (value,):
                refuse_other_counts(count, "The masks, references or backgrounds of Apply Colorization are", tensor)


def refuse_other_counts(count: int, what: str, value: Any) -> None:
    """Refuse a batch that is neither one nor `count` long; what is no tensor passes."""
    if isinstance(value, Tensor) and value.ndim and len(value) not in (1, count):
        raise ColorizeError(
            f"{what} {len(value)}, but `latent_image` has {count} frames. Give one for all frames, or one for each: "
            "set batch_size of the empty latent to the number of line maps."
        )


def patch_owners(options: Any) -> list[Any]:
    """List the patches of ours that are installed in a MODEL's transformer options."""
    if isinstance(options, dict):
        options = list(options.values())
    if isinstance(options, list):
        return [owner for inner in options for owner in patch_owners(inner)]
    return options.owners() if isinstance(options, Hook) else []
