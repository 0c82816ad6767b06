"""Write workflows/*.json and subgraphs/*.json, with the inputs and defaults that a running ComfyUI reports.

python scripts/build_workflows.py

The farm's job takes workflows in API format; they are written too, and so are the prompts of tests/mixing and the
graphs of benchmarks/compare.py.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import blueprints
import cel_workflows
import compared_graphs
import farm_workflows
import finish_workflows
import mixing_workflows
import shot_workflows
import tested_mixes
import xl_workflows
from comfyui_server import Server, make_base_directory
from workflow_page import ENCODING, EXAMPLE_TALL, NO_PICTURE, PICTURES, SAMPLING, TALL, Page
from workflow_prompt import Prompt
from workflow_sheet import PACK, Node

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = ROOT / "workflows"
SUBGRAPHS = ROOT / "subgraphs"
FARM = ROOT / "farm" / "colorize_shot"

DEMO_SIDE = 128
SKETCH_SEGMENTER, COLOR_SEGMENTER = "sketch-segment.safetensors", "isnetis.safetensors"

TRY = """
### Try it

Press **Run**. The drawing is coloured like the reference, before the background picture: in a few seconds, on any
computer, with nothing to download.

Then choose other **example pictures**, or another *seed*.

The model here is a small demonstration: it knows cartoons of 128×128 pixels such as these and nothing else. For real
drawings open the template **sketch_and_reference**: the page offers the published model's files there.
"""

PLAIN = """
### Sketch and reference

Colours a drawing like a reference picture.

1. Choose a **drawing** (dark lines on white paper; for white lines on black or pencil set *lines*) and a
   **reference**, any picture in any size.
2. Set **width** and **height**: multiples of 64 near 768. The drawing is fitted in; the result is cut to its shape.
3. Press *Run*. Another *seed* gives another take.

**Colours too weak?** Raise *cfg* (3 … 7). **Lines not followed?** Raise *strength* of Apply ControlNet.
**Shapes of the reference shine through?** Lower *semantic_strength* (0.7 … 0.9), or give the reference white margins:
*Resize And Pad Image*, its own height, up to twice its width, *white*.
"""

SPLIT = """
### Character and background

The character takes its colours from the reference's character, the background from the reference's background.

1. Choose a **drawing** and a **reference**.
2. On each: right-click → *Open in MaskEditor* → **paint the character** → save. Or wire any MASK (Load Image (as
   Mask), a segmenter of another pack): white on the character.
3. Press *Run*.

The reference's character is painted white (*bleached*) where either mask has a character, so that it cannot leak into
the background; look at the preview.

**Background from another picture:** wire it to *image* of Encode Background in place of the bleached reference and
set *source* to `background_image`.
**Edges mixed up?** Grow the mask. **Background too strong or empty?** Turn *strength* of Encode Background.
"""

STYLE = """
### Style transfer

Colours a drawing like a reference and takes over its way of shading, line colour and finish too.

1. Choose a **drawing** and a **reference** in the style you want.
2. Press *Run*. Bypass *Encode Style* (Ctrl+B) to see what it adds.

*Merge* mixes the style with that of a **background** picture, once one is wired to Encode Style.
"""


RAW = f"""
### From raw images

A drawing and a reference, nothing painted by hand: both characters are found by segmenters, the reference is bleached,
and the background comes from what is left of it.

1. Choose a **drawing** and a **reference**.
2. Press *Run*, and look at **Preview Regions**: red is what the character's reference colours. Is a part of
   the character missing there, grow *Character of the drawing*.

**Background from another picture:** choose it in the group *Or: a background picture* and drag the carrier of
its *Encode Background* to Apply Colorization.
**Masks of your own:** any MASK will do in place of Segment Character; newer ComfyUI has *Remove Background* for it.
Grow such a reference's mask with Merge Character Masks (*square*, 5) before it is bleached.
**Result without background:** send it through Segment Character (*color*, *grow* 0) and Bleach Region (*background*).

### Segmenters

- **{SKETCH_SEGMENTER}** in `models/colorize_segmenters`: finds the character in drawings
- **{COLOR_SEGMENTER}** in `models/colorize_segmenters`: finds the character in colour pictures
"""

TWO = """
### Two characters

Two characters of one drawing, each coloured like its own reference; the background is the first reference's.

1. Choose the **drawing** and paint its **first character** (right-click → *Open in MaskEditor*).
2. Choose the same drawing again in **Second character** and paint the **other one** there.
3. Choose a **reference** for each, and paint the character of the first.
4. Press *Run*.

