"""Reference-based sketch colorization with ColorizeDiffusion v2 for ComfyUI."""

from .colorize_core.host.model_folders import register_model_folders

register_model_folders()


async def comfy_entrypoint():
    """Return the extension that lists the nodes (called by ComfyUI while it starts)."""
    from .nodes import ColorizeExtension

    return ColorizeExtension()
