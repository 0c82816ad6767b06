"""Colour the drawings of samples/ through a real ComfyUI server on the CPU: `make demo`.

First workflows/character_and_background.json, as a user would run it; then, for each drawing: the reference alone,
split attention, background injection, and the style encoder, all on one contact sheet. Both go to demo/output.
"""

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contact_sheet import contact_sheet

DEMO = Path(__file__).resolve().parent
ROOT = DEMO.parent
sys.path.insert(1, str(ROOT / "scripts"))

from comfyui_server import Server, make_base_directory  # noqa: E402
from workflow_prompt import set_inputs, to_prompt, use_embedded_tower  # noqa: E402

WORKFLOW = "character_and_background"
EXAMPLES, OUTPUT = ROOT / "samples", DEMO / "output"
CHECKPOINT = EXAMPLES / "colorize-demo.safetensors"
SIDE, STEPS, GUIDANCE = 128, 20, 2.0

ROWS = (
    ("drawing-jumper", "reference-blueberry", "background-hills"),
    ("drawing-sailor", "reference-poppy", "background-city"),
    ("drawing-dancer", "reference-coral-inked", "background-bubbles"),
    ("drawing-walker", "reference-orchard", "background-room"),
)

VARIANTS = (
    {},
    {"injection": 0.0},
    {"injection": 1.0},
    {"injection": 1.0, "style": True},
)
TITLES = (
    "drawing",
    "reference",
    "background",
    "mask",
    "reference alone",
    "+ split attention",
    "+ background\ninjection",
    "+ style",
)

Prompt = dict[str, Any]


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def shared_nodes(drawing: str, reference: str, background: str) -> Prompt:
    """What all variants of a row share: the checkpoint, the pictures, the line map, the reference's tokens."""
    return {
        "load": node("ColorizeCheckpointLoader", ckpt_name=CHECKPOINT.name, prediction="auto"),
        "drawing": node("LoadImage", image=drawing),
        "reference": node("LoadImage", image=reference),
        "background": node("LoadImage", image=background),
        "lines": node("ColorizePrepareSketch", image=["drawing", 0], width=SIDE, height=SIDE, lines="dark_on_light"),
        "carrier": node("ColorizeEncodeReference", clip_vision=["load", 4], image=["reference", 0]),
        "latent": node("EmptyLatentImage", width=SIDE, height=SIDE, batch_size=1),
    }


def variant_nodes(number: int, injection: float | None = None, style: bool = False) -> Prompt:
    """One way to colour; node ids end with its number."""
    encoders = {"colorizer": ["load", 1], "vae": ["load", 3], "clip_vision": ["load", 4], "width": SIDE, "height": SIDE}
    nodes: Prompt = {}
    carrier = ["carrier", 0]
    if injection is not None:
        nodes[f"behind{number}"] = node(
            "ColorizeEncodeBackground",
            carrier=carrier,
            image=["background", 0],
            strength=injection,
            source="background_image",
            **encoders,
        )
        carrier = [f"behind{number}", 0]
    if style:
        nodes[f"style{number}"] = node("ColorizeEncodeStyle", carrier=carrier, image=["reference", 0], **encoders)
        nodes[f"style{number}"]["inputs"]["merge"] = 0.0
        carrier = [f"style{number}", 0]
    apply = node("ColorizeApply", model=["load", 0], colorizer=["load", 1], carrier=carrier, **APPLY_DEFAULTS)
    if injection is not None:
        apply["inputs"]["sketch_mask"] = ["drawing", 1]
    sketch = node(
        "ControlNetApplyAdvanced",
        positive=[f"apply{number}", 1],
        negative=[f"apply{number}", 2],
        control_net=["load", 2],
        image=["lines", 0],
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
    )
    sampler = node(
        "KSampler",
        model=[f"apply{number}", 0],
        positive=[f"sketch{number}", 0],
        negative=[f"sketch{number}", 1],
        latent_image=["latent", 0],
        seed=1,
        steps=STEPS,
        cfg=GUIDANCE,
        sampler_name="euler",
        scheduler="normal",
        denoise=1.0,
    )
    return nodes | {
        f"apply{number}": apply,
        f"sketch{number}": sketch,
        f"sample{number}": sampler,
        f"decode{number}": node("VAEDecode", samples=[f"sample{number}", 0], vae=["load", 3]),
        f"save{number}": node("SaveImage", images=[f"decode{number}", 0], filename_prefix=f"variant{number}"),
    }


APPLY_DEFAULTS = {
    "foreground_strength": 1.0,
    "background_strength": 1.0,
    "merge": 0.0,
    "threshold": 0.05,
    "encoder_strength": 1.0,
    "color_strength": 1.0,
    "semantic_strength": 1.0,
    "start_percent": 0.0,
    "end_percent": 1.0,
}


def colour_row(server: Server, names: tuple[str, str, str]) -> list[np.ndarray]:
    """Return the drawing, reference, background, mask and every variant's picture, uint8."""
    paths = [EXAMPLES / f"{name}.png" for name in names]
    prompt = shared_nodes(*(server.upload_image(path) for path in paths))
    for number, variant in enumerate(VARIANTS):
        prompt |= variant_nodes(number, **variant)
    files = server.fetch_images(server.run(prompt))
    given = [np.asarray(Image.open(path)) for path in paths]
    results = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]
    return [*(picture[..., :3] for picture in given), 255 - given[0][..., 3], *results]


def run_workflow(server: Server, drawing: str, reference: str) -> bytes:
    """Open the workflow as a user would, choose the demo's files and settings, and return the picture's file.

    The characters' masks lie in the alpha channels, as ComfyUI's mask editor saves them.
    """
    workflow = json.loads((ROOT / "workflows" / f"{WORKFLOW}.json").read_text(encoding="utf-8"))
    prompt = to_prompt(workflow, server.get("/object_info"))
    use_embedded_tower(prompt)
    set_inputs(prompt, "ColorizeCheckpointLoader", ckpt_name=CHECKPOINT.name)
    for title, name in (("Drawing", drawing), ("Reference", reference)):
        set_inputs(prompt, title, image=server.upload_image(EXAMPLES / f"{name}.png"))
    for title in ("Width", "Height"):
        set_inputs(prompt, title, value=SIDE)
    set_inputs(prompt, "KSampler", seed=1, steps=STEPS, cfg=GUIDANCE)
    (picture,) = server.fetch_images(server.run(prompt))
    return picture


def main() -> None:
    comfyui = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    base = make_base_directory(ROOT / ".host" / "demo", ROOT, "colorizediffusion")
    link = base / "models" / "checkpoints" / CHECKPOINT.name
    link.unlink(missing_ok=True)
    link.symlink_to(CHECKPOINT)
    say("starting ComfyUI")
    rows, start = [], time.monotonic()
    with Server(comfyui, base, ["--cpu"]) as server:
        result = OUTPUT / f"{WORKFLOW}.png"
        result.write_bytes(run_workflow(server, *ROWS[0][:2]))
        say(f"saved {result}")
        for names in ROWS:
            rows.append(colour_row(server, names))
            say(f"{names[0]}: {len(VARIANTS)} pictures, {time.monotonic() - start:.0f} s")
    result = OUTPUT / "contact-sheet.png"
    contact_sheet(TITLES, rows).save(result, optimize=True)
    say(f"saved {result}")


if __name__ == "__main__":
    main()
