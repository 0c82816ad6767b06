"""The published program's time steps."""

from comfy_api.latest import io

from ...colorize_core.host.sampling.time_steps import published_sampler, published_sigmas
from ..checked import checked
from ..inputs import fraction
from ..schema import node_schema


class ColorizeTimeSteps(io.ComfyNode):
    """Sigmas at which the published program looks at the picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeTimeSteps",
            display_name="Published Time Steps",
            category="ColorizeDiffusion",
            description="The published program's default sampler for v1, v1.5 and v2, for SamplerCustomAdvanced: its "
            "time steps, and dpmpp_2m starting where the program starts.",
            inputs=[
                io.Model.Input("model", tooltip="From Load Colorize Checkpoint or Apply Colorization."),
                io.Int.Input(
                    "steps", default=20, min=1, max=200, tooltip="How many steps; the program's default is 20."
                ),
                fraction("denoise", 1.0, "Below 1: only the last part of the steps, for a latent that is not empty."),
            ],
            advanced=("denoise",),
            outputs=[
                io.Sigmas.Output("SIGMAS", display_name="sigmas", tooltip="For SamplerCustomAdvanced."),
                io.Sampler.Output("SAMPLER", display_name="sampler", tooltip="dpmpp_2m, for SamplerCustomAdvanced."),
            ],
        )

    @classmethod
    @checked
    def execute(cls, model, steps=20, denoise=1.0) -> io.NodeOutput:
        """Work them out."""
        return io.NodeOutput(published_sigmas(model, steps, denoise), published_sampler(denoise))
