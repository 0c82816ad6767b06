"""Draw web/docs/img/*.svg, the pictures of the help pages, from a few pictograms.

python scripts/draw_help_pictures.py
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "web" / "docs" / "img"

TILE, GAP, LABEL = 88, 14, 20
PAPER, INK, QUIET = "#faf8f4", "#2b2b33", "#77757d"
ORANGE, BLUE, GREEN, RED = "#f0984c", "#5a8fd0", "#6bb070", "#d8483e"

HEAD = '<circle cx="48" cy="42" r="17"/>'
HAIR = '<path d="M29 48C22 12 74 12 67 48C64 37 57 32 48 32C39 32 32 37 29 48Z"/>'
BODY = '<path d="M18 100C18 70 34 62 48 62C62 62 78 70 78 100Z"/>'
HILL = '<path d="M-4 74C18 52 40 60 58 70C74 78 88 66 104 60V104H-4Z"/>'

Piece = tuple[str, int]  # what is drawn from (0, 0) on, and its width


def figure(skin: str, hair: str, top: str, line: str = "none", move: str = "") -> str:
    """A character: head, hair, body."""
    parts = f'<g fill="{top}">{BODY}</g><g fill="{skin}">{HEAD}</g><g fill="{hair}">{HAIR}</g>'
    return f'<g transform="{move}" stroke="{line}" stroke-width="2.5">{parts}</g>'


def flat(colour: str, line: str = "none", move: str = "") -> str:
    """A character in one colour."""
    return figure(colour, colour, colour, line, move)


def scene(sky: str, hill: str, sun: str = "none", line: str = "none") -> str:
    """A background."""
    return (
        f'<rect width="96" height="96" fill="{sky}"/><g stroke="{line}" stroke-width="2.5">'
        f'<circle cx="78" cy="20" r="9" fill="{sun}"/><g fill="{hill}">{HILL}</g></g>'
    )


ASIDE = "translate(-14 14) scale(.92)"  # the reference's character stands elsewhere than the drawing's
COLOURS = ("#f6d3b8", "#7d4f9e", "#d8605a")
DAY, DUSK = ("#bfe0f5", "#8cc27a", "#fbe38e"), ("#f3b48d", "#8a6a94", "#fff0c0")

DRAWING = scene("white", "white", "white", INK) + flat("white", INK)
LINE_MAP = scene("black", "black", "black", "white") + flat("black", "white")
REFERENCE = scene(*DAY) + figure(*COLOURS, move=ASIDE)
BACKGROUND = scene(*DUSK)
BLEACHED = scene(*DAY) + flat("white", move=ASIDE)
ON_PAPER = '<rect width="96" height="96" fill="white"/>' + figure(*COLOURS, move=ASIDE)
REFERENCE_LINES = scene("black", "black", "black", "white") + flat("black", "white", ASIDE)
REFERENCE_MASK = '<rect width="96" height="96" fill="black"/>' + flat("white", move=ASIDE)
MASK = '<rect width="96" height="96" fill="black"/>' + flat("white")
SPLIT = scene(BLUE, BLUE, BLUE, INK) + flat(ORANGE, INK)
RESULT = scene(*DAY, INK) + figure(*COLOURS, INK)
RESULT_DUSK = scene(*DUSK, INK) + figure(*COLOURS, INK)
SEPIA, OILS = ("#cfc2a8", "#a99a78", "#efe3c4", "#7a5a3a"), ("#e2c9a6", "#6d5a4c", "#a8624a", "#7a5a3a")
PAINTING = scene(*SEPIA) + figure(*OILS, move=ASIDE)
STYLED = scene(*SEPIA) + figure(*OILS)
RED_HAIR = scene(*DAY) + figure(COLOURS[0], "#cf4034", COLOURS[2], move=ASIDE)
SELECTED = '<rect width="96" height="96" fill="#23232b"/><g transform="' + ASIDE + f'" fill="{ORANGE}">{HAIR}</g>'
NO_REFERENCE = scene("#d8d8d8", "#b4b4b4", "#e8e8e8", INK) + figure("#dedede", "#9a9a9a", "#bcbcbc", INK)
NO_SKETCH = scene(*DAY) + '<g transform="translate(20 30) rotate(14) scale(.8)">' + figure(*COLOURS) + "</g>"

#: A result whose lines are not the drawing's.
SOFT = scene(*DAY, "#8c8c94") + figure(*COLOURS, "#8c8c94", "translate(1.5 1)")
TINTED = scene(*DAY, "#5c7f95") + (
    f'<g fill="{COLOURS[2]}" stroke="#8a2f2d" stroke-width="2.5">{BODY}</g>'
    f'<g fill="{COLOURS[0]}" stroke="#a3785c" stroke-width="2.5">{HEAD}</g>'
    f'<g fill="{COLOURS[1]}" stroke="#4a2465" stroke-width="2.5">{HAIR}</g>'
)
LEAKED = scene(*DAY, INK) + figure(COLOURS[0], "#9a62b8", COLOURS[2], INK)
LEAKED += f'<path d="M34 30C36 48 46 52 52 34Z" fill="{COLOURS[1]}"/>'
HEAT = scene("#faf7ee", "#faf7ee", "#faf7ee", INK) + figure("#faf7ee", "#f0a55c", "#faf7ee", INK)
HEAT += '<path d="M34 30C36 48 46 52 52 34Z" fill="#3a1258"/>'
FLAT = figure(*COLOURS)
SHADE = f'<g fill="#b9b3c6">{BODY}</g>'
LAYERS = scene(*DAY), f'<g fill="{COLOURS[2]}">{BODY}</g>', f'<g fill="{COLOURS[0]}">{HEAD}</g>', SHADE, DRAWING

SHOT = tuple(f"translate({x} 0) rotate({turn} 48 96)" for x, turn in ((-12, -5), (0, 0), (12, 5)))
LEFT, RIGHT = "translate(-10 30) scale(.7)", "translate(40 30) scale(.7)"
TWO = scene("white", "white", "white", INK) + flat("white", INK, LEFT) + flat("white", INK, RIGHT)
TWO_SPLIT = scene(BLUE, BLUE, BLUE, INK) + flat(ORANGE, INK, LEFT) + flat(GREEN, INK, RIGHT)
SECOND_MASK = '<rect width="96" height="96" fill="black"/>' + flat("white", move=RIGHT)
SECOND = scene(*DUSK) + figure("#e8b98e", "#e0c04a", "#4f8f86", move=ASIDE)
TWO_RESULT = scene(*DAY, INK) + figure(*COLOURS, INK, LEFT) + figure("#e8b98e", "#e0c04a", "#4f8f86", INK, RIGHT)


def tile(inside: str, label: str = "", frame: str = INK) -> Piece:
    """A picture, 96 units wide, with its name below."""
    text = f'<text x="{TILE / 2}" y="{TILE + 15}" text-anchor="middle" class="label">{label}</text>'
    box = f'<svg width="{TILE}" height="{TILE}" viewBox="0 0 96 96">{inside}</svg>'
    return f'{box}<rect width="{TILE}" height="{TILE}" fill="none" stroke="{frame}"/>{text}', TILE


def boxed(inside: str, blank: str, label: str) -> Piece:
    """A tall picture letterboxed on a square canvas."""
    picture = f'<svg x="16" width="64" height="96" viewBox="16 0 64 96">{inside}</svg>'
    dashes = f'<rect x="16" y="1.5" width="64" height="93" fill="none" stroke="{RED}" stroke-dasharray="5 3"/>'
    return tile(f'<rect width="96" height="96" fill="{blank}"/>{picture}{dashes}', label)


def tall(inside: str, label: str) -> Piece:
    """A tall picture without margins."""
    width = round(TILE * 64 / 96)
    return (
        f'<svg width="{width}" height="{TILE}" viewBox="16 0 64 96">{inside}</svg>'
        f'<rect width="{width}" height="{TILE}" fill="none" stroke="{INK}"/>'
        f'<text x="{width / 2}" y="{TILE + 15}" text-anchor="middle" class="label">{label}</text>'
    ), width


def sign(text: str) -> Piece:
    """An arrow, a plus."""
    return f'<text x="12" y="{TILE / 2 + 9}" text-anchor="middle" class="sign">{text}</text>', 24


def tokens(colours: tuple[str, ...], label: str) -> Piece:
    """Tokens: a grid of little squares."""
    squares = "".join(
        f'<rect x="{8 + 21 * (i % 4)}" y="{8 + 21 * (i // 4)}" width="17" height="17" rx="3" '
        f'fill="{colours[i * 7 % len(colours)]}"/>'
        for i in range(16)
    )
    return tile(f'<rect width="96" height="96" fill="white"/>{squares}', label)


def chips(*names: str) -> Piece:
    """Named sockets below one another."""
    width = 18 + max(len(name) for name in names) * 7
    step = min(26, TILE / len(names))
    top = (TILE - step * len(names)) / 2
    return "".join(
        f'<circle cx="7" cy="{top + step * (i + 0.5)}" r="4.5" fill="{(ORANGE, BLUE, GREEN, RED, QUIET)[i % 5]}"/>'
        f'<text x="18" y="{top + step * (i + 0.5) + 4}" class="chip">{name}</text>'
        for i, name in enumerate(names)
    ), width


def file(name: str) -> Piece:
    """A file on the disk."""
    width = max(TILE, len(name) * 6)
    sheet = f'<path d="M{width / 2 - 22} 14h30l14 14v46h-44z" fill="white" stroke="{INK}" stroke-width="2"/>'
    return f'{sheet}<text x="{width / 2}" y="{TILE + 15}" text-anchor="middle" class="label">{name}</text>', width


def sheets(*pictures: str, label: str) -> Piece:
    """Layers, the lowest first, each drawn higher and further to the right."""
    step = 44 / (len(pictures) - 1)
    drawn = "".join(
        f'<svg x="{step * i:g}" y="{44 - step * i:g}" width="52" height="52" viewBox="0 0 96 96">'
        f'<rect width="96" height="96" fill="white"/>{picture}'
        f'<rect width="96" height="96" fill="none" stroke="{INK}" stroke-width="2"/></svg>'
        for i, picture in enumerate(pictures)
    )
    return tile(f'<rect width="96" height="96" fill="{PAPER}"/>{drawn}', label, "none")


def mosaic(cells: int, label: str) -> Piece:
    """The split at a coarse size: the figure in squares."""
    side = 96 / cells
    squares = []
    for y in range(cells):
        for x in range(cells):
            u, v = (x + 0.5) * side, (y + 0.5) * side
            inside = (u - 48) ** 2 + (v - 40) ** 2 < 22**2 or (v > 62 and abs(u - 48) < 16 + (v - 62) * 0.45)
            squares.append(
                f'<rect x="{x * side}" y="{y * side}" width="{side + 0.3}" height="{side + 0.3}" '
                f'fill="{ORANGE if inside else BLUE}"/>'
            )
    return tile("".join(squares), label)


def sliders(label: str, heights: tuple[int, ...] = (30, 58, 42, 70)) -> Piece:
    """Factors one by one: style's scale and shift of each block, a strength for each hint."""
    step = 84 / len(heights)
    bars = "".join(
        f'<path d="M{5.5 + step * (i + 0.5):g} 14V82" stroke="{QUIET}" stroke-width="3"/>'
        f'<circle cx="{5.5 + step * (i + 0.5):g}" cy="{height}" r="7" fill="{ORANGE}"/>'
        for i, height in enumerate(heights)
    )
    return tile(f'<rect width="96" height="96" fill="white"/>{bars}', label)


