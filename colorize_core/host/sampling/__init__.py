"""The patches of ComfyUI's UNet, the sketch encoder as a CONTROL_NET, guidance and injection."""
