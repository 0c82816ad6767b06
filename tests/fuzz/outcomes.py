"""What a node may do: give finite outputs of the documented kind, or refuse in one clear sentence."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch

#: Signs of a message that was meant for programmers.
LEAKED = re.compile(
    r"Traceback|\w+Error\b|\w+Exception\b|NoneType|object has no attribute|positional argument|keyword argument|"
    r"size mismatch|must match the size|mat1 and mat2|broadcast|non-singleton|out of range|out of bounds|"
    r"expected scalar type|not implemented for|Expected \d|invalid for input|negative dimension|allocate memory|"
    r"torch\.[a-z]|aten::|<class |0x[0-9a-f]{6}|unhashable|unsupported operand"
)
#: What tells a user where to turn.
ADVICE = re.compile(
    r"\b(expected|wire|use|choose|give|load|put|set|start|update|save|encode|export|copy|move|change|convert|look at|"
    r"cut|repeat|keep|download|apply|lower|download)\b",
    re.IGNORECASE,
)
#: Nodes that hand on pictures as they came: their dtype and range are the input's.
HAND_ON = ("ColorizeCropToBox",)


def check_message(message: str, node: str, inputs: Mapping[str, Any]) -> None:
    """A refusal is a few sentences for people, and names something of this node's input."""
    assert 30 <= len(message) <= 900, f"{node}: no message of a few sentences: {message!r}"
    assert "\n" not in message.strip(), f"{node}: a message in one paragraph was expected: {message!r}"
    assert message.rstrip()[-1] in ".)", f"{node}: no whole sentence: {message!r}"
    # What a file's reader said may stand in brackets.
    told = re.sub(r"\([^()]*\)", "", message)
    leak = LEAKED.search(told)
    assert leak is None, f"{node}: the message is a program's: {leak[0]!r} in {message!r}"
    assert ADVICE.search(told), f"{node}: the message gives no advice: {message!r}"
    texts = [value for value in inputs.values() if isinstance(value, str) and value.strip()]
    named = [f"`{name}`" in message for name in inputs] + [repr(text)[1:-1] in message for text in texts]
    parts = ("carrier", "reference", "region", "mask", "line map", "`width`×`height`", "threshold", "box")
    assert any(named) or any(part in message for part in parts), f"{node}: nothing of the input is named: {message!r}"


def tensors_of(value: Any, seen: set[int] | None = None) -> Iterator[torch.Tensor]:
    """Go through the tensors of plain data: lists, dictionaries, dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from tensors_of(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from tensors_of(inner)
    elif is_dataclass(value) and type(value).__name__ in ("Carrier", "Region", "Regions"):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))


def snapshot(inputs: Mapping[str, Any]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keep a copy of every tensor of the inputs, beside the tensor itself."""
    return [(tensor, tensor.clone()) for tensor in tensors_of(inputs)]


def check_unchanged(kept: list[tuple[torch.Tensor, torch.Tensor]], node: str) -> None:
    """No tensor of the inputs was written to."""
    for tensor, before in kept:
        same = torch.equal(tensor.nan_to_num(7.0), before.nan_to_num(7.0)) if before.is_floating_point() else None
        assert same if same is not None else torch.equal(tensor, before), f"{node} has changed an input in place"


def check_same(first: Any, second: Any, node: str) -> None:
    """Two calls have given the same numbers."""
    for a, b in zip(tensors_of(first), tensors_of(second), strict=True):
        assert torch.equal(a, b), f"{node} gave two results for one input"


# --- outputs by socket type ---


def picture(value: Any, hands_on: bool) -> None:
    assert value.ndim == 4 and 0 not in value.shape and value.isfinite().all()
    if not hands_on:
        assert value.shape[-1] == 3 and value.dtype == torch.float32
        assert value.min() >= 0 and value.max() <= 1


def mask(value: Any, hands_on: bool) -> None:
    assert value.ndim == 3 and 0 not in value.shape and value.dtype == torch.float32
    assert value.isfinite().all() and value.min() >= 0 and value.max() <= 1


def latent(value: Any, hands_on: bool) -> None:
    samples = value["samples"]
    assert samples.ndim == 4 and 0 not in samples.shape and samples.isfinite().all()


