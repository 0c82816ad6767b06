"""Preparing pictures in ComfyUI: frame by frame, and with networks."""
