"""The only core code that touches ComfyUI: building its models, patching, controls, encoding."""
