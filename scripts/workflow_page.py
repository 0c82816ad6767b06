"""What the workflows of this pack share: the models, notes on their files, the usual columns of nodes."""

from typing import Any, ClassVar

from workflow_models import PUBLISHED
from workflow_sheet import Group, Node, Sheet, Socket

CHECKPOINT = "v2-full.safetensors"
#: The loader's last choice, `colorize_core.host.prepare.examples.MODEL_CHOICE`.
DEMONSTRATION = "demonstration model, 128x128 (comes with the pack)"
TOWER = "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors"
#: What Load Image holds until a picture is chosen: the page takes a name that it does not find for an error.
NO_PICTURE = ""
#: The same of other loaders.
NO_FILE = ""

#: Height of a node that shows a picture.
TALL = 440
#: The same of an Example Picture in a group 320 wide, whose picture is square.
EXAMPLE_TALL = 390
NOTES, MODELS, PICTURES, ENCODING, SAMPLING = "#8a6d3b", "#3f789e", "#4a7d4a", "#a3742c", "#7d4a7d"

FILES = f"""
### Files

- [**{CHECKPOINT}**]({PUBLISHED[CHECKPOINT][1]}) (6.8 GB) in `models/checkpoints`: the published ColorizeDiffusion v2
  weights, licence **CC BY-NC-SA 4.0, not for commercial use**
- [**{TOWER}**]({PUBLISHED[TOWER][1]}) (2.5 GB) in `models/clip_vision`: the image tower; who uses IP-Adapter has it
  already. A browser saves it as `model.safetensors`: rename it

A checkpoint with the image tower inside, such as the demonstration model, needs no second file: drag *clip_vision* of
Load Colorize Checkpoint onto the dot below *Load CLIP Vision*.
"""


