"""Attention injection from the reference."""

from comfy_api.latest import io

from ...colorize_core.host.sampling.attention_injection import inject_reference
from ..checked import checked
from ..inputs import fraction, percent, seed, size, transparency
from ..schema import node_schema


class ColorizeAttentionInjection(io.ComfyNode):
    """Let every self-attention look at the reference as well."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeAttentionInjection",
            display_name="Attention Injection",
            category="ColorizeDiffusion",
            description="Patches a clone of the model: each step first denoises the reference itself, and every "
            "self-attention also looks at what it gave. Closer to the reference in texture and detail, at the cost of "
            "a second call of the UNet in each step.",
            inputs=[
                io.Model.Input("model", tooltip="From Apply Colorization."),
                io.ControlNet.Input(
                    "control_net", tooltip="The sketch encoder of Load Colorize Checkpoint, without Apply ControlNet."
                ),
                io.Vae.Input("vae", tooltip="The VAE of Load Colorize Checkpoint."),
                io.Image.Input("image", tooltip="The colour reference; squeezed to the output's size, not cropped."),
                size("width"),
                size("height"),
                fraction(
                    "fidelity",
                    0.5,
                    "How closely the result follows the reference: how far the reference-free prediction "
                    "leaves the reference's tokens out, so that guidance moves towards them.",
                ),
                fraction("sketch_fidelity", 0.0, "How strongly the reference's own lines guide its denoising."),
                percent(
                    "start_percent", 0.0, "Fraction of the sampling from which on it acts; later leaves more freedom."
                ),
                seed("Of the noise that the reference is denoised from.", optional=True),
                transparency(),
                io.Mask.Input(
                    "reference_mask",
                    optional=True,
                    tooltip="Mask of the character in `image`, for a frame of the same shot: it is denoised with its "
                    "own mask, once for all frames. Without it, with the mask of each drawing.",
                ),
                io.Image.Input(
                    "reference_lines",
                    optional=True,
                    tooltip="Line map of `image`, for a frame of the same shot, from Prepare Sketch. Acts as strongly "
                    "as sketch_fidelity says: set that to 1. Without it, lines are guessed from `image`.",
                ),
            ],
            advanced=("sketch_fidelity", "start_percent", "seed"),
            outputs=[io.Model.Output("MODEL", display_name="model", tooltip="The patched model, for any sampler.")],
        )

    @classmethod
    @checked
    def execute(
        cls,
        model,
        control_net,
        vae,
        image,
        width,
        height,
        fidelity=0.5,
        sketch_fidelity=0.0,
        start_percent=0.0,
        seed=0,
        transparency=None,
        reference_mask=None,
        reference_lines=None,
    ) -> io.NodeOutput:
        """Patch."""
        return io.NodeOutput(
            inject_reference(
                model,
                control_net,
                vae,
                image,
                width,
                height,
                fidelity,
                sketch_fidelity,
                start_percent,
                seed,
                transparency,
                reference_mask,
                reference_lines,
            )
        )