Where the masks overlap, the second character wins. More characters: another *Encode Reference* and *Add Character
Region* each.
"""


def try_it(object_info: dict[str, Any]) -> dict[str, Any]:
    """The demonstration model on pictures of the pack: drawing, reference and background."""
    page = Page(object_info, TRY, demonstration=True)
    group = page.sheet.group("2 · Pictures", 320, PICTURES)

    def example(title: str, picture: str) -> Node:
        return group.node("ColorizeExamplePicture", title, tall=EXAMPLE_TALL, colour="choose", picture=picture)

    drawing, reference = example("Drawing", "drawing-jumper"), example("Reference", "reference-blueberry")
    background = example("Background", "background-hills")
    group = page.sheet.group("3 · Encode", 340, ENCODING)
    page.size = {"width": DEMO_SIDE, "height": DEMO_SIDE}
    page.line_map = group.node("ColorizePrepareSketch", image=drawing[0], **page.size)
    carrier = group.node("ColorizeEncodeReference", clip_vision=page.tower, image=reference[0])
    carrier = page.background(group, carrier, background, source="background_image")
    group = page.sheet.group("4 · Colour", 380, SAMPLING)
    latent = group.node("EmptyLatentImage", **page.size)
    model, positive, negative = page.applied(group, carrier[0], drawing[1])
    sampled = page.sampler(group, model, positive, negative, latent[0], cfg=2.0)
    group = page.sheet.group("5 · Picture", 480, SAMPLING)
    decoded = group.node("VAEDecode", samples=sampled[0], vae=page.checkpoint[3])
    result = group.node("PreviewImage", "Result", tall=520, colour="result", images=decoded[0])
    pictures = [(node, "picture") for node in (drawing, reference, background)]
    page.sheet.offer_as_app([*pictures, (sampled, "seed")], [result])
    return page.sheet.as_workflow()


def sketch_and_reference(object_info: dict[str, Any]) -> dict[str, Any]:
    """Plain reference attention."""
    page = Page(object_info, PLAIN)
    carrier = page.drawing_and_reference()
    sampled, saved = page.sample(4, carrier)
    pictures = [(page.sheet.find(title), "image") for title in ("Drawing", "Reference")]
    sizes = [(page.sheet.find(title), "value") for title in ("Width", "Height")]
    page.sheet.offer_as_app([*pictures, *sizes, (sampled, "seed"), (sampled, "cfg")], [saved])
    return page.sheet.as_workflow()


def character_and_background(object_info: dict[str, Any]) -> dict[str, Any]:
    """Mask, bleach, background encoder, split attention."""
    page = Page(object_info, SPLIT)
    carrier, mask = page.character_and_background()
    page.sample(5, carrier, mask)
    return page.sheet.as_workflow()


def style_transfer(object_info: dict[str, Any]) -> dict[str, Any]:
    """Reference attention and the reference's style."""
    page = Page(object_info, STYLE)
    page.drawing(page.sheet.group("2 · Drawing", 360, PICTURES))
    group = page.sheet.group("3 · Reference and its style", 360, ENCODING)
    reference = group.node("LoadImage", "Reference", tall=TALL, colour="choose", image=NO_PICTURE)
    carrier = group.node("ColorizeEncodeReference", clip_vision=page.tower, image=reference[0])
    carrier = group.node(
        "ColorizeEncodeStyle",
        carrier=carrier[0],
        colorizer=page.checkpoint[1],
        vae=page.checkpoint[3],
        clip_vision=page.tower,
        image=reference[0],
        **page.size,
    )
    page.sample(4, carrier[0])
    return page.sheet.as_workflow()


def from_raw_images(object_info: dict[str, Any]) -> dict[str, Any]:
    """Segmenters, masks, bleaching, background, split, and a look at the regions."""
    page = Page(object_info, RAW)
    group = page.sheet.group("2 · Drawing", 360, PICTURES)
    page.drawing(group)
    segmenter = group.node("ColorizeSegmenterLoader", "Segmenter for drawings", model_name=SKETCH_SEGMENTER)
    mask = group.node(
        "ColorizeSegmentCharacter",
        "Character of the drawing",
        segmenter=segmenter[0],
        image=page.drawn[0],
        box=page.line_map[1],
        kind="drawing",
        grow=0,
    )
    group = page.sheet.group("3 · Reference, bleached", 380, PICTURES)
    reference = group.node("LoadImage", "Reference", tall=TALL, colour="choose", image=NO_PICTURE)
    segmenter = group.node("ColorizeSegmenterLoader", "Segmenter for colour pictures", model_name=COLOR_SEGMENTER)
    found = group.node(
        "ColorizeSegmentCharacter", "Character of the reference", segmenter=segmenter[0], image=reference[0]
    )
    merged = group.node("ColorizeMergeMasks", mask_a=found[0], mask_b=mask[0])
    bleached = group.node("ColorizeBleach", image=reference[0], mask=merged[0])
    group.node("PreviewImage", "Background reference", tall=TALL, images=bleached[0])
    group = page.sheet.group("4 · Regions", 520, ENCODING)
    group.node("ColorizePreviewRegions", tall=620, image=page.line_map[0], mask=mask[0], **page.size)
    group = page.sheet.group("5 · Encode", 340, ENCODING)
    tokens = group.node("ColorizeEncodeReference", clip_vision=page.tower, image=reference[0])
    carrier = page.background(group, tokens, bleached, source="bleached_reference")
    other = page.sheet.group("Or: a background picture", 340, PICTURES, below=group)
    picture = other.node("LoadImage", "Background", tall=TALL, colour="choose", image=NO_PICTURE)
    page.background(other, tokens, picture, source="background_image")
    page.sample(6, carrier[0], mask[0])
    return page.sheet.as_workflow()