def swatches(label: str, colours: tuple[str, ...] = (*COLOURS, *DAY)) -> Piece:
    """A palette: fields of colour, the upper ones with a shadow."""
    fields = "".join(
        f'<rect x="{8 + 42 * (i % 2)}" y="{8 + 28 * (i // 2)}" width="38" height="24" rx="3" fill="{colour}"/>'
        for i, colour in enumerate(colours)
    )
    shades = "".join(
        f'<rect x="{28 + 42 * (i % 2)}" y="{8 + 28 * (i // 2)}" width="18" height="24" rx="3" '
        f'fill="black" opacity=".3"/>'
        for i in range(3)
    )
    return tile(f'<rect width="96" height="96" fill="#23232b"/>{fields}{shades}', label)


LEVELS = {"encoder": RED, "color": ORANGE, "semantic": BLUE, "outside the levels": "#c9c6c0"}


def block_row(heads: dict[str, list[int]], depth: list[int], levels: dict[str, tuple[int, ...]]) -> list[Piece]:
    """Transformers of a UNet in order of execution, by level.

    Args:
        heads: the block numbers of each half. depth: of each transformer, 0 at the top.
        levels: the places in the order of execution that each level has.
    """
    level = {place: LEVELS[name] for name, places in levels.items() for place in places}
    numbers = [number for half in heads.values() for number in half]
    boxes = "".join(
        f'<rect x="{34 * i}" y="{18 * depth[i]}" width="30" height="16" rx="3" '
        f'fill="{level.get(i, LEVELS["outside the levels"])}"/>'
        f'<text x="{34 * i + 15}" y="{18 * depth[i] + 12}" text-anchor="middle" class="small">{number}</text>'
        for i, number in enumerate(numbers)
    )
    told = [name for name in LEVELS if name in levels or name == "outside the levels"]
    legend = "".join(
        f'<circle cx="{8 + 125 * i}" cy="{TILE + 10}" r="5" fill="{LEVELS[word]}"/>'
        f'<text x="{18 + 125 * i}" y="{TILE + 14}" class="chip">{word}</text>'
        for i, word in enumerate(told)
    )
    words, start = "", 0
    for half, blocks in heads.items():
        middle = 34 * (start + len(blocks) / 2) - 2
        words += f'<text x="{middle:g}" y="82" text-anchor="middle" class="label">{half}</text>'
        start += len(blocks)
    return [(boxes + words + legend, max(34 * len(numbers), 125 * len(told)))]


