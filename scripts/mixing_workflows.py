"""The workflows that put nodes of ComfyUI's own around this pack's: LoRA, ControlNet, inpainting, second passes."""

from collections.abc import Callable
from typing import Any

from workflow_models import PUBLISHED
from workflow_page import ENCODING, MODELS, NO_FILE, NO_PICTURE, PICTURES, SAMPLING, TALL, Page

CONTROL_FILE = "control_v11p_sd21_depth.safetensors"

LORA = """
### With a LoRA

Colours a drawing like a reference, with a LoRA on the model.

1. Choose a **LoRA** trained on Stable Diffusion 2.1. Its *strength_model* is 1.0; 0.4 … 0.8 when it takes over.
   Several: one loader behind the other.
2. Choose a **drawing** and a **reference**.
3. Press *Run*. Bypass the loader (Ctrl+B) to see what it adds.

The loader may stand before or behind *Apply Colorization*, with the same result, and acts on character and background
alike. Loaders that want a CLIP as well (*Load LoRA*) need *Load CLIP* with the text encoder of SD 2.1; the model's part
is the same.

### LoRA

- your file in `models/loras`: kohya and diffusers names are both read. LoRAs of other families (1.5, SDXL) do not fit
"""

CONTROLNET = f"""
### With a second ControlNet

The line map and a depth map hold the drawing together: ControlNets add up.

1. Choose a **drawing** and a **reference**.
2. Choose a **depth map** of the drawing's size and proportions, near is white.
3. Press *Run*. Is the depth map too strong, lower *strength* of *Apply Depth*, or let it end at 0.5.

ControlNets stand before or behind the one for the line map, with the same result. A **T2I adapter** goes the same way:
choose its file and un-bypass *Apply T2I Adapter* (Ctrl+B).

### ControlNets

- [**{CONTROL_FILE}**]({PUBLISHED[CONTROL_FILE][1]})
  (0.7 GB) in `models/controlnet`, or another ControlNet for Stable Diffusion **2.1**, under its authors' licence. Those
  for 1.5 and SDXL do not fit
- your T2I adapter for SD 2.x in `models/controlnet`, if you have one
"""

INPAINT = """
### Inpainting and image to image

Colours a part of a finished picture anew: a wrong sleeve, another hair colour.

1. Choose the **drawing**, and a **reference** for the new colours.
2. Choose the **picture** to change, coloured from that drawing: right-click → *Open in MaskEditor* → **paint what is to
   change** → save.
3. Press *Run*. *denoise* 0.5 keeps the shapes of the old colours, 1.0 forgets them.

What is not painted stays as it is in the file. A soft brush makes a soft transition: *Differential Diffusion* changes
half-painted parts later and less.

**Image to image**, all of the picture: bypass *Only the Painted Part* and *Keep the Rest* (select both, Ctrl+B) and set
*denoise* to 0.4 … 0.7.
"""

UPSCALE = """
### Upscale and refine

Colours a drawing, enlarges the result by half and lets the model go over it once more.

1. Choose a **drawing** and a **reference**; paint the character on both (right-click → *Open in MaskEditor*).
2. Press *Run*.

Both passes use the same patched model: nothing is encoded twice, and mask, line map and background follow the size.

**New details too wild?** Lower *denoise* of *Second Pass* (0.3 … 0.5). **Larger still?** *scale_by* 2.0. **Out of
memory at the end?** Lower *tile_size* of *VAE Decode (Tiled)*; with memory to spare *VAE Decode* gives no seams.
"""

PATCHES = """
### With patches on the model

Colours a drawing like a reference, with ComfyUI's own patches behind *Apply Colorization*. Bypass what you do not want
(Ctrl+B), and look at one at a time.

- **FreeU_V2**: more contrast, fewer stray details. All four at 1.0 change nothing
- **PerturbedAttentionGuidance**: clearer shapes, half as long again. *scale* 1.5 … 3, with *cfg* a little lower
- **TorchCompileModel**, bypassed here: faster steps after a first run of minutes. Needs a C++ compiler, and Triton on
  a graphics card. Every new size is compiled anew

1. Choose a **drawing** and a **reference**.
2. Press *Run*.

Others go the same way: RescaleCFG, SAG, HyperTile, ToMe, Deep Shrink.
"""


def mix_lora(object_info: dict[str, Any]) -> dict[str, Any]:
    """A LoRA before Apply Colorization."""
    page = Page(object_info, LORA)
    group = page.sheet.group("A LoRA", 420, MODELS, below=page.models)
    lora = group.node("LoraLoaderModelOnly", colour="choose", model=page.model, lora_name=NO_FILE)
    page.model = lora[0]
    page.sample(4, page.drawing_and_reference())
    return page.sheet.as_workflow()