def conditioning(value: Any, hands_on: bool) -> None:
    for tokens, options in value:
        assert tokens.ndim == 3 and 0 not in tokens.shape and tokens.isfinite().all() and isinstance(options, dict)
    assert len(value)


def carrier(value: Any, hands_on: bool) -> None:
    assert value.tokens.ndim == 3 and value.tokens.shape[1] > 0 and value.tokens.dtype == torch.float32
    if value.version is None:
        assert value.class_token.shape[1:] == (1, value.tokens.shape[2])
    assert all(tensor.isfinite().all() and tensor.numel() for tensor in tensors_of(value))
    assert not value.background_features or value.background_tokens.shape[1:] == value.tokens.shape[1:]


def box(value: Any, hands_on: bool) -> None:
    assert value.left >= 0 and value.width > 0 and value.left + value.width <= value.canvas_width
    assert value.top >= 0 and value.height > 0 and value.top + value.height <= value.canvas_height


def strengths(value: Any, hands_on: bool) -> None:
    assert len(value) == 19 and all(0 <= strength <= 4 for strength in value.values())  # v2 has 16, XL 11 of them


def sigmas(value: Any, hands_on: bool) -> None:
    assert value.ndim == 1 and value.dtype == torch.float32 and value.isfinite().all()
    assert len(value) == 0 or (value[-1] == 0 and (value.diff() < 0).all())


def number(value: Any, hands_on: bool) -> None:
    assert isinstance(value, float) and math.isfinite(value)


def plain(*types: type) -> Callable[[Any, bool], None]:
    def check(value: Any, hands_on: bool) -> None:
        assert isinstance(value, types)

    return check


def of_class(*names: str) -> Callable[[Any, bool], None]:
    """An object of one of these classes, subclasses included."""

    def check(value: Any, hands_on: bool) -> None:
        assert {kind.__name__ for kind in type(value).__mro__} & set(names), type(value)

    return check


def layers(value: Any, hands_on: bool) -> None:
    """ComfyUI's own layers: cropped, and inside their canvas."""
    width, height = value["canvas"]
    assert value["version"] == 1 and width > 0 and height > 0 and len(value["layers"]) <= 50
    for layer in value["layers"]:
        picture(layer["image"], False)
        mask(layer["mask"], False)
        assert layer["x"] >= 0 and layer["x"] + layer["image"].shape[2] <= width
        assert layer["y"] >= 0 and layer["y"] + layer["image"].shape[1] <= height


def palette(value: Any, hands_on: bool) -> None:
    names = [swatch.name for swatch in value.swatches]
    assert len(set(names)) == len(names) and all(name.strip() for name in names)
    for swatch in value.swatches:
        assert all(isinstance(level, int) and 0 <= level <= 255 for level in swatch.color)
        assert swatch.base in names if swatch.role in ("shadow", "highlight") or swatch.base else True
        assert swatch.role in ("base", "shadow", "highlight", "line") and not (swatch.role == "base" and swatch.base)


def regions(value: Any, hands_on: bool) -> None:
    """Every pixel's region is one of its frame's table, and every swatch one of the palette."""
    assert value.filled.dtype == torch.int32 and 0 not in value.filled.shape and len(value.tables) == len(value)
    assert value.ink.dtype == torch.bool and value.ink.shape == value.filled.shape
    assert value.trace is None or value.trace.shape == value.filled.shape
    assert (value.palette is None) == (value.paint is None)
    swatches = 0 if value.palette is None else len(value.palette)
    for frame, table in zip(value.filled, value.tables, strict=True):
        assert frame.min() >= 0 and frame.max() < len(table)
        assert int(table.area.sum()) == frame.numel()
        assert ((table.swatch >= -1) & (table.swatch < max(1, swatches))).all()
        assert ((table.agreement >= 0) & (table.agreement <= 1)).all()
        assert (table.track >= -1).all() and table.track[0] == -1 and table.decided.dtype == bool
    if value.paint is not None:
        assert value.paint.shape == value.filled.shape and value.paint.min() >= -1 and value.paint.max() < swatches


