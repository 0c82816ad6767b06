"""The graph surface: the explicit list of nodes."""

from comfy_api.latest import ComfyExtension, io

NODES: list[type[io.ComfyNode]] = []


class ColorizeExtension(ComfyExtension):
    """Hands ComfyUI the nodes of the pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)
