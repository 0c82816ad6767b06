"""ColorizeDiffusion XL, base and v2-style: Stable Diffusion XL's UNet, reference tokens of two image encoders.

Source: spec-xl sections 1, 5 and 8; arXiv 2603.05971.
"""

from dataclasses import replace

from .version import UNET, Part, Version

#: What only XL's sketch encoder has.
SKETCH_MARKS = ("control_encoder.attn_layer.", "control_encoder.proj_ins.", "control_encoder.downsample_layers.")
#: What only the v2-style model has.
LORA_MARKS = (".lora_down_background.", ".lora_up_background.")
#: What a training run may leave, and what no part computes with.
LEFTOVERS = (
    UNET + "conv_fg.",
    UNET + "map_modules.",
    UNET + "warp_modules.",
    "map_modules.",
    "warp_modules.",
    "fg_encoder.",
    "bg_encoder.map_modules.",
    "bg_encoder.warp_modules.",
    # The background encoder's result is thrown away: only what its transformers begin with is read.
    "bg_encoder.output_blocks.6.",
    "bg_encoder.out.",
)

_PARTS = (
    Part("unet", "the UNet", UNET + "input_blocks.0.0.weight", UNET),
    Part("projection", "the token projection", "proj.proj.0.weight", "proj."),
    Part("sketch_encoder", "the sketch encoder", "control_encoder.attn_layer.to_q.weight", "control_encoder."),
    Part("vae", "the VAE", "first_stage_model.decoder.conv_in.weight", "first_stage_model."),
    Part("image_tower", "the image tower", "", "cond_stage_model.vision_model."),
    Part("image_projection", "the image tower's projection", "", "cond_stage_model.visual_projection."),
    Part("tagger", "the tagger", "", "img_embedder."),
)

XL_BASE = Version(
    id="xl",
    name="ColorizeDiffusion XL",
    marks=tuple((mark,) for mark in SKETCH_MARKS),
    parts=_PARTS,
    advice="use an XL file whose name begins with sdxl or xlv2",
    needs="CLIP-ViT-bigG-14-laion2B-39B-b160k",
    # One strength for all 70 attentions, by whatever name.
    levels={},
    ignored=LEFTOVERS,
    leftovers=("_foreground.",),
    one_strength=True,
    eps_by_name=False,
    own_tokens=True,
    pixels=1024 * 1024,
)

XL_V2 = replace(
    XL_BASE,
    id="xl-v2",
    name="ColorizeDiffusion XL v2-style",
    marks=(*((mark,) for mark in LORA_MARKS), *((mark, "bg_encoder.") for mark in SKETCH_MARKS)),
    parts=(
        *_PARTS,
        Part(
            "lora",
            "the background LoRA",
            UNET + "input_blocks.4.1.transformer_blocks.0.attn2.to_q.lora_down_background.weight",
            UNET,
            "_background.",
        ),
        Part("background_encoder", "the background encoder", "bg_encoder.input_blocks.0.0.weight", "bg_encoder."),
    ),
    levels={
        "encoder": (("input", 4), ("input", 5)),
        "color": (),
        "semantic": (("input", 7), ("input", 8), ("output", 0), ("output", 1), ("output", 2)),
    },
    one_strength=False,
)
