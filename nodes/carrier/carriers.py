"""Carriers as files, so that references are encoded once."""

from comfy_api.latest import io

from ...colorize_core.host.carrier.carrier_folder import CARRIERS, load_carrier, save_carrier
from ...colorize_core.host.family.encode import check_carrier
from ..checked import checked
from ..schema import node_schema
from ..sockets import Carrier, Colorizer

CATEGORY = "ColorizeDiffusion/encode"


class ColorizeSaveCarrier(io.ComfyNode):
    """Save what has been encoded from the references."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeSaveCarrier",
            display_name="Save Carrier",
            category=CATEGORY,
            description="Saves a carrier with its background, style and regions as one file in the output folder, so "
            "that a character sheet is encoded once for a whole episode.",
            inputs=[
                Carrier.Input("carrier", tooltip="From any encode node."),
                io.String.Input(
                    "filename_prefix",
                    default="carriers/carrier",
                    tooltip="Where in the output folder, and the beginning of the name. The date may stand in it as in "
                    "Save Image. Load Carrier offers what lies in carriers and its subfolders.",
                ),
            ],
            outputs=[
                io.String.Output("FILE", display_name="file", tooltip="The file's name, as Load Carrier takes it."),
            ],
            is_output_node=True,
        )

    @classmethod
    @checked
    def execute(cls, carrier, filename_prefix="carriers/carrier") -> io.NodeOutput:
        """Save."""
        saved = save_carrier(carrier, filename_prefix)
        name = "/".join(filter(None, (saved["subfolder"].replace("\\", "/"), saved["filename"])))
        return io.NodeOutput(f"{name} [output]", ui={"carriers": [saved]})


class ColorizeLoadCarrier(io.ComfyNode):
    """Load what Save Carrier has saved."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
            node_id="ColorizeLoadCarrier",
            display_name="Load Carrier",
            category=CATEGORY,
            description="Loads a carrier that Save Carrier has written, from the input or the output folder. A damaged "
            "or changed file is refused.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=CARRIERS.choices(),
                    tooltip="Carrier files in the input folder, and in the output folder marked [output]; both with "
                    "their subfolder carriers.",
                ),
                Colorizer.Input(
                    "colorizer",
                    optional=True,
                    tooltip="Refuses a file of another checkpoint here; without it Apply Colorization does.",
                ),
            ],
            outputs=[Carrier.Output("CARRIER", display_name="carrier", tooltip="As it was saved.")],
        )

    @classmethod
    def validate_inputs(cls, file=None) -> bool | str:
        """Check the name before anything runs; a wired one, which is None here, when it is known."""
        return CARRIERS.fault(file) or True

    @classmethod
    def fingerprint_inputs(cls, file=None, colorizer=None) -> str | float:
        """Run anew when the file's contents have changed; always where that cannot be known."""
        return CARRIERS.fingerprint(file)

    @classmethod
    @checked
    def execute(cls, file, colorizer=None) -> io.NodeOutput:
        """Load."""
        carrier = load_carrier(file)
        if colorizer is not None:
            check_carrier(carrier, colorizer)
        return io.NodeOutput(carrier)
