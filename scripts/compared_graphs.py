"""Graphs of benchmarks/compare.py in API format: what colours a drawing like a reference, the pack's ways and others.

Written by build_workflows.py. Pictures are found by the titles of the nodes that load them: Drawing, Reference,
Background, Mask and Truth. Graphs are compared in the order of their files' names.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_page import DEMONSTRATION
from workflow_prompt import Prompt, declared_inputs, find, is_widget, only_for, set_inputs, to_prompt

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks" / "comparison" / "graphs"
SIDE, GUIDANCE = 128, 2.0
#: Stable Diffusion 1.5 in the size of v2, so that lines have the same pixels; FLUX in its own.
IP_ADAPTER_SIDE, REDUX_SIDE = 768, 1024

Wire = list[Any]
Describe = Callable[[dict[str, Any]], dict[str, Any]]


class Node:
    """A node of a graph; `node[slot]` is a wire from one of its outputs."""

    def __init__(self, number: str) -> None:
        self.number = number

    def __getitem__(self, slot: int) -> Wire:
        return [self.number, slot]


class Graph:
    """A prompt in the making.

    Args:
        object_info: of a running ComfyUI; inputs that are not given have its defaults. A node that it lacks has those
            that are given alone.
    """

    def __init__(self, object_info: dict[str, Any], prompt: Prompt | None = None) -> None:
        self.info = object_info
        self.prompt: Prompt = prompt or {}

    def node(self, kind: str, title: str = "", /, **inputs: Any) -> Node:
        """Add a node."""
        number = str(max(map(int, self.prompt), default=0) + 1)
        declared = declared_inputs(self.info[kind]) if kind in self.info else ()
        usual = {
            name: more["default"] for name, type_, more in declared if is_widget(type_, more) and "default" in more
        }
        self.prompt[number] = {"class_type": kind, "inputs": usual | inputs, "_meta": {"title": title or kind}}
        return Node(number)

    def picture(self, title: str) -> Node:
        """Add what loads a picture; which one is set for every pair."""
        return self.node("LoadImage", title, image="")

    def sample(self, model: Wire, positive: Wire, negative: Wire, latent: Wire, **settings: Any) -> Node:
        """Add KSampler."""
        wires = {"model": model, "positive": positive, "negative": negative, "latent_image": latent}
        return self.node("KSampler", **wires, **({"seed": 0, "denoise": 1.0} | settings))

    def save(self, images: Wire) -> Prompt:
        """Add the result and return the prompt."""
        self.node("SaveImage", "Result", images=images, filename_prefix="compare/picture")
        return self.prompt


class Demonstration(Graph):
    """A graph with the demonstration model, of pictures in its size."""

    def __init__(self, object_info: dict[str, Any]) -> None:
        super().__init__(object_info)
        loaded = self.node("ColorizeCheckpointLoader", ckpt_name=DEMONSTRATION)
        self.model, self.colorizer, self.sketch, self.vae, self.tower = (loaded[slot] for slot in range(5))
        self.size = {"width": SIDE, "height": SIDE}

    def tokens(self, title: str) -> Wire:
        """Load a picture and make it an image prompt."""
        picture = self.picture(title)
        return self.node("ColorizeEncodeReference", clip_vision=self.tower, image=picture[0])[0]

    def mask(self) -> Wire:
        """Load the drawing's mask."""
        return self.node("LoadImageMask", "Mask", image="", channel="red")[0]

    def behind(self, carrier: Wire, strength: float) -> Wire:
        """Encode the background picture into the carrier."""
        picture = self.picture("Background")
        return self.node(
            "ColorizeEncodeBackground",
            carrier=carrier,
            image=picture[0],
            strength=strength,
            source="background_image",
            **self.encoders(),
        )[0]

    def encoders(self) -> dict[str, Any]:
        """Return the inputs that the encoders of latents share."""
        return {"colorizer": self.colorizer, "vae": self.vae, "clip_vision": self.tower, **self.size}

    def apply(self, carrier: Wire, **mask: Wire) -> tuple[Wire, Wire, Wire]:
        """Add Apply Colorization; return the model and both conditionings."""
        applied = self.node("ColorizeApply", model=self.model, colorizer=self.colorizer, carrier=carrier, **mask)
        return applied[0], applied[1], applied[2]

    def colour(self, model: Wire, positive: Wire, negative: Wire) -> Wire:
        """Add the drawing as ControlNet, the sampler and the decoder; return the picture."""
        lines = self.node("ColorizePrepareSketch", image=self.picture("Drawing")[0], **self.size)
        wires = {"positive": positive, "negative": negative, "control_net": self.sketch, "image": lines[0]}
        control = self.node("ControlNetApplyAdvanced", **wires)
        latent = self.node("EmptyLatentImage", **self.size)
        settings = {"steps": 20, "cfg": GUIDANCE, "sampler_name": "euler", "scheduler": "normal"}
        sampled = self.sample(model, control[0], control[1], latent[0], **settings)
        return self.node("VAEDecode", samples=sampled[0], vae=self.vae)[0]


