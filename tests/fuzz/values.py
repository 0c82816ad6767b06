"""What a wire can carry into each socket type: mostly ordinary values, now and then an odd one.

Hypothesis draws descriptions, which print themselves and shrink well; `made` of tests/fuzz/conftest.py turns them into
tensors, files and models. Odd are only values that nodes of ComfyUI and of other packs really give: a picture with a
NaN in it, a mask of another size, a model of another file, nothing at all where a switch has chosen nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

DTYPES = ("float16", "bfloat16", "float64")
#: How the numbers of a tensor lie in memory.
LAYOUTS = ("transposed", "channels first", "every other", "expanded", "offset")
CONTENTS = ("zeros", "ones", "wide", "tiny")
SICK = ("nan", "inf", "-inf", "all nan")
LETTERS = "abcXYZ 09_-.%[]{}()'\"\\/:äß字🎨\n\t"

#: Largest value drawn of an input whose cost grows with it; its own limit and what lies beyond are still tried where
#: they are refused or cost nothing.
AFFORDABLE = {"width": 256, "height": 256, "resolution": 96, "longest_side": 96, "steps": 3}
#: One side of a size may be this large when the other is small.
LONG = {"width": 4096, "height": 4096}


@dataclass(frozen=True)
class Numbers:
    """A tensor; `shape` may hold zeros, and what it says is what comes out."""

    shape: tuple[int, ...]
    content: str = "random"
    dtype: str = "float32"
    layout: str = "plain"
    seed: int = 0


@dataclass(frozen=True)
class Thing:
    """One of the objects that `Workshop` makes: `Thing("MODEL", "patched")`."""

    socket: str
    name: str


@dataclass(frozen=True)
class References:
    """A carrier.

    Attributes:
        origin: "tiny" or "xl", or the checkpoint that it does not fit.
        rows: pictures of the reference.
        background, style: rows of theirs, None for none.
        size: (height, width) that they were encoded for.
        regions: the masks of further characters.
    """

    origin: str = "tiny"
    rows: int = 1
    background: int | None = None
    style: int | None = None
    size: tuple[int, int] = (64, 64)
    regions: tuple[Numbers, ...] = ()


@dataclass(frozen=True)
class Letterbox:
    """The box of a drawing on a canvas, (height, width) each."""

    drawing: tuple[int, int]
    canvas: tuple[int, int]


@dataclass(frozen=True)
class Latent:
    """A LATENT."""

    samples: Numbers
    noise_mask: Numbers | None = None
    batch_index: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Conditioning:
    """A CONDITIONING of one entry, or of none.

    Attributes:
        lines: the line map that Apply ControlNet has put in.
    """

    tokens: Numbers | None
    pooled: Numbers | None = None
    lines: Numbers | None = None


@dataclass(frozen=True)
class Swatches:
    """A palette.

    Attributes:
        colors: of the swatches, sRGB in 0 … 255. name: how their names begin.
        roles: whether every second one is a shadow, a highlight or a line.
    """

    colors: tuple[tuple[int, int, int], ...] = ()
    name: str = "color"
    roles: bool = False


@dataclass(frozen=True)
class Areas:
    """Regions of a drawing: cells with lines between them.

    Attributes:
        shape: (frames, height, width).
        cells: along each side; along the upper one alone where they are stripes. 0: there are no regions.
        palette: whose swatches they were given, None before the flats.
        trace: with trace lines. outside: whether a margin belongs to no region.
    """

    shape: tuple[int, int, int]
    cells: int = 3
    stripes: bool = False
    palette: Swatches | None = None
    trace: bool = False
    outside: bool = False


# --- numbers, text and choices ---


def around(least: float, most: float, default: Any, step: float) -> st.SearchStrategy:
    """Numbers in a range, often at its limits."""
    if isinstance(step, int) and isinstance(least, int):
        places = [default, least, most, least + step, most - step]
        few = st.integers(least, min(most, least + 6))
        return st.one_of(
            st.just(default), st.sampled_from([p for p in places if least <= p <= most]), few, st.integers(least, most)
        )
    inside = st.floats(least, most, allow_nan=False)
    return st.one_of(st.sampled_from([default, least, most]), inside, inside.map(lambda x: round(x, 2)))


def integers(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    least, most = options["min"], options["max"]
    if odd:
        return st.sampled_from([least - 1, most + 1, -(2**63), 2**64, least - 8, most * 1000])
    cheap = min(most, AFFORDABLE.get(name, most))
    step = options.get("step") or 1
    ordinary = around(least, cheap, min(options.get("default", least), cheap), step)
    if step > 1:  # Off the grid, too, for wires are not rounded.
        ordinary = st.one_of(ordinary.map(lambda x: max(least, x // step * step)), ordinary)
    return ordinary


def decimals(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    least, most = options["min"], options["max"]
    if odd:
        return st.sampled_from([math.nan, math.inf, -math.inf, least - 0.01, most + 0.01, 1e300])
    return around(least, most, options.get("default", least), options.get("step") or 0.01)


def booleans(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    return st.booleans()


PATHS = (
    "",
    " ",
    ".",
    "..",
    "../x",
    "..\\x",
    "/etc/x",
    "C:\\x",
    "a/../../x",
    "x\0y",
    "x" * 300,
    "\ud800",
    "~/x",
    "a//b/",
)


def strings(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    if odd:
        return st.one_of(st.sampled_from(PATHS), st.text(max_size=12))
    return st.one_of(st.just(options.get("default", "")), st.text(LETTERS, min_size=1, max_size=12))


def choices(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    if odd or not options["options"]:
        return st.one_of(st.sampled_from(("none", *PATHS)), st.text(max_size=12))
    return st.sampled_from(list(options["options"]))


# --- tensors ---


def sides() -> st.SearchStrategy:
    return st.one_of(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 7, 8, 9, 16, 31, 33, 64, 65]))


@st.composite
def sizes(draw: Callable) -> tuple[int, int]:
    """(height, width) in pixels: small as a rule, sometimes very long and thin."""
    if draw(st.integers(0, 15)) < 15:
        return draw(sides()), draw(sides())
    thin = draw(st.integers(1000, 4096)), draw(st.integers(1, 4))
    return thin if draw(st.booleans()) else thin[::-1]


def batches() -> st.SearchStrategy:
    return st.sampled_from([1, 1, 1, 1, 2, 3])


@st.composite
def dressed(draw: Callable, shape: tuple[int, ...], odd: bool) -> Numbers:
    """Numbers of this shape: of any type, layout and content where odd, else plain ones."""
    numbers = {"shape": shape, "seed": draw(st.integers(0, 9))}
    if draw(st.integers(0, 3)) == 0:
        numbers["content"] = draw(st.sampled_from(CONTENTS))
    if draw(st.integers(0, 3)) == 0:
        numbers["layout"] = draw(st.sampled_from(LAYOUTS))
    if draw(st.integers(0, 3)) == 0:
        numbers["dtype"] = draw(st.sampled_from(DTYPES))
    if odd:
        what = draw(st.sampled_from(["content", "type"]))
        numbers |= {"content": draw(st.sampled_from(SICK))} if what == "content" else {}
        numbers |= {"dtype": draw(st.sampled_from(["int64", "uint8", "bool"]))} if what == "type" else {}
    return Numbers(**numbers)


@st.composite
def any_shape(draw: Callable, channels: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that no picture or mask has: empty, too few or too many dimensions, channels that are none."""
    if draw(st.booleans()):
        return tuple(draw(st.lists(st.integers(0, 9), max_size=5)))
    height, width = draw(sizes())
    return draw(st.sampled_from([(0, height, width, *channels), (1, 0, width, *channels), (1, height, 0, *channels),
                                 (height, width), (1, height, width, 5), (1, 3, height, width),
                                 (1, 1, height, width, *channels)]))  # fmt: skip


