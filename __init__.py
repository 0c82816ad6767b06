"""Reference-based sketch colorization with ColorizeDiffusion v2 for ComfyUI."""


async def comfy_entrypoint():
    """Return the extension that lists the nodes (called by ComfyUI while it starts)."""
    from .nodes import ColorizeExtension

    return ColorizeExtension()
