"""What comes by wire, held against the node's own schema.

ComfyUI checks the numbers and choices that are typed in; what another node gives is handed over as it is.
"""

import functools
import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any

from comfy_api.latest import io

from ..colorize_core.errors import ColorizeError, told

#: Choices that a message lists at most.
LISTED = 8


def checked(execute: Callable[..., io.NodeOutput]) -> Callable[..., io.NodeOutput]:
    """Refuse input that the node's schema does not allow, before anything is done with it.

    Optional inputs that are wired but empty count as not wired.
    """

    @functools.wraps(execute)
    def run(cls: type[io.ComfyNode], **inputs: Any) -> io.NodeOutput:
        own = inspect.signature(cls.validate_inputs).parameters  # choices that the node checks itself
        for declared in cls.define_schema().inputs:
            name = declared.id
            if getattr(declared, "optional", False) and inputs.get(name) is None:
                inputs.pop(name, None)
            elif name in inputs and not (name in own and isinstance(declared, io.Combo.Input)):
                check(declared, inputs[name])
        return execute(cls, **inputs)

    return run


def check(declared: io.Input, value: Any) -> None:
    """Refuse a value that an input does not allow.

    Raises:
        ColorizeError: says what came and what is allowed; the input's tooltip says the rest.
    """
    expected = None
    if isinstance(declared, (io.Int.Input, io.Float.Input)):
        least, most = declared.min, declared.max
        if not isinstance(value, Real) or not least <= value <= most:  # NaN is refused, too
            expected = f"a number from {least} to {most}"
    elif isinstance(declared, io.Combo.Input):
        options = list(declared.options)
        if value not in options:
            more = ", …" * (len(options) > LISTED)
            expected = f"one of {', '.join(map(str, options[:LISTED]))}{more}" if options else "a choice, but has none"
    elif isinstance(declared, io.String.Input):
        expected = None if isinstance(value, str) else "a text"
    # An empty CLIP_VISION has a reason that the encoders know: a checkpoint without an image tower.
    elif value is None and declared.io_type != "CLIP_VISION":
        expected = f"a {declared.io_type}"
    if expected is not None:
        came = "empty" if value is None else told(value)
        raise ColorizeError(f"`{declared.id}` is {came}; expected {expected}. {declared.tooltip}")
