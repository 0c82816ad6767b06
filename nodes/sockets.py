"""Every socket type that the pack adds to the graph, named once."""

from comfy_api.latest import io

Colorizer = io.Custom("COLORIZER")
Carrier = io.Custom("CARRIER")
BlockStrengths = io.Custom("COLORIZE_BLOCK_STRENGTHS")
Box = io.Custom("COLORIZE_BOX")
Segmenter = io.Custom("COLORIZE_SEGMENTER")
LineExtractor = io.Custom("COLORIZE_LINE_EXTRACTOR")
Tagger = io.Custom("COLORIZE_TAGGER")
Regions = io.Custom("COLORIZE_REGIONS")
Palette = io.Custom("COLORIZE_PALETTE")
#: ComfyUI's own, where it has it.
Layers = getattr(io, "Layers", None) or io.Custom("LAYERS")
