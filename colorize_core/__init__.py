"""The mathematics of ColorizeDiffusion v2: torch and numpy only, no ComfyUI import outside `host/`."""
