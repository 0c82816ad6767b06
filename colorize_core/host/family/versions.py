"""How each version of the table is built in ComfyUI."""

from collections.abc import Callable
from dataclasses import dataclass

import comfy.model_patcher
from torch import Tensor

from ...family.v1 import V1, V15
from ...family.v2 import V2
from ...family.version import Parts
from ...family.xl import XL_BASE, XL_V2
from ..loading import Build
from . import v1, v2, xl
from .colorizer import Colorizer


@dataclass(frozen=True)
class Builder:
    """Functions that build a version's parts.

    Attributes:
        image_tower: parts -> the weights of the image tower inside the file, for `load_image_tower`; maybe none.
        sketch_encoder: as `load_module` takes it.
        colorizer: (parts, file name, fingerprint) -> COLORIZER.
        model: (parts, "v" or "eps", file name, fingerprint) -> MODEL.
    """

    image_tower: Callable[[Parts], dict[str, Tensor]]
    sketch_encoder: Build
    colorizer: Callable[[Parts, str, str], Colorizer]
    model: Callable[[Parts, str, str, str], comfy.model_patcher.ModelPatcher]


V2_BUILDER = Builder(v2.image_tower, v2.build_sketch_encoder, v2.load_colorizer, v2.load_model)
V1_BUILDER = Builder(v2.image_tower, v2.build_sketch_encoder, v1.load_colorizer, v2.load_model)
XL_BUILDER = Builder(xl.image_tower, xl.build_sketch_encoder, xl.load_colorizer, xl.load_model)

#: By the id of the version.
BUILDERS = {V1.id: V1_BUILDER, V15.id: V1_BUILDER, V2.id: V2_BUILDER, XL_BASE.id: XL_BUILDER, XL_V2.id: XL_BUILDER}