V2_ROW = block_row(
    {"input": [1, 2, 4, 5, 7, 8], "middle": [0], "output": list(range(3, 12))},
    [0, 0, 1, 1, 2, 2, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0],
    {"encoder": (0, 1), "color": (2, 3, 10, 11, 12), "semantic": (4, 5, 7, 8, 9)},
)
XL_ROW = block_row(
    {"input": [4, 5, 7, 8], "middle": [0], "output": list(range(6))},
    [1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1],
    {"encoder": (0, 1), "semantic": (2, 3, 5, 6, 7)},
)


TO, PLUS = sign("→"), sign("+")
FACE = ("#f6d3b8", "#7d4f9e", "#d8605a", "#7d4f9e", "#f6d3b8")
LAND = ("#bfe0f5", "#8cc27a", "#fbe38e", "#bfe0f5", "#8cc27a")

PICTURES: dict[str, list[Piece]] = {
    "checkpoint": [
        file("v2-full.safetensors"),
        TO,
        chips("model", "colorizer", "control_net", "vae", "clip_vision, if inside"),
    ],
    "tagger": [file("wd-v1-4-swinv2-tagger-v2"), TO, chips("tagger")],
    "example_picture": [
        tile(DRAWING, "drawing"),
        sign("/"),
        tile(REFERENCE, "reference"),
        sign("/"),
        tile(BACKGROUND, "background"),
        TO,
        chips("image", "mask"),
    ],
    "prepare_sketch": [tall(DRAWING, "drawing"), TO, boxed(LINE_MAP, "black", "line map"), PLUS, chips("box")],
    "crop_to_box": [boxed(RESULT, "#d5d5d5", "image"), PLUS, chips("box"), TO, tall(RESULT, "result")],
    "line_extractor": [file("sketchKeras weights"), TO, chips("line_extractor")],
    "extract_lines": [tile(REFERENCE, "image"), TO, tile(REFERENCE_LINES, "line map")],
    "segmenter": [file("isnetis.safetensors"), TO, chips("segmenter")],
    "segment": [tile(REFERENCE, "image"), TO, tile(REFERENCE_MASK, "mask")],
    "merge_masks": [
        tile(MASK, "mask_a"),
        PLUS,
        tile(REFERENCE_MASK, "mask_b"),
        TO,
        tile(MASK + flat("white", move=ASIDE), "union"),
        tile(f"{MASK}{flat('black', move=ASIDE)}", "difference"),
        tile(
            '<rect width="96" height="96" fill="black"/>'
            + flat("#888")
            + f'<g opacity=".5">{flat("white", move=ASIDE)}</g>',
            "blend",
        ),
    ],
    "bleach": [
        tile(REFERENCE, "image"),
        PLUS,
        tile(REFERENCE_MASK, "mask"),
        TO,
        tile(BLEACHED, "character"),
        tile(ON_PAPER, "background"),
    ],
    "preview_regions": [
        tile(DRAWING, "image"),
        PLUS,
        tile(MASK, "mask"),
        TO,
        *(mosaic(cells, name) for cells, name in ((24, "h"), (12, "h/2"), (6, "h/4"), (4, "h/8"))),
    ],
    "encode_reference": [tile(REFERENCE, "image"), TO, tokens(FACE, "reference tokens")],
    "encode_background": [
        tile(BLEACHED, "bleached_reference"),
        sign("/"),
        tile(BACKGROUND, "background_image"),
        TO,
        tokens(LAND, "tokens"),
        PLUS,
        tile(f'<g opacity=".55">{BACKGROUND}</g>', "features"),
    ],
    "encode_style": [tile(PAINTING, "image"), TO, sliders("style"), TO, tile(STYLED, "result")],
    "add_region": [
        tile(TWO, "drawing"),
        PLUS,
        tile(SECOND_MASK, "mask"),
        PLUS,
        tile(SECOND, "region"),
        TO,
        tile(TWO_SPLIT, "split"),
        TO,
        tile(TWO_RESULT, "result"),
    ],
    "apply": [
        tile(REFERENCE, "reference", ORANGE),
        PLUS,
        tile(BACKGROUND, "background", BLUE),
        PLUS,
        tile(SPLIT, "sketch_mask"),
        TO,
        tile(RESULT_DUSK, "result"),
    ],
    "block_strengths": V2_ROW,
    "block_strengths_xl": XL_ROW,
    "hint_strengths": [
        tile(LINE_MAP, "line map"),
        TO,
        sliders("hint_0 … hint_4", (42, 34, 34, 58, 66)),
        TO,
        tile(RESULT, "result"),
    ],
    "load_frames": [
        file("frame_0001 … 0012.png"),
        TO,
        *(tile(scene("white", "white", "white", INK) + flat("white", INK, place)) for place in SHOT),
    ],
    "save_carrier": [tokens(FACE, "carrier"), TO, file("….carrier.safetensors")],
    "load_carrier": [file("….carrier.safetensors"), TO, tokens(FACE, "carrier")],
    "save_cels": [
        tile(FLAT, "regions"),
        PLUS,
        tile(DRAWING, "drawing"),
        TO,
        file("shot_0001 … 0012.png"),
        PLUS,
        file("shot.gpl"),
    ],
    "save_layers": [
        tile(RESULT, "image"),
        PLUS,
        tile(FLAT, "regions"),
        PLUS,
        tile(DRAWING, "drawing"),
        TO,
        sheets(*LAYERS, label="layers"),
        TO,
        file("picture_00001_.psd"),
    ],
    "make_layers": [
        tile(RESULT, "image"),
        PLUS,
        tile(FLAT, "regions"),
        PLUS,
        tile(DRAWING, "drawing"),
        TO,
        sheets(*LAYERS, label="layers"),
    ],
    "sample_sequence": [
        *(tile(scene("white", "white", "white", INK) + flat("white", INK, place)) for place in SHOT),
        TO,
        *(tile(scene(*DAY, INK) + figure(*COLOURS, INK, place)) for place in SHOT),
    ],
    "time_steps": [
        chips("model"),
        TO,
        sliders("sigmas", (14, 30, 44, 56, 66, 74, 80)),
        PLUS,
        chips("sampler"),
    ],
    "guider": [
        tile(NO_REFERENCE, "negative"),
        sign("→"),
        tile(RESULT, "positive"),
        sign("←"),
        tile(NO_SKETCH, "blank_sketch"),
    ],
    "attention_injection": [
        tile(REFERENCE, "1: the reference"),
        TO,
        chips("self-attention", "looks at both"),
        sign("←"),
        tile(DRAWING, "2: the drawing"),
        TO,
        tile(RESULT, "result"),
    ],
    "ink_over": [
        tile(SOFT, "image"),
        PLUS,
        tile(DRAWING, "drawing"),
        TO,
        tile(RESULT, "drawing, black"),
        tile(TINTED, "tinted"),
    ],
    "measure": [
        tile(LEAKED, "image"),
        PLUS,
        tile(RESULT, "truth"),
        TO,
        tile(HEAT, "heat map"),
        PLUS,
        chips("measures", "delta E"),
    ],
    "extract_palette": [tile(REFERENCE, "image"), TO, swatches("palette")],
    "palette": [
        chips("skin #f6d3b8 shadow #ac947f", "hair #7d4f9e shadow #583770", "coat #d8605a"),
        TO,
        swatches("palette", COLOURS),
    ],
    "load_palette": [file("hero.gpl"), TO, swatches("palette")],
    "save_palette": [swatches("palette"), TO, file("hero_00001_.gpl")],
    "manipulate_tokens": [
        tile(REFERENCE, "reference"),
        PLUS,
        chips("target: red hair", "anchor: purple hair", "control: hair"),
        TO,
        tile(SELECTED, "heat_map"),
        PLUS,
        tile(RED_HAIR, "reads as"),
    ],
}

STYLE = (
    "text{font-family:system-ui,sans-serif;fill:#2b2b33}.label{font-size:11px;fill:#55535b}"
    ".sign{font-size:24px}.chip{font-size:12px}.small{font-size:10px}"
)


def draw(pieces: list[Piece]) -> str:
    """Set the pieces side by side on a paper of their size."""
    x, parts = GAP, []
    for inside, width in pieces:
        parts.append(f'<g transform="translate({x} {GAP})">{inside}</g>')
        x += width + GAP
    height = TILE + LABEL + 2 * GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x} {height}" width="{x}" height="{height}">'
        f'<style>{STYLE}</style><rect width="{x}" height="{height}" rx="8" fill="{PAPER}"/>{"".join(parts)}</svg>\n'
    )


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, pieces in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(pieces), encoding="utf-8")
    print(f"{len(PICTURES)} pictures in {FOLDER}")


if __name__ == "__main__":
    main()