class Page:
    """The parts that the workflows share, placed on one sheet.

    `model` is what Apply Colorization gets: the checkpoint's, unless a workflow puts something between.

    Attributes:
        checkpoint_file, tower_file, files: what the loaders hold, and the note on it.
        settings: of KSampler.
    """

    checkpoint_file, tower_file, files = CHECKPOINT, TOWER, FILES
    settings: ClassVar[dict[str, Any]] = {"cfg": 4.0, "sampler_name": "euler", "scheduler": "normal"}

    def __init__(self, object_info: dict[str, Any], help_text: str, demonstration: bool = False) -> None:
        self.sheet = Sheet(object_info)
        notes = self.sheet.group("Read me", 480, NOTES)
        notes.note(help_text, "How to use")
        self.models = self.sheet.group("1 · Models", 420, MODELS)
        checkpoint = DEMONSTRATION if demonstration else self.checkpoint_file
        colour = "model" if checkpoint else "choose"
        self.checkpoint = self.models.node("ColorizeCheckpointLoader", colour=colour, ckpt_name=checkpoint)
        self.model = self.checkpoint[0]
        if demonstration:
            self.tower = self.checkpoint[4]
            return
        notes.note(self.files, "Files")
        loader = self.models.node("CLIPVisionLoader", colour="model", clip_name=self.tower_file)
        self.tower = self.models.reroute(loader[0], "image tower")

    # --- pictures and what is encoded from them ---

    def canvas(self, group: Group) -> None:
        """Add the two numbers that every size in the workflow is wired to."""
        self.size = {
            "width": group.node("PrimitiveInt", "Width", colour="choose", value=768)[0],
            "height": group.node("PrimitiveInt", "Height", colour="choose", value=768)[0],
        }

    def drawing(self, group: Group) -> None:
        """Add the drawing, its line map and the canvas."""
        title = "Drawing"
        self.drawn = group.node("LoadImage", title, tall=TALL, colour="choose", image=NO_PICTURE)
        self.prepare(group)

    def prepare(self, group: Group) -> None:
        """Add the canvas and the drawing's line map."""
        self.canvas(group)
        self.line_map = group.node("ColorizePrepareSketch", "Prepare Sketch", image=self.drawn[0], **self.size)

    def fitted_mask(self, group: Group, drawn: Node, title: str) -> Node:
        """Add what brings a mask painted on a drawing to where the line map has the drawing."""
        painted = group.node("MaskToImage", mask=drawn[1])
        fitted = group.node("ColorizePrepareSketch", "Fit Mask", image=painted[0], lines="light_on_dark", **self.size)
        return group.node("ImageToMask", title, image=fitted[0], channel="red")

    def tokens(self, group: Group, reference: Node) -> Node:
        """Add the encoder of a reference."""
        return group.node("ColorizeEncodeReference", clip_vision=self.tower, image=reference[0])

    def bleach(self, group: Group, reference: Node, mask: Node) -> tuple[Node, dict[str, Socket]]:
        """Add what paints the reference's character white.

        Returns:
            the bleached reference, and the masks that the encoder of the background takes.
        """
        merged = group.node("ColorizeMergeMasks", mask_a=reference[1], mask_b=mask[0], grow=5)
        return group.node("ColorizeBleach", image=reference[0], mask=merged[0]), {}

    def background(self, group: Group, carrier: Node, image: Node, **inputs: Any) -> Node:
        """Add the encoder of a background."""
        return group.node(
            "ColorizeEncodeBackground",
            carrier=carrier[0],
            colorizer=self.checkpoint[1],
            vae=self.checkpoint[3],
            clip_vision=self.tower,
            image=image[0],
            **inputs,
            **self.size,
        )

    def drawing_and_reference(self) -> Socket:
        """Add the groups 2 and 3 of all workflows without a mask; return the carrier."""
        self.drawing(self.sheet.group("2 · Drawing", 360, PICTURES))
        group = self.sheet.group("3 · Reference", 360, ENCODING)
        reference = group.node("LoadImage", "Reference", tall=TALL, colour="choose", image=NO_PICTURE)
        return self.tokens(group, reference)[0]

    def character_and_background(self) -> tuple[Socket, Socket]:
        """Add the groups 2 to 4 that take character and background apart; return carrier and mask."""
        group = self.sheet.group("2 · Drawing and its character", 360, PICTURES)
        self.drawing(group)
        mask = self.fitted_mask(group, self.drawn, "Character of the drawing")
        group = self.sheet.group("3 · Reference, bleached", 380, PICTURES)
        reference = group.node("LoadImage", "Reference", tall=TALL, colour="choose", image=NO_PICTURE)
        bleached, masks = self.bleach(group, reference, mask)
        group.node("PreviewImage", "Background reference", tall=TALL, images=bleached[0])
        group = self.sheet.group("4 · Encode", 320, ENCODING)
        carrier = self.tokens(group, reference)
        return self.background(group, carrier, bleached, source="bleached_reference", **masks)[0], mask[0]

    # --- sampling ---

    def sample(self, number: int, carrier: Socket, mask: Socket | None = None) -> tuple[Node, Node]:
        """Add everything from Apply to the saved picture, in groups counted from this number.

        Returns:
            the sampler and the node that saves.
        """
        group = self.sheet.group(f"{number} · Colour", 380, SAMPLING)
        latent = group.node("EmptyLatentImage", **self.size)
        model, positive, negative = self.applied(group, carrier, mask)
        sampled = self.sampler(group, model, positive, negative, latent[0])
        return sampled, self.finish(number + 1, sampled)

    def applied(self, group: Group, carrier: Socket, mask: Socket | None = None) -> tuple[Socket, Socket, Socket]:
        """Add Apply and the line map; return the model and both conditionings."""
        model, positive, negative = self.apply(group, carrier, mask)
        return model, *self.controlled(group, positive, negative)

    def apply(self, group: Group, carrier: Socket, mask: Socket | None = None) -> tuple[Socket, Socket, Socket]:
        """Add Apply alone; return the model and both conditionings."""
        wires = {"sketch_mask": mask} if mask else {}
        applied = group.node("ColorizeApply", model=self.model, colorizer=self.checkpoint[1], carrier=carrier, **wires)
        return applied[0], applied[1], applied[2]

    def controlled(self, group: Group, positive: Socket, negative: Socket, title: str = "") -> tuple[Socket, Socket]:
        """Add Apply ControlNet for the line map; return both conditionings."""
        node = self.control(group, positive, negative, title, self.checkpoint[2], self.line_map[0])
        return node[0], node[1]

    def control(
        self,
        group: Group,
        positive: Socket,
        negative: Socket,
        title: str,
        control_net: Socket,
        image: Socket,
        **inputs: Any,
    ) -> Node:
        """Add Apply ControlNet; its outputs are both conditionings."""
        return group.node(
            "ControlNetApplyAdvanced",
            title,
            positive=positive,
            negative=negative,
            control_net=control_net,
            image=image,
            **inputs,
        )

    def sampler(
        self,
        group: Group,
        model: Socket,
        positive: Socket,
        negative: Socket,
        latent: Socket,
        title: str = "",
        **inputs: Any,
    ) -> Node:
        """Add KSampler with the settings to begin with."""
        return group.node(
            "KSampler",
            title,
            model=model,
            positive=positive,
            negative=negative,
            latent_image=latent,
            **(self.settings | inputs),
        )

    def finish(self, number: int, sampled: Node) -> Node:
        """Add what follows the sampler: decoded, cropped, saved."""
        group = self.sheet.group(f"{number} · Picture", 560, SAMPLING)
        return self.save(group, group.node("VAEDecode", samples=sampled[0], vae=self.checkpoint[3]))

    def save(self, group: Group, decoded: Node) -> Node:
        """Add what cuts the drawing out of the canvas and saves it."""
        cropped = group.node("ColorizeCropToBox", image=decoded[0], box=self.line_map[1])
        result = {"images": cropped[0], "filename_prefix": "ColorizeDiffusion"}
        return group.node("SaveImage", colour="result", tall=620, **result)