def one_image_prompt(object_info: dict[str, Any]) -> Prompt:
    """The whole reference's tokens for the whole picture."""
    graph = Demonstration(object_info)
    return graph.save(graph.colour(*graph.apply(graph.tokens("Reference"))))


def one_image_prompt_pasted(object_info: dict[str, Any]) -> Prompt:
    """The same; by its mask the character is then laid on the background picture."""
    graph = Demonstration(object_info)
    picture = graph.colour(*graph.apply(graph.tokens("Reference")))
    background, mask = graph.picture("Background"), graph.mask()
    pasted = graph.node("ImageCompositeMasked", destination=background[0], source=picture, mask=mask)
    return graph.save(pasted[0])


def two_image_prompts(graph: Demonstration) -> tuple[Wire, Wire, Wire, Wire]:
    """Add an image prompt each for reference and background; return the model, both positives and the negative."""
    model, first, negative = graph.apply(graph.tokens("Reference"))
    _, second, _ = graph.apply(graph.tokens("Background"))
    return model, first, second, negative


def two_image_prompts_joined(object_info: dict[str, Any]) -> Prompt:
    """The tokens of reference and background picture one behind the other, for the whole picture."""
    graph = Demonstration(object_info)
    model, first, second, negative = two_image_prompts(graph)
    both = graph.node("ConditioningConcat", conditioning_to=first, conditioning_from=second)
    return graph.save(graph.colour(model, both[0], negative))


def two_image_prompts_masked(object_info: dict[str, Any]) -> Prompt:
    """An image prompt where the character is, another everywhere else, by ComfyUI's own masks."""
    graph = Demonstration(object_info)
    model, first, second, negative = two_image_prompts(graph)
    mask = graph.mask()
    rest = graph.node("InvertMask", mask=mask)[0]
    inside, outside = (
        graph.node("ConditioningSetMask", conditioning=wire, mask=where, set_cond_area="default")[0]
        for wire, where in ((first, mask), (second, rest))
    )
    both = graph.node("ConditioningCombine", conditioning_1=inside, conditioning_2=outside)
    return graph.save(graph.colour(model, both[0], negative))


def split(object_info: dict[str, Any], injection: float = 0.0, style: bool = False) -> Prompt:
    """Split attention; with background injection and the style encoder as asked."""
    graph = Demonstration(object_info)
    carrier = graph.behind(graph.tokens("Reference"), injection)
    if style:
        reference = find(graph.prompt, "Reference")
        carrier = graph.node("ColorizeEncodeStyle", carrier=carrier, image=[reference, 0], **graph.encoders())[0]
    return graph.save(graph.colour(*graph.apply(carrier, sketch_mask=graph.mask())))


def limit(object_info: dict[str, Any]) -> Prompt:
    """The right answer through the autoencoder: nobody who decodes with it gets nearer."""
    graph = Demonstration(object_info)
    latent = graph.node("VAEEncode", pixels=graph.picture("Truth")[0], vae=graph.vae)
    return graph.save(graph.node("VAEDecode", samples=latent[0], vae=graph.vae)[0])


# --- published models ---


def of_template(describe: Describe, object_info: dict[str, Any]) -> Prompt:
    """Return a template's prompt with nothing but what its result needs."""
    prompt = to_prompt(describe(object_info), object_info)
    result = find(prompt, "SaveImage")
    prompt[result]["_meta"]["title"] = "Result"
    prompt[result]["inputs"]["filename_prefix"] = "compare/picture"
    return only_for(prompt, result)


def published_split(describe: Describe, object_info: dict[str, Any]) -> Prompt:
    """Split attention, the background's tokens alone: nothing is injected."""
    prompt = of_template(describe, object_info)
    set_inputs(prompt, "ColorizeEncodeBackground", strength=0.0)
    return prompt


def published_everything(describe: Describe, object_info: dict[str, Any]) -> Prompt:
    """Split attention, background injection, and the reference's style."""
    prompt = of_template(describe, object_info)
    behind, apply = find(prompt, "ColorizeEncodeBackground"), find(prompt, "ColorizeApply")
    shared = ("colorizer", "vae", "clip_vision", "width", "height")
    inputs = {name: prompt[behind]["inputs"][name] for name in shared}
    graph = Graph(object_info, prompt)
    reference = [find(prompt, "Reference"), 0]
    style = graph.node("ColorizeEncodeStyle", carrier=[behind, 0], image=reference, **inputs)
    prompt[apply]["inputs"]["carrier"] = style[0]
    return prompt


def canvas(graph: Graph, side: int) -> tuple[dict[str, Wire], Wire]:
    """Add the canvas and the drawing, light lines on black in its size, by ComfyUI's own nodes."""
    numbers = {"width": "Width", "height": "Height"}
    size = {name: graph.node("PrimitiveInt", title, value=side)[0] for name, title in numbers.items()}
    drawing = graph.picture("Drawing")
    scaled = graph.node("ImageScale", image=drawing[0], upscale_method="lanczos", crop="disabled", **size)
    return size, graph.node("ImageInvert", image=scaled[0])[0]


