"""The CONTROL_NET of a checkpoint."""

from torch import Tensor

from ...family.sketch_encoder import SketchEncoder, sketch_encoder_sizes
from ..loading import load_module
from ..sampling.sketch_control import SketchControl


def load_sketch_control(state_dict: dict[str, Tensor], file_name: str) -> SketchControl:
    """Build the CONTROL_NET from the sketch encoder's weights (keys without prefix)."""

    def build(state_dict, operations, device, dtype):
        return SketchEncoder(**sketch_encoder_sizes(state_dict), operations=operations, device=device, dtype=dtype)

    return SketchControl(load_module(build, state_dict, "the sketch encoder", file_name))
