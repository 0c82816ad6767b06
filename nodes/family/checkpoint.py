"""Loading a ColorizeDiffusion v2 checkpoint."""

from comfy_api.latest import io

from ...colorize_core.host.family.checkpoint import load_checkpoint
from ...colorize_core.host.prepare.examples import checkpoint_choices, checkpoint_path
from ..checked import checked
from ..schema import node_schema
from ..sockets import Colorizer


class ColorizeCheckpointLoader(io.ComfyNode):
    """Load all parts of a v2 checkpoint."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeCheckpointLoader",
            display_name="Load Colorize Checkpoint",
            category="ColorizeDiffusion/loaders",
            description="Loads a ColorizeDiffusion v2 checkpoint from models/checkpoints, for example "
            "v2-full.safetensors. Needs no configuration file and downloads nothing.",
            inputs=[
                io.Combo.Input(
                    "ckpt_name",
                    options=checkpoint_choices(),
                    tooltip="A ColorizeDiffusion v2 file in models/checkpoints. Other checkpoints are refused with a "
                    "message that says what they are. The last choice needs no file: a small model for cartoons of "
                    "128×128 pixels, to try the nodes with.",
                ),
                io.Combo.Input(
                    "prediction",
                    options=["auto", "v", "eps"],
                    default="auto",
                    tooltip="What the UNet predicts. auto: v, unless the file name says eps.",
                ),
            ],
            advanced=("prediction",),
            outputs=[
                io.Model.Output("MODEL", display_name="model", tooltip="A stock Stable Diffusion 2.x model."),
                Colorizer.Output(
                    "COLORIZER",
                    display_name="colorizer",
                    tooltip="Background and style encoders, injection, style modulation and split LoRA.",
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
                    "Vision with CLIP-ViT-H-14-laion2B-s32B-b79K.",
                ),
            ],
        )

    @classmethod
    @checked
    def execute(cls, ckpt_name: str, prediction: str = "auto") -> io.NodeOutput:
        """Load the file."""
        return io.NodeOutput(*load_checkpoint(checkpoint_path(ckpt_name), prediction))