CHECKS: dict[str, Callable[[Any, bool], None]] = {
    "IMAGE": picture,
    "MASK": mask,
    "LATENT": latent,
    "CONDITIONING": conditioning,
    "CARRIER": carrier,
    "COLORIZE_BOX": box,
    "COLORIZE_BLOCK_STRENGTHS": strengths,
    "INT": plain(int),
    "FLOAT": number,
    "STRING": plain(str),
    "MODEL": of_class("ModelPatcher"),
    "COLORIZER": of_class("Colorizer"),
    "CONTROL_NET": of_class("ControlBase"),
    "VAE": of_class("VAE"),
    "CLIP_VISION": of_class("ClipVisionModel", "NoneType"),
    "SIGMAS": sigmas,
    "SAMPLER": of_class("Sampler"),
    "GUIDER": of_class("CFGGuider"),
    "COLORIZE_SEGMENTER": of_class("ImageNetwork"),
    "COLORIZE_LINE_EXTRACTOR": of_class("ImageNetwork"),
    "COLORIZE_TAGGER": of_class("ModelPatcher"),
    "LAYERS": layers,
    "COLORIZE_PALETTE": palette,
    "COLORIZE_REGIONS": regions,
}


def check_outputs(node: str, types: list[str], outputs: tuple[Any, ...]) -> None:
    """Every output is what its socket promises."""
    assert len(types) == len(outputs)
    for kind, value in zip(types, outputs, strict=True):
        assert kind in CHECKS, f"{node} gives a {kind}: say in tests/fuzz/outcomes.py what is right for it"
        CHECKS[kind](value, node in HAND_ON)


def check_sizes(node: str, inputs: Mapping[str, Any], outputs: tuple[Any, ...]) -> None:
    """Shapes that a node promises beyond its socket's: as many pictures as came, of the size that was asked for."""
    expected = SIZES.get(node, lambda inputs: None)(inputs)
    if expected is not None:
        assert tuple(outputs[0].shape) == expected, f"{node} gave {tuple(outputs[0].shape)} instead of {expected}"


def _mask_shape(mask: torch.Tensor) -> tuple[int, int, int]:
    return (1 if mask.ndim == 2 else len(mask), *mask.shape[-2:])


def _fitted(inputs: dict) -> tuple[int, int]:
    """Height and width of a line map: as given, or from the drawing's proportions."""
    from colorizediffusion.colorize_core.prepare.fit_size import FITS, fit_size  # once pytest knows the bare package

    fit = FITS[inputs.get("fit") or "off"]
    given = (inputs["height"], inputs["width"])
    return given if fit is None else fit_size(inputs["image"].shape[1], inputs["image"].shape[2], fit)


def _together(*batches: Any) -> int:
    return max(1 if getattr(batch, "ndim", 0) == 2 else len(batch) for batch in batches if batch is not None)


def _segmented(inputs: Mapping[str, Any]) -> tuple[int, ...]:
    frame, canvas = inputs["image"], inputs.get("box")
    return (len(frame), *((canvas.canvas_height, canvas.canvas_width) if canvas else frame.shape[1:3]))


def _merged(inputs: Mapping[str, Any]) -> tuple[int, ...]:
    a, b = inputs["mask_a"], inputs.get("mask_b")
    return (1 if inputs.get("merge_batch") else _together(a, b), *_mask_shape(a)[1:])


def _layered(inputs: Mapping[str, Any]) -> tuple[int, ...]:
    parts = {name: inputs.get(name) for name in ("regions", "drawing", "image", "background", "mask")}
    sizes = [part.size if name == "regions" else part.shape[1:3] for name, part in parts.items() if part is not None]
    return (_together(*parts.values()), *sizes[0], 3)


SIZES: dict[str, Callable[[Mapping[str, Any]], tuple[int, ...] | None]] = {
    "ColorizePrepareSketch": lambda i: (_together(i["image"], i.get("transparency")), *_fitted(i), 3),
    "ColorizeExtractLines": lambda i: (*i["image"].shape[:3], 3),
    "ColorizeSegmentCharacter": _segmented,
    "ColorizeMergeMasks": _merged,
    "ColorizeBleach": lambda i: (_together(i["image"], i["mask"]), *i["image"].shape[1:3], 3),
    "ColorizeSampleSequence": lambda i: None,
    "ColorizeFlats": lambda i: (_together(i["image"], i["regions"], i.get("corrections")), *i["regions"].size, 3),
    "ColorizeInkOver": lambda i: (
        _together(i["image"], i["drawing"], i.get("regions"), i.get("transparency")),
        *i["drawing"].shape[1:3],
        3,
    ),
    "ColorizeSaveLayers": _layered,
}
