"""Loading what a version of ColorizeDiffusion needs."""

import folder_paths
from comfy_api.latest import io

from ...colorize_core.host.family.checkpoint import load_checkpoint
from ...colorize_core.host.family.xl_tagger import load_tagger_file
from ...colorize_core.host.model_folders import TAGGERS
from ...colorize_core.host.prepare.examples import checkpoint_choices, checkpoint_path
from ..checked import checked
from ..inputs import model_file
from ..schema import node_schema
from ..sockets import Colorizer, Tagger


class ColorizeCheckpointLoader(io.ComfyNode):
    """Load all parts of a checkpoint."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeCheckpointLoader",
            display_name="Load Colorize Checkpoint",
            category="ColorizeDiffusion/loaders",
            description="Loads a ColorizeDiffusion checkpoint, v1, v1.5, v2 or XL, from models/checkpoints, for "
            "example v2-full.safetensors. Tells the versions by their tensors, needs no configuration file and "
            "downloads nothing.",
            inputs=[
                io.Combo.Input(
                    "ckpt_name",
                    options=checkpoint_choices(),
                    tooltip="A ColorizeDiffusion file, v1, v1.5, v2 or XL, in models/checkpoints. Other checkpoints "
                    "are refused with a message that says what they are. The last choice needs no file: a small model "
                    "for cartoons of 128×128 pixels, to try the nodes with.",
                ),
                io.Combo.Input(
                    "prediction",
                    options=["auto", "v", "eps"],
                    default="auto",
                    tooltip="What the UNet predicts. auto: v, unless the name of a v1, v1.5 or v2 file says eps; an XL "
                    "file with such a name is refused.",
                ),
            ],
            advanced=("prediction",),
            outputs=[
                io.Model.Output(
                    "MODEL",
                    display_name="model",
                    tooltip="A stock model of ComfyUI: Stable Diffusion 2.x, for XL Stable Diffusion XL.",
                ),
                Colorizer.Output(
                    "COLORIZER",
                    display_name="colorizer",
                    tooltip="What the file holds beside UNet and VAE: background and style encoders, LoRA, for XL the "
                    "projection of the reference tokens.",
                ),
                io.ControlNet.Output(
                    "CONTROL_NET",
                    display_name="control_net",
                    tooltip="The sketch encoder, for Apply ControlNet: image = the line map of Prepare Sketch.",
                ),
                io.Vae.Output("VAE", display_name="vae", tooltip="The checkpoint's VAE."),
                io.ClipVision.Output(
                    "CLIP_VISION",
                    display_name="clip_vision",
                    tooltip="The image tower. Empty if the file has none, as v2-full.safetensors: then use Load CLIP "
                    "Vision with CLIP-ViT-H-14-laion2B-s32B-b79K, for XL with CLIP-ViT-bigG-14-laion2B-39B-b160k.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(cls, ckpt_name: str, prediction: str = "auto") -> io.NodeOutput:
        """Load the file."""
        return io.NodeOutput(*load_checkpoint(checkpoint_path(ckpt_name), prediction))


class ColorizeTaggerLoader(io.ComfyNode):
    """Load the tagger that XL looks at references with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeTaggerLoader",
            display_name="Load Colorize Tagger",
            category="ColorizeDiffusion/loaders",
            description="Loads the WD v1.4 SwinV2 tagger, the second network with which ColorizeDiffusion XL looks at "
            "a reference, from models/colorize_taggers (model.safetensors of wd-v1-4-swinv2-tagger-v2).",
            inputs=[model_file(TAGGERS)],
            outputs=[
                Tagger.Output(
                    "COLORIZE_TAGGER", display_name="tagger", tooltip="For Encode Reference and Encode Background."
                )
            ],
        )

    @classmethod
    @checked
    def execute(cls, model_name: str) -> io.NodeOutput:
        """Load the file."""
        path = folder_paths.get_full_path_or_raise(TAGGERS, model_name)
        return io.NodeOutput(load_tagger_file(path, model_name))
