"""Shots on disk."""

from comfy_api.latest import io

from ...colorize_core.errors import ColorizeError
from ...colorize_core.host.shot.frame_folder import (
    FrameChoice,
    fingerprint_frames,
    frame_folder,
    frame_folders,
    load_frames,
)
from ...colorize_core.shot.frame_numbers import MISSING, POSITIONS
from ..checked import checked
from ..schema import node_schema


class ColorizeLoadFrames(io.ComfyNode):
    """Load numbered pictures as one batch."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe the node."""
        return node_schema(
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
                    min=-10_000_000,
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
                io.Combo.Input(
                    "missing",
                    options=list(MISSING),
                    default="refuse",
                    optional=True,
                    tooltip="About a number that no picture has. refuse: it is an error. hold: the last drawing before "
                    "it, as for drawings on twos. skip: only the pictures that there are.",
                ),
                io.Combo.Input(
                    "number",
                    options=list(POSITIONS),
                    default="last",
                    optional=True,
                    tooltip="Which number in a name is the frame's: last for ink_0007.png, second_last for "
                    "ink_0007_v2.png, third_last for ink_0007_1920x1080.png, first for 0007_ink_v2.png.",
                ),
                io.String.Input(
                    "frame_numbers",
                    default="",
                    optional=True,
                    tooltip="Exactly these frames, in place of first_frame and frame_count: 1-47:2 or 1,3,8-12. Wire "
                    "the frame numbers of the drawings here, so that masks are of the same frames.",
                ),
            ],
            outputs=[
                io.Image.Output("IMAGE", display_name="frames", tooltip="The pictures, one for each frame."),
                io.Mask.Output("MASK", display_name="mask", tooltip="1 where a picture is transparent, as Load Image."),
                io.Int.Output("FIRST", display_name="first frame", tooltip="For first_frame of Sample Sequence."),
                io.Int.Output("COUNT", display_name="frame count", tooltip="For batch_size of Empty Latent Image."),
                io.String.Output(
                    "NUMBERS",
                    display_name="frame numbers",
                    tooltip="For frame_numbers of Sample Sequence, and of another Load Frames.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder=None) -> bool | str:
        """Check the folder before anything runs; a wired one, which is None here, when it is known.

        ComfyUI repeats a message for every input that is asked for here; the frames are checked when they are loaded.
        """
        try:
            if folder is not None:
                frame_folder(folder)
        except ColorizeError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, **inputs) -> str | float:
        """Run anew when a frame has been added, taken away or drawn over; always where that cannot be known.

        A wired input is None here: where it says which frames, all of the folder count.
        """
        stretch = ("first_frame", "frame_count", "frame_numbers")
        known = {name: value for name, value in inputs.items() if value is not None}
        if any(inputs.get(name, 0) is None for name in stretch):
            known = {name: value for name, value in known.items() if name not in stretch} | {"missing": "skip"}
        try:
            return fingerprint_frames(FrameChoice(**known)) if set(known) >= set(inputs) - {*stretch} else float("nan")
        except ColorizeError:  # told when it runs
            return float("nan")

    @classmethod
    @checked
    def execute(cls, **inputs) -> io.NodeOutput:
        """Load."""
        return io.NodeOutput(*load_frames(FrameChoice(**inputs)))