@st.composite
def pictures(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Numbers:
    if odd and draw(st.booleans()):
        return Numbers(draw(any_shape((3,))))
    channels = draw(st.sampled_from([3, 3, 3, 3, 1, 2, 4]))
    return draw(dressed((draw(batches()), *draw(sizes()), channels), odd))


@st.composite
def masks(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Numbers:
    if odd and draw(st.booleans()):
        return Numbers(draw(any_shape(())))
    size = draw(sizes())
    shapes = [(draw(batches()), *size)] * 4 + [size, (draw(batches()), 1, *size)]
    return draw(dressed(draw(st.sampled_from(shapes)), odd))


@st.composite
def latents(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Latent:
    batch, size = draw(batches()), (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    if odd:
        shape = draw(st.sampled_from([(batch, 16, *size), (batch, 4, 2, *size), (batch, 4, 0, 3), (0, 4, *size), (4, 9),
                                      (batch, 4, *size)]))  # fmt: skip
        content = draw(st.sampled_from(["random", *SICK]))
        indices = draw(st.sampled_from([None, (0,) * (batch + 1), (-1,) * batch, ()]))
        return Latent(Numbers(shape, content), draw(st.none() | masks({}, "", draw(st.booleans()))), indices)
    content, dtype = draw(st.sampled_from(["zeros", "zeros", "random"])), draw(st.sampled_from(["float32", "float16"]))
    noise_mask = Numbers((batch, size[0] * 8, size[1] * 8), seed=3) if draw(st.integers(0, 4)) == 0 else None
    indices = tuple(range(7, 7 + batch)) if draw(st.integers(0, 4)) == 0 else None
    return Latent(Numbers((batch, 4, *size), content, dtype), noise_mask, indices)


# --- what our own nodes and loaders give ---


@st.composite
def references(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> References:
    origin = draw(st.sampled_from(["other", "narrow", "fewer patches"])) if odd else "tiny"
    rows = draw(st.sampled_from([1, 1, 1, 2]))
    with_regions = draw(st.integers(0, 3)) == 0
    regions = [draw(masks({}, "mask", False)) for _ in range(draw(st.integers(1, 2)))] if with_regions else []
    return References(
        origin,
        rows,
        background=draw(st.sampled_from([None, None, 1, rows])),
        style=draw(st.sampled_from([None, None, 1, rows])),
        size=draw(st.sampled_from([(64, 64), (8, 8), (24, 136)])),
        regions=tuple(regions),
    )


@st.composite
def conditionings(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Conditioning:
    channels = draw(st.sampled_from([768, 2048, 0, 1])) if odd else 1024
    batch = draw(batches()) if draw(st.integers(0, 4)) == 0 else 1
    tokens = draw(dressed((batch, draw(st.sampled_from([1, 16, 77])), channels), odd and draw(st.booleans())))
    pooled = draw(dressed((1, channels), odd and draw(st.booleans()))) if draw(st.integers(0, 9)) else None
    lines = draw(pictures({}, "", False)) if draw(st.integers(0, 3)) == 0 else None
    return Conditioning(None if odd and draw(st.integers(0, 5)) == 0 else tokens, pooled, lines)


@st.composite
def letterboxes(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Letterbox:
    return Letterbox(draw(sizes()), draw(sizes()))


#: Palettes as nobody makes them by hand: none, one colour under several names, more than an indexed picture has.
ODD_PALETTES = (
    Swatches(),
    Swatches(((7, 7, 7),) * 3),
    *(Swatches(tuple((i % 256, i // 2, 9) for i in range(count)), "色", True) for count in (256, 300)),
)


@st.composite
def palettes(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Swatches:
    if odd:
        return draw(st.sampled_from(ODD_PALETTES))
    colors = draw(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=12))
    return Swatches(tuple(colors), draw(st.sampled_from(["color", "髪", "袖 1", "a/b"])), draw(st.booleans()))


def color_lists(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    """ComfyUI's own lists of colours."""
    if odd:
        return st.sampled_from([["red"], [1], "#ff0000", ["#ff000"]])
    return st.lists(st.sampled_from(["#ff0000", "#00FF00", "#0af", "#ffffff"]), max_size=5)


@st.composite
def areas(draw: Callable, options: Mapping[str, Any], name: str, odd: bool) -> Areas:
    shape = (draw(batches()), *draw(sizes()))
    palette = draw(palettes({}, "palette", odd)) if draw(st.integers(0, 3)) else None
    trace, outside = draw(st.integers(0, 3)) == 0, draw(st.booleans())
    return Areas(shape, draw(st.integers(0, 6)), draw(st.booleans()), palette, trace, outside)


def strengths_by_block(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
    blocks = st.tuples(st.sampled_from(["input", "middle", "output"]), st.integers(0, 11))
    return st.dictionaries(blocks, st.floats(0, 4), max_size=19)


def things(socket: str, ordinary: tuple[str, ...], odd_ones: tuple[str, ...]) -> Callable[..., st.SearchStrategy]:
    """A choice among objects of `Workshop`."""

    def strategy(options: Mapping[str, Any], name: str, odd: bool) -> st.SearchStrategy:
        return st.sampled_from([Thing(socket, each) for each in (odd_ones if odd and odd_ones else ordinary)])

    return strategy


#: Socket type -> (the schema's options for an input, its name, whether it shall be odd) -> what comes over the wire.
STRATEGIES: dict[str, Callable[..., st.SearchStrategy]] = {
    "INT": integers,
    "FLOAT": decimals,
    "BOOLEAN": booleans,
    "STRING": strings,
    "COMBO": choices,
    "IMAGE": pictures,
    "MASK": masks,
    "LATENT": latents,
    "CONDITIONING": conditionings,
    "CARRIER": references,
    "COLORIZE_BOX": letterboxes,
    "COLORIZE_PALETTE": palettes,
    "COLORS": color_lists,
    "COLORIZE_REGIONS": areas,
    "COLORIZE_BLOCK_STRENGTHS": strengths_by_block,
    "MODEL": things("MODEL", ("tiny", "patched", "anonymous"), ("other", "narrow", "linear")),
    "COLORIZER": things("COLORIZER", ("tiny",), ("other", "narrow")),
    "CONTROL_NET": things("CONTROL_NET", ("tiny",), ("other", "t2i adapter")),
    "VAE": things("VAE", ("tiny",), ("wide",)),
    "CLIP_VISION": things("CLIP_VISION", ("tiny",), ("narrow", "fewer patches", "dino")),
    "COLORIZE_SEGMENTER": things("COLORIZE_SEGMENTER", ("isnet",), ()),
    "COLORIZE_LINE_EXTRACTOR": things("COLORIZE_LINE_EXTRACTOR", ("sketch keras",), ()),
    "COLORIZE_TAGGER": things("COLORIZE_TAGGER", ("tagger",), ()),
}


# --- all inputs of a node ---


@st.composite
def node_inputs(draw: Callable, node_id: str, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Draw every input of a node by its own schema; in half of the examples one or two of them are odd.

    Args:
        declared: what the node's INPUT_TYPES gives.
    """
    inputs = {name: spec for group in ("required", "optional") for name, spec in declared.get(group, {}).items()}
    optional = set(declared.get("optional", {}))
    strange = st.lists(st.sampled_from(sorted(inputs)), min_size=1, max_size=2, unique=True)
    odd = set(draw(strange)) if inputs and draw(st.booleans()) else set()
    drawn: dict[str, Any] = {}
    for name, spec in inputs.items():
        kind, options = strategy_of(node_id, name, spec)
        too_dear = name in AFFORDABLE and options["default"] > AFFORDABLE[name]
        absent = draw(st.integers(0, 5)) if name in optional and not too_dear else 5
        if absent == 0:
            continue
        if absent == 1 or (name in odd and kind.isupper() and kind not in WIDGETS and draw(st.integers(0, 5)) == 0):
            drawn[name] = None
        else:
            drawn[name] = draw(STRATEGIES[kind](options, name, name in odd))
    return draw(matched(drawn))


WIDGETS = ("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO")


def strategy_of(node_id: str, name: str, spec: Any) -> tuple[str, Mapping[str, Any]]:
    """Return an input's socket type and options, refusing a type that nothing is known of."""
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    if isinstance(kind, list):
        kind, options = "COMBO", {**options, "options": kind}
    assert kind in STRATEGIES, (
        f"{node_id} takes {kind} at `{name}`, and the fuzzer knows no {kind}: add it to STRATEGIES in "
        "tests/fuzz/values.py (and to Workshop if it is no plain value)."
    )
    return kind, options


def of_xl(value: Any) -> Any:
    """Return what is like an ordinary value, of ColorizeDiffusion XL; others as they are."""
    if isinstance(value, Thing) and value.name == "tiny":
        return replace(value, name="xl")
    return (
        replace(value, origin="xl", style=None) if isinstance(value, References) and value.origin == "tiny" else value
    )


@st.composite
def matched(draw: Callable, drawn: dict[str, Any]) -> dict[str, Any]:
    """Make inputs go together that rarely would by chance: a box with its picture, regions with their drawing, levels
    that rise, frames with the numbers that they have, a long side with a short one, colours where they are looked at.
    """
    pictures_here = [value for value in drawn.values() if isinstance(value, Numbers) and len(value.shape) == 4]
    for name, value in drawn.items():
        if isinstance(value, Letterbox) and pictures_here and 0 not in pictures_here[0].shape and draw(st.booleans()):
            drawn[name] = Letterbox(pictures_here[0].shape[1:3], value.canvas)
    for name, value in drawn.items():
        lines = drawn.get("drawing") or next(iter(pictures_here), None)
        fits = isinstance(value, Areas) and lines in pictures_here and 0 not in lines.shape
        if fits and draw(st.integers(0, 5)):
            drawn[name] = replace(value, shape=(draw(st.sampled_from([1, lines.shape[0]])), *lines.shape[1:3]))
    if "line_color" in drawn and isinstance(drawn.get("color"), str) and draw(st.integers(0, 3)):
        drawn["color"] = draw(st.sampled_from(["#000000", "#A0522d", "fff", "#123"]))
    rising = sorted(name for name in drawn if name.startswith("threshold_"))
    if rising and draw(st.integers(0, 4)):
        numbers = [drawn.pop(name) for name in rising]
        if len(rising) == 4 and all(isinstance(number, float) for number in numbers):
            drawn |= dict(zip(rising, sorted(numbers), strict=True))
    if "colorizer" in drawn and "sampler_name" not in drawn and draw(st.integers(0, 2)) == 0:
        drawn = {name: of_xl(value) for name, value in drawn.items()}
    elif drawn.get("tagger") is not None and draw(st.integers(0, 5)):
        drawn["tagger"] = None
    if "missing" in drawn and draw(st.integers(0, 3)):  # a folder's frames as they are named
        drawn |= {"number": "last", "frame_numbers": "", "first_frame": 0, "frame_count": 0}
    if {"width", "height"} <= set(drawn) and draw(st.integers(0, 19)) == 0:
        long, short = draw(st.permutations(["width", "height"]))
        drawn |= {long: LONG[long], short: 64}
    return drawn
