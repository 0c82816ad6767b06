"""Prompts of tests/mixing: mixtures that are tested on a server but are no starting point of a user's.

Written in API format by build_workflows.py, like the templates from descriptions and a running ComfyUI's nodes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_page import MODELS, NO_PICTURE, Page
from workflow_prompt import to_prompt
from workflow_sheet import Group, Socket

TESTS = Path(__file__).resolve().parent.parent / "tests" / "mixing"
FOLDER = TESTS / "workflows"
ADAPTER_PACK = TESTS / "adapter_pack"

LORA_FILE, TEXT_ENCODER = "kohya.safetensors", "clip-h.safetensors"
HYPERNETWORK = "hypernetwork.pt"
SECOND_CHECKPOINT, SAVED_MODEL = "tiny-second.safetensors", "saved.safetensors"

Prompt = dict[str, Any]


def link_adapter_pack(base_directory: Path) -> None:
    """Put the pack whose nodes some of the prompts have into a server's custom_nodes."""
    link = base_directory / "custom_nodes" / ADAPTER_PACK.name
    if not link.is_symlink():
        link.symlink_to(ADAPTER_PACK, target_is_directory=True)


class Mix(Page):
    """The split workflow; what is mixed in goes into a group of its own."""

    def __init__(self, object_info: dict[str, Any]) -> None:
        super().__init__(object_info, "")
        self.info = object_info
        self.carrier, self.mask = self.character_and_background()

    def group(self) -> Group:
        """Open the next column."""
        return self.sheet.group("Mixed in", 360, MODELS)

    def colour(self, carrier: Socket | None = None, model: Socket | None = None) -> tuple[Socket, Socket, Socket]:
        """Apply Colorization and the line map; return the model and both conditionings."""
        if model is not None:
            self.model = model
        return self.applied(self.group(), carrier or self.carrier, self.mask)

    def done(self, model: Socket, positive: Socket, negative: Socket, latent: Socket | None = None) -> Prompt:
        """Sample, save, and return the prompt."""
        group = self.group()
        latent = latent or group.node("EmptyLatentImage", **self.size)[0]
        sampled = self.sampler(group, model, positive, negative, latent)
        self.finish(9, sampled)
        return to_prompt(self.sheet.as_workflow(), self.info)


def lora_and_text(object_info: dict[str, Any]) -> Prompt:
    """Load LoRA with a CLIP, which also reads the words that change the reference."""
    mix = Mix(object_info)
    group = mix.group()
    clip = group.node("CLIPLoader", clip_name=TEXT_ENCODER, type="stable_diffusion")
    lora = group.node("LoraLoader", model=mix.model, clip=clip[0], lora_name=LORA_FILE)
    words = {
        kind: group.node("CLIPTextEncode", kind, clip=lora[1], text=text)[0]
        for kind, text in (("target", "a girl with red hair"), ("control", "hair"))
    }
    carrier = group.node("ColorizeManipulateTokens", carrier=mix.carrier, **words, scale=6.0)
    return mix.done(*mix.colour(carrier[0], lora[0]))


def other_packs_attention(object_info: dict[str, Any]) -> Prompt:
    """A hypernetwork and an adapter before Apply Colorization, another adapter behind it."""
    mix = Mix(object_info)
    group = mix.group()
    network = group.node("HypernetworkLoader", model=mix.model, hypernetwork_name=HYPERNETWORK, strength=1.0)
    first = group.node("TestAdapterApply", "First Adapter", model=network[0], picture=1)
    model, positive, negative = mix.colour(model=first[0])
    last = mix.group().node("TestAdapterApply", "Last Adapter", model=model, picture=2)
    return mix.done(last[0], positive, negative)


def merge_and_save(object_info: dict[str, Any]) -> Prompt:
    """The UNets of two checkpoints merged, coloured with, and saved."""
    mix = Mix(object_info)
    group = mix.group()
    second = group.node("ColorizeCheckpointLoader", "Second Checkpoint", ckpt_name=SECOND_CHECKPOINT)
    merged = group.node("ModelMergeSimple", model1=mix.model, model2=second[0], ratio=0.5)
    group.node("ModelSave", model=merged[0], filename_prefix="diffusion_models/merged")
    return mix.done(*mix.colour(model=merged[0]))


def saved_model(object_info: dict[str, Any]) -> Prompt:
    """A saved UNet in the place of the checkpoint's own; its prediction is told."""
    mix = Mix(object_info)
    group = mix.group()
    loaded = group.node("UNETLoader", unet_name=SAVED_MODEL, weight_dtype="default")
    sampling = group.node("ModelSamplingDiscrete", model=loaded[0], sampling="v_prediction", zsnr=False)
    return mix.done(*mix.colour(model=sampling[0]))


def two_references(mix: Mix) -> tuple[Socket, Socket, Socket, Socket]:
    """Add a second reference; return the model, both positive conditionings and the negative one."""
    group = mix.group()
    picture = group.node("LoadImage", "Second reference", image=NO_PICTURE)
    other = group.node("ColorizeEncodeReference", "Encode Second", clip_vision=mix.tower, image=picture[0])
    model, positive, negative = mix.colour()
    group = mix.group()
    applied = mix.apply(group, mix.background(group, other, picture, source="background_image")[0], mix.mask)
    second, _ = mix.controlled(group, applied[1], applied[2], "Line Map for the Second")
    return model, positive, second, negative


def areas(object_info: dict[str, Any]) -> Prompt:
    """A reference for the left half of the picture, another for the right half."""
    mix = Mix(object_info)
    model, first, second, negative = two_references(mix)
    group = mix.group()
    left, right = (
        group.node(
            "ConditioningSetAreaPercentage", title, conditioning=wire, width=0.5, height=1.0, x=x, y=0.0, strength=1.0
        )[0]
        for title, wire, x in (("Left", first, 0.0), ("Right", second, 0.5))
    )
    both = group.node("ConditioningCombine", conditioning_1=left, conditioning_2=right)
    return mix.done(model, both[0], negative)


def masked_areas(object_info: dict[str, Any]) -> Prompt:
    """A reference where the character is, another everywhere else."""
    mix = Mix(object_info)
    model, first, second, negative = two_references(mix)
    group = mix.group()
    rest = group.node("InvertMask", mask=mix.mask)[0]
    inside, outside = (
        group.node("ConditioningSetMask", title, conditioning=wire, mask=mask, strength=1.0)[0]
        for title, wire, mask in (("Inside", first, mix.mask), ("Outside", second, rest))
    )
    both = group.node("ConditioningCombine", conditioning_1=inside, conditioning_2=outside)
    return mix.done(model, both[0], negative)


def batch(object_info: dict[str, Any]) -> Prompt:
    """Three takes at once."""
    mix = Mix(object_info)
    model, positive, negative = mix.colour()
    latent = mix.group().node("EmptyLatentImage", **mix.size, batch_size=3)
    return mix.done(model, positive, negative, latent[0])


BUILDERS: dict[str, Callable[[dict[str, Any]], Prompt]] = {
    "lora_and_text": lora_and_text,
    "other_packs_attention": other_packs_attention,
    "merge_and_save": merge_and_save,
    "saved_model": saved_model,
    "areas": areas,
    "masked_areas": masked_areas,
    "batch": batch,
}
