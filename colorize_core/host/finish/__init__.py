"""What comes after the sampler, with ComfyUI's progress, cancel and folders."""
