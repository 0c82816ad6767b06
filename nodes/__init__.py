"""The graph surface: the explicit list of nodes."""

from comfy_api.latest import ComfyExtension, io

from .masks import ColorizeBleach, ColorizeMergeMasks
from .sketch import ColorizeCropToBox, ColorizePrepareSketch

NODES: list[type[io.ComfyNode]] = [
    ColorizePrepareSketch,
    ColorizeCropToBox,
    ColorizeMergeMasks,
    ColorizeBleach,
]


class ColorizeExtension(ComfyExtension):
    """Hands ComfyUI the nodes of the pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)