def mix_controlnet(object_info: dict[str, Any]) -> dict[str, Any]:
    """A ControlNet before the sketch encoder's, a T2I adapter behind it."""
    page = Page(object_info, CONTROLNET)
    group = page.sheet.group("ControlNets", 420, MODELS, below=page.models)
    depth_net = group.node("ControlNetLoader", "Depth ControlNet", colour="choose", control_net_name=CONTROL_FILE)
    adapter = group.node("ControlNetLoader", "T2I Adapter", colour="choose", control_net_name=NO_FILE)
    carrier = page.drawing_and_reference()
    group = page.sheet.group("4 · Depth", 360, PICTURES)
    depth = group.node("LoadImage", "Depth map", tall=TALL, colour="choose", image=NO_PICTURE)[0]
    group = page.sheet.group("5 · Colour", 380, SAMPLING)
    latent = group.node("EmptyLatentImage", **page.size)
    model, positive, negative = page.apply(group, carrier)
    deep = page.control(group, positive, negative, "Apply Depth", depth_net[0], depth, strength=0.6)
    positive, negative = page.controlled(group, deep[0], deep[1], "Apply Line Map")
    adapted = page.control(group, positive, negative, "Apply T2I Adapter", adapter[0], depth, strength=0.6).bypass()
    sampled = page.sampler(group, model, adapted[0], adapted[1], latent[0])
    page.finish(6, sampled)
    return page.sheet.as_workflow()


def inpaint(object_info: dict[str, Any]) -> dict[str, Any]:
    """A part of a picture, or all of it, coloured anew."""
    page = Page(object_info, INPAINT)
    carrier = page.drawing_and_reference()
    group = page.sheet.group("4 · Picture to change", 360, PICTURES)
    picture = group.node("LoadImage", "Picture", tall=TALL, colour="choose", image=NO_PICTURE)
    fitted = group.node(
        "ResizeAndPadImage",
        image=picture[0],
        target_width=page.size["width"],
        target_height=page.size["height"],
        padding_color="white",
        interpolation="lanczos",
    )
    painted = page.fitted_mask(group, picture, "Painted Part")
    encoded = group.node("VAEEncode", pixels=fitted[0], vae=page.checkpoint[3])
    latent = group.node("SetLatentNoiseMask", "Only the Painted Part", samples=encoded[0], mask=painted[0])
    group = page.sheet.group("5 · Colour", 380, SAMPLING)
    model, positive, negative = page.applied(group, carrier)
    model = group.node("DifferentialDiffusion", model=model)[0]
    sampled = page.sampler(group, model, positive, negative, latent[0], denoise=0.75)
    group = page.sheet.group("6 · Back into the picture", 380, SAMPLING)
    decoded = group.node("VAEDecode", samples=sampled[0], vae=page.checkpoint[3])
    cropped = group.node("ColorizeCropToBox", image=decoded[0], box=page.line_map[1])
    size = group.node("GetImageSize", image=picture[0])
    scaled = group.node(
        "ImageScale",
        "As Large as the Picture",
        image=cropped[0],
        upscale_method="lanczos",
        width=size[0],
        height=size[1],
        crop="disabled",
    )
    rest = group.node("InvertMask", mask=picture[1])
    kept = group.node("ImageCompositeMasked", "Keep the Rest", destination=scaled[0], source=picture[0], mask=rest[0])
    group = page.sheet.group("7 · Result", 560, SAMPLING)
    group.node("SaveImage", colour="result", tall=620, images=kept[0], filename_prefix="ColorizeDiffusion")
    return page.sheet.as_workflow()


def upscale_and_refine(object_info: dict[str, Any]) -> dict[str, Any]:
    """Two passes at two sizes with one patched model, decoded in tiles."""
    page = Page(object_info, UPSCALE)
    carrier, mask = page.character_and_background()
    group = page.sheet.group("5 · Colour", 380, SAMPLING)
    latent = group.node("EmptyLatentImage", **page.size)
    model, positive, negative = page.applied(group, carrier, mask)
    first = page.sampler(group, model, positive, negative, latent[0], "First Pass")
    group = page.sheet.group("6 · Enlarge and refine", 380, SAMPLING)
    larger = group.node("LatentUpscaleBy", samples=first[0], upscale_method="bislerp", scale_by=1.5)
    second = page.sampler(group, model, positive, negative, larger[0], "Second Pass", steps=12, denoise=0.45)
    group = page.sheet.group("7 · Picture", 560, SAMPLING)
    page.save(group, group.node("VAEDecodeTiled", samples=second[0], vae=page.checkpoint[3]))
    return page.sheet.as_workflow()


def mix_model_patches(object_info: dict[str, Any]) -> dict[str, Any]:
    """FreeU, perturbed attention and compilation behind Apply Colorization."""
    page = Page(object_info, PATCHES)
    carrier = page.drawing_and_reference()
    group = page.sheet.group("4 · Colour", 380, SAMPLING)
    latent = group.node("EmptyLatentImage", **page.size)
    model, positive, negative = page.applied(group, carrier)
    patches = page.sheet.group("5 · Patches", 340, ENCODING)
    model = patches.node("FreeU_V2", model=model, b1=1.1, b2=1.2, s1=0.9, s2=0.4)[0]
    model = patches.node("PerturbedAttentionGuidance", model=model, scale=2.0)[0]
    model = patches.node("TorchCompileModel", model=model, backend="inductor").bypass()[0]
    group = page.sheet.group("6 · Sample", 340, SAMPLING)
    sampled = page.sampler(group, model, positive, negative, latent[0], cfg=3.5)
    page.finish(7, sampled)
    return page.sheet.as_workflow()


BUILDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "mix_lora": mix_lora,
    "mix_controlnet": mix_controlnet,
    "mix_model_patches": mix_model_patches,
    "inpaint": inpaint,
    "upscale_and_refine": upscale_and_refine,
}
