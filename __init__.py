"""Reference-based sketch colorization with ColorizeDiffusion for ComfyUI."""

import logging

from .colorize_core.host.version import too_old

#: Help pages, shown by ComfyUI's node help panel.
WEB_DIRECTORY = "./web"

if complaint := too_old():
    logging.error(complaint)
    NODE_CLASS_MAPPINGS: dict[str, type] = {}
else:
    from .colorize_core.host.model_folders import register_model_folders

    register_model_folders()

    async def comfy_entrypoint():
        """Return the extension that lists the nodes (called by ComfyUI while it starts)."""
        from .nodes import ColorizeExtension

        return ColorizeExtension()
