"""Guidance for ComfyUI's custom samplers."""

from comfy_api.latest import io

from ...colorize_core.host.sampling.guider import make_guider
from ..checked import checked
from ..inputs import guidance
from ..schema import node_schema


class ColorizeGuider(io.ComfyNode):
    """Guide by the reference and by the sketch at once."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeGuider",
            display_name="Colorize Guider",
            category="ColorizeDiffusion",
            description="Guidance by the reference and by the sketch, for SamplerCustomAdvanced. With cfg_sketch 1 it "
            "is KSampler's own CFG. Rows that are not needed are not computed.",
            inputs=[
                io.Model.Input("model", tooltip="From Apply Colorization."),
                io.Conditioning.Input("positive", tooltip="Of Apply Colorization, after Apply ControlNet."),
                io.Conditioning.Input("negative", tooltip="Of Apply Colorization, after Apply ControlNet."),
                io.Conditioning.Input(
                    "blank_sketch",
                    optional=True,
                    tooltip="The positive conditioning of Apply Colorization, after Apply ControlNet with a black "
                    "image. Needed where cfg_sketch is not 1.",
                ),
                guidance("cfg_reference", 4.0, "How strongly the result follows the reference"),
                guidance("cfg_sketch", 1.0, "How strongly the result follows the lines"),
            ],
            outputs=[io.Guider.Output("GUIDER", display_name="guider", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    @checked
    def execute(cls, model, positive, negative, blank_sketch=None, cfg_reference=4.0, cfg_sketch=1.0) -> io.NodeOutput:
        """Build the guider."""
        return io.NodeOutput(make_guider(model, positive, negative, blank_sketch, cfg_reference, cfg_sketch))
