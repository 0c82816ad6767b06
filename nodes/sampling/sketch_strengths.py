"""How strongly the drawing acts, by the size of its features."""

from comfy_api.latest import io

from ...colorize_core.host.sampling.sketch_control import with_hint_strengths
from ..checked import checked
from ..inputs import strength
from ..schema import node_schema

#: What each hint is made for: the UNet's input block in v2, and in XL.
HINTS = ((0, 0), (3, 3), (6, 6), (9, 8), (11, None))


class ColorizeHintStrengths(io.ComfyNode):
    """Set the strength of each of the sketch encoder's hints."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeHintStrengths",
            display_name="Sketch Strengths",
            category="ColorizeDiffusion",
            description="The strengths of the sketch encoder's hints one by one, from the finest to the coarsest; "
            "Apply ControlNet's own strength multiplies all of them.",
            inputs=[
                io.ControlNet.Input("control_net", tooltip="The sketch encoder of Load Colorize Checkpoint."),
                *(strength(f"hint_{number}", cls._tooltip(*blocks)) for number, blocks in enumerate(HINTS)),
            ],
            outputs=[io.ControlNet.Output("CONTROL_NET", display_name="control_net", tooltip="For Apply ControlNet.")],
        )

    @staticmethod
    def _tooltip(v2: int, xl: int | None) -> str:
        return f"Hint for input block {v2} in v2, " + (f"{xl} in XL." if xl is not None else "none in XL.")

    @classmethod
    @checked
    def execute(cls, control_net, **strengths) -> io.NodeOutput:
        """Set them."""
        return io.NodeOutput(
            with_hint_strengths(control_net, [strengths.get(f"hint_{i}", 1.0) for i in range(len(HINTS))])
        )
