"""The workflows for ColorizeDiffusion XL: two image encoders, a megapixel, masks for the background encoder."""

from collections.abc import Callable
from typing import Any

from workflow_models import HUB, PUBLISHED
from workflow_page import NO_FILE, Page
from workflow_sheet import Group, Node, Socket

TOWER = "CLIP-ViT-bigG-14-laion2B-39B-b160k.safetensors"
TAGGER = "wd-v1-4-swinv2-tagger-v2.safetensors"
SIDE = 1024
#: By how much the published segmentation of a reference is grown: a maximum over 21×21 pixels.
GROWN = {"grow": 10, "grow_shape": "square"}

FILES = f"""
### Files

- a file of [**ColorizeDiffusionXL**]({HUB}/tellurion/ColorizeDiffusionXL) in `models/checkpoints`: its name begins with
  `sdxl` (base, 5.4 GB in fp16) or `xlv2` (v2-style, 9.4 GB, with a background encoder). Licence
  **CC BY-NC-SA 4.0, not for commercial use**
- [**{TOWER}**]({PUBLISHED[TOWER][1]}) (3.7 GB) in `models/clip_vision`: the image tower; who uses IP-Adapter for SDXL
  has it already. A browser saves it as `model.safetensors`: rename it
- [**{TAGGER}**]({PUBLISHED[TAGGER][1]}) (0.4 GB) in `models/colorize_taggers`: the tagger. Rename it, too

After putting files into their folders press R, and choose the checkpoint in *Load Colorize Checkpoint*.
"""

PLAIN = """
### Sketch and reference, with XL

Colours a drawing like a reference picture, with ColorizeDiffusion XL.

1. Choose your **checkpoint**, a **drawing** (dark lines on white paper; for white lines on black or pencil set *lines*)
   and a **reference**, any picture in any size.
2. Press *Run*. Another *seed* gives another take.

The size is the drawing's own, at about 1024 × 1024 pixels: *fit* of Prepare Sketch. For another set *fit* to `off` and
*width* and *height* to multiples of 32 from 768 to 1536; the drawing is fitted in, the result cut to its shape.

**Colours too weak?** Raise *cfg* (3 … 7). **Lines not followed?** Raise *strength* of Apply ControlNet.
**Shapes of the reference shine through?** Lower *semantic_strength* (0.7 … 0.9), or the base model's
*reference_strength*.
"""

SPLIT = """
### Character and background, with XL

The character takes its colours from the reference's character, the background from the reference's background: of the
base model its colours, of the v2-style model its layout, too.

1. Choose your **checkpoint**, a **drawing** and a **reference**.
2. On both pictures: right-click → *Open in MaskEditor* → **paint the character** → save. Or wire any MASK (Load Image
   (as Mask), a segmenter): white on the character.
3. Press *Run*.

The reference's character is painted white (*bleached*) so that it cannot leak into the background; look at the preview.
Both masks go into *Encode Background* as well: the v2-style model looks at them.

**Background from another picture:** wire it to *image* of Encode Background in place of the bleached reference, set
*source* to `background_image`, and take the wire out of *image_mask*.
**Edges mixed up?** Grow the mask. **Background too strong or empty?** Turn *background_strength* of Apply Colorization.
"""


class XLPage(Page):
    """A page whose loaders are XL's; which checkpoint there is only its user knows."""

    checkpoint_file, tower_file, files = NO_FILE, TOWER, FILES
    settings = {"cfg": 4.0, "sampler_name": "dpmpp_3m_sde", "scheduler": "exponential"}

    def __init__(self, object_info: dict[str, Any], help_text: str) -> None:
        super().__init__(object_info, help_text)
        self.tagger = self.models.node("ColorizeTaggerLoader", colour="model", model_name=TAGGER)[0]

    def prepare(self, group: Group) -> None:
        """Add the drawing's line map, fitted to XL's pixels; everything else asks for its size."""
        wanted = {"width": SIDE, "height": SIDE, "fit": "xl"}
        self.line_map = group.node(
            "ColorizePrepareSketch", "Prepare Sketch", colour="choose", image=self.drawn[0], **wanted
        )
        size = group.node("GetImageSize", "Size of the Picture", image=self.line_map[0])
        self.size = {"width": size[0], "height": size[1]}

    def tokens(self, group: Group, reference: Node) -> Node:
        """Add the encoder of a reference."""
        return group.node(
            "ColorizeEncodeReference",
            clip_vision=self.tower,
            image=reference[0],
            colorizer=self.checkpoint[1],
            tagger=self.tagger,
        )

    def bleach(self, group: Group, reference: Node, mask: Node) -> tuple[Node, dict[str, Socket]]:
        """Add what paints the reference's character white; the drawing's mask and the painted one are encoded."""
        grown = group.node("ColorizeMergeMasks", "Grow Mask", mask_a=reference[1], **GROWN)
        bleached = group.node("ColorizeBleach", image=reference[0], mask=grown[0])
        return bleached, {"tagger": self.tagger, "sketch_mask": mask[0], "image_mask": grown[0]}


def sketch_and_reference(object_info: dict[str, Any]) -> dict[str, Any]:
    """Plain reference attention."""
    page = XLPage(object_info, PLAIN)
    sampled, saved = page.sample(4, page.drawing_and_reference())
    pictures = [(page.sheet.find(title), "image") for title in ("Drawing", "Reference")]
    chosen = [(page.checkpoint, "ckpt_name"), *pictures, (sampled, "seed"), (sampled, "cfg")]
    page.sheet.offer_as_app(chosen, [saved])
    return page.sheet.as_workflow()


def character_and_background(object_info: dict[str, Any]) -> dict[str, Any]:
    """Mask, bleach, background encoder with both masks, split attention."""
    page = XLPage(object_info, SPLIT)
    carrier, mask = page.character_and_background()
    page.sample(5, carrier, mask)
    return page.sheet.as_workflow()


BUILDERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "xl_sketch_and_reference": sketch_and_reference,
    "xl_character_and_background": character_and_background,
}