def two_characters(object_info: dict[str, Any]) -> dict[str, Any]:
    """Two references in one drawing."""
    page = Page(object_info, TWO)
    group = page.sheet.group("2 · Drawing, first character", 360, PICTURES)
    page.drawing(group)
    first = page.fitted_mask(group, page.drawn, "First mask")
    group = page.sheet.group("3 · Second character", 360, PICTURES)
    drawn = group.node("LoadImage", "Second character", tall=TALL, colour="choose", image=NO_PICTURE)
    second = page.fitted_mask(group, drawn, "Second mask")
    group = page.sheet.group("4 · References", 380, PICTURES)
    reference = group.node("LoadImage", "Reference", tall=TALL, colour="choose", image=NO_PICTURE)
    bleached = group.node("ColorizeBleach", image=reference[0], mask=reference[1])
    other = group.node("LoadImage", "Second reference", tall=TALL, colour="choose", image=NO_PICTURE)
    group = page.sheet.group("5 · Encode", 340, ENCODING)
    carrier = group.node("ColorizeEncodeReference", clip_vision=page.tower, image=reference[0])
    carrier = page.background(group, carrier, bleached, source="bleached_reference")
    region = group.node("ColorizeEncodeReference", "Encode Second Reference", clip_vision=page.tower, image=other[0])
    carrier = group.node("ColorizeAddRegion", carrier=carrier[0], region=region[0], mask=second[0])
    page.sample(6, carrier[0], first[0])
    return page.sheet.as_workflow()


def farm_prompts(object_info: dict[str, Any]) -> dict[str, Prompt]:
    """The workflows of the farm's job by the names of their files."""
    return {
        name: build(object_info, shot_workflows.shot(object_info)) for name, build in farm_workflows.BUILDERS.items()
    }


BUILDERS = {
    "try_it": try_it,
    "sketch_and_reference": sketch_and_reference,
    "character_and_background": character_and_background,
    "style_transfer": style_transfer,
    "from_raw_images": from_raw_images,
    "two_characters": two_characters,
    **shot_workflows.BUILDERS,
    **xl_workflows.BUILDERS,
    **mixing_workflows.BUILDERS,
    **finish_workflows.BUILDERS,
    **cel_workflows.BUILDERS,
}
COMPARED = compared_graphs.builders(sketch_and_reference, from_raw_images)


def as_text(workflow: dict[str, Any], ascii_only: bool = False) -> str:
    return json.dumps(workflow, indent=1, ensure_ascii=ascii_only) + "\n"


def write(path: Path, workflow: dict[str, Any], ascii_only: bool = False) -> None:
    """Write a workflow; blueprints in ASCII, for old versions of ComfyUI read them in the system's encoding."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_text(workflow, ascii_only), encoding="utf-8")
    print(f"workflows: {path.relative_to(ROOT)}")


def main() -> None:
    comfyui = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
    with tempfile.TemporaryDirectory() as folder:
        base = make_base_directory(Path(folder), ROOT, PACK)
        tested_mixes.link_adapter_pack(base)
        with Server(comfyui, base, ["--cpu"]) as server:
            object_info = server.get("/object_info")
    for name, build in BUILDERS.items():
        write(WORKFLOWS / f"{name}.json", build(object_info))
    for name, build in blueprints.BUILDERS.items():
        write(SUBGRAPHS / f"{name}.json", build(object_info), ascii_only=True)
    for name, prompt in farm_prompts(object_info).items():
        write(FARM / f"{name}.json", prompt)
    for name, build in tested_mixes.BUILDERS.items():
        write(tested_mixes.FOLDER / f"{name}.json", build(object_info))
    for name, build in COMPARED.items():
        write(compared_graphs.FOLDER / f"{name}.json", build(object_info))


if __name__ == "__main__":
    main()