def ip_adapter(object_info: dict[str, Any]) -> Prompt:
    """IP-Adapter Plus for Stable Diffusion 1.5, by the nodes of ComfyUI_IPAdapter_plus, and a line-art ControlNet."""
    graph = Graph(object_info)
    checkpoint = graph.node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly-fp16.safetensors")
    loaded = graph.node("IPAdapterUnifiedLoader", model=checkpoint[0], preset="PLUS (high strength)")
    whole = graph.node(
        "PrepImageForClipVision",
        image=graph.picture("Reference")[0],
        interpolation="LANCZOS",
        crop_position="pad",
        sharpening=0.0,
    )
    adapted = graph.node(
        "IPAdapterAdvanced",
        model=loaded[0],
        ipadapter=loaded[1],
        image=whole[0],
        weight=1.0,
        weight_type="linear",
        combine_embeds="concat",
        start_at=0.0,
        end_at=1.0,
        embeds_scaling="V only",
    )
    words = [
        graph.node("CLIPTextEncode", title, clip=checkpoint[1], text=text)[0]
        for title, text in (
            ("Positive", "best quality, high quality"),
            ("Negative", "monochrome, lowres, bad anatomy, worst quality, low quality"),
        )
    ]
    size, lines = canvas(graph, IP_ADAPTER_SIDE)
    net = graph.node("ControlNetLoader", control_net_name="control_v11p_sd15s2_lineart_anime_fp16.safetensors")
    control = graph.node(
        "ControlNetApplyAdvanced", positive=words[0], negative=words[1], control_net=net[0], image=lines
    )
    latent = graph.node("EmptyLatentImage", **size)
    settings = {"steps": 30, "cfg": 7.0, "sampler_name": "dpmpp_2m", "scheduler": "karras"}
    sampled = graph.sample(adapted[0], control[0], control[1], latent[0], **settings)
    return graph.save(graph.node("VAEDecode", samples=sampled[0], vae=checkpoint[2])[0])


def redux(object_info: dict[str, Any]) -> Prompt:
    """FLUX.1 Redux as image prompt and FLUX.1 Canny's LoRA for the lines, by ComfyUI's own nodes alone."""
    graph = Graph(object_info)
    base = graph.node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default")
    model = graph.node("LoraLoaderModelOnly", model=base[0], lora_name="flux1-canny-dev-lora.safetensors")
    files = {"clip_name1": "clip_l.safetensors", "clip_name2": "t5xxl_fp16.safetensors", "type": "flux"}
    clip = graph.node("DualCLIPLoader", **files)
    vae = graph.node("VAELoader", vae_name="ae.safetensors")
    tower = graph.node("CLIPVisionLoader", clip_name="sigclip_vision_patch14_384.safetensors")
    seen = graph.node("CLIPVisionEncode", clip_vision=tower[0], image=graph.picture("Reference")[0], crop="none")
    words = graph.node("CLIPTextEncode", clip=clip[0], text="")
    style = graph.node("StyleModelLoader", style_model_name="flux1-redux-dev.safetensors")
    prompted = graph.node(
        "StyleModelApply",
        conditioning=words[0],
        style_model=style[0],
        clip_vision_output=seen[0],
        strength=1.0,
        strength_type="multiply",
    )
    guided = graph.node("FluxGuidance", conditioning=prompted[0], guidance=30.0)
    _, lines = canvas(graph, REDUX_SIDE)
    control = graph.node(
        "InstructPixToPixConditioning", positive=guided[0], negative=words[0], vae=vae[0], pixels=lines
    )
    settings = {"steps": 20, "cfg": 1.0, "sampler_name": "euler", "scheduler": "normal"}
    sampled = graph.sample(model[0], control[0], control[1], control[2], **settings)
    return graph.save(graph.node("VAEDecode", samples=sampled[0], vae=vae[0])[0])


def builders(plain: Describe, raw: Describe) -> dict[str, Callable[[dict[str, Any]], Prompt]]:
    """Return every graph's description by its file's name, without suffix.

    Args:
        plain, raw: descriptions of the templates sketch_and_reference and from_raw_images.
    """
    return {
        "demonstration/1-one-image-prompt": one_image_prompt,
        "demonstration/2-one-image-prompt-pasted": one_image_prompt_pasted,
        "demonstration/3-two-image-prompts-joined": two_image_prompts_joined,
        "demonstration/4-two-image-prompts-masked": two_image_prompts_masked,
        "demonstration/5-split": split,
        "demonstration/6-split-and-injection": lambda info: split(info, injection=1.0),
        "demonstration/7-split-injection-and-style": lambda info: split(info, injection=1.0, style=True),
        "demonstration/8-autoencoder-alone": limit,
        "published/1-ip-adapter-and-line-art": ip_adapter,
        "published/2-redux-and-canny": redux,
        "published/3-one-image-prompt": lambda info: of_template(plain, info),
        "published/4-split": lambda info: published_split(raw, info),
        "published/5-split-injection-and-style": lambda info: published_everything(raw, info),
    }
