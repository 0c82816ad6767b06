"""Encoding pictures with ComfyUI's image towers and VAEs; carriers in its folders."""
