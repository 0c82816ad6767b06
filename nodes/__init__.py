"""The graph surface: the explicit list of nodes."""

from comfy_api.latest import ComfyExtension, io

from .apply import ColorizeApply, ColorizeBlockStrengths
from .carriers import ColorizeLoadCarrier, ColorizeSaveCarrier
from .checkpoint import ColorizeCheckpointLoader
from .encode import ColorizeEncodeBackground, ColorizeEncodeReference, ColorizeEncodeStyle
from .examples import ColorizeExamplePicture
from .frames import ColorizeLoadFrames
from .inject import ColorizeAttentionInjection
from .lines import ColorizeExtractLines, ColorizeLineExtractorLoader
from .masks import ColorizeBleach, ColorizeMergeMasks
from .preview import ColorizePreviewRegions
from .regions import ColorizeAddRegion
from .sample import ColorizeGuider
from .segment import ColorizeSegmentCharacter, ColorizeSegmenterLoader
from .sequence import ColorizeSampleSequence
from .sketch import ColorizeCropToBox, ColorizePrepareSketch
from .text import ColorizeManipulateTokens

NODES: list[type[io.ComfyNode]] = [
    ColorizeCheckpointLoader,
    ColorizeExamplePicture,
    ColorizeLoadFrames,
    ColorizePrepareSketch,
    ColorizeCropToBox,
    ColorizeLineExtractorLoader,
    ColorizeExtractLines,
    ColorizeSegmenterLoader,
    ColorizeSegmentCharacter,
    ColorizeMergeMasks,
    ColorizeBleach,
    ColorizePreviewRegions,
    ColorizeEncodeReference,
    ColorizeEncodeBackground,
    ColorizeEncodeStyle,
    ColorizeAddRegion,
    ColorizeSaveCarrier,
    ColorizeLoadCarrier,
    ColorizeApply,
    ColorizeBlockStrengths,
    ColorizeGuider,
    ColorizeSampleSequence,
    ColorizeAttentionInjection,
    ColorizeManipulateTokens,
]


class ColorizeExtension(ComfyExtension):
    """Hands ComfyUI the nodes of the pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return list(NODES)
