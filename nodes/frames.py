"""Shots on disk."""

from comfy_api.latest import io

from ..colorize_core.errors import ColorizeError
from ..colorize_core.host.frame_folder import find_frames, fingerprint_frames, frame_folders, load_frames
from .checked import checked


class ColorizeLoadFrames(io.ComfyNode):
    """Load numbered pictures as one batch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return io.Schema(
            node_id="ColorizeLoadFrames",
            display_name="Load Frames",
            category="ColorizeDiffusion/sketch",
            description="Loads the numbered pictures of a folder as one batch: the drawings of a shot, or its masks.",
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=frame_folders(),
                    tooltip="A subfolder of the input folder with pictures such as frame_0001.png. The last number in "
                    "a name is the frame's.",
                ),
                io.Int.Input(
                    "first_frame",
                    default=0,
                    min=0,
                    max=10_000_000,
                    tooltip="Number of the first frame to load; 0: the first that there is.",
                ),
                io.Int.Input(
                    "frame_count",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="How many frames to load; 0: all from the first one on.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="frames", tooltip="The pictures, one for each frame."),
                io.Mask.Output("MASK", display_name="mask", tooltip="1 where a picture is transparent, as Load Image."),
                io.Int.Output("FIRST", display_name="first frame", tooltip="For first_frame of Sample Sequence."),
                io.Int.Output("COUNT", display_name="frame count", tooltip="For batch_size of Empty Latent Image."),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder=None, first_frame=None, frame_count=None) -> bool | str:
        """Check the folder before anything runs; wired values, which are None here, when they are known."""
        try:
            if folder is not None:
                find_frames(folder, first_frame, frame_count)
        except ColorizeError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, folder=None, first_frame=None, frame_count=None) -> str:
        """Run anew when a frame has been added, taken away or drawn over."""
        return "" if folder is None else fingerprint_frames(folder, first_frame, frame_count)

    @classmethod
    @checked
    def execute(cls, folder, first_frame=0, frame_count=0) -> io.NodeOutput:
        """Load."""
        return io.NodeOutput(*load_frames(folder, first_frame, frame_count))
