"""The graph surface: the explicit list of nodes."""

from comfy_api.latest import ComfyExtension, io

from .carrier.carriers import ColorizeLoadCarrier, ColorizeSaveCarrier
from .carrier.encode import ColorizeEncodeBackground, ColorizeEncodeReference, ColorizeEncodeStyle
from .carrier.regions import ColorizeAddRegion
from .carrier.text import ColorizeManipulateTokens
from .family.checkpoint import ColorizeCheckpointLoader, ColorizeTaggerLoader
from .finish.cels import ColorizeSaveCels
from .finish.flats import ColorizeFlats, ColorizeLineRegions
from .finish.ink_over import ColorizeInkOver
from .finish.layers import ColorizeMakeLayers, ColorizeSaveLayers
from .finish.measure import ColorizeMeasure
from .finish.palettes import ColorizeExtractPalette, ColorizeLoadPalette, ColorizePalette, ColorizeSavePalette
from .finish.tracks import ColorizeTrackRegions
from .prepare.examples import ColorizeExamplePicture
from .prepare.lines import ColorizeExtractLines, ColorizeLineExtractorLoader
from .prepare.masks import ColorizeBleach, ColorizeMergeMasks
from .prepare.preview import ColorizePreviewRegions
from .prepare.segment import ColorizeSegmentCharacter, ColorizeSegmenterLoader
from .prepare.sketch import ColorizeCropToBox, ColorizePrepareSketch
from .sampling.apply import ColorizeApply, ColorizeBlockStrengths
from .sampling.inject import ColorizeAttentionInjection
from .sampling.sample import ColorizeGuider
from .sampling.sketch_strengths import ColorizeHintStrengths
from .sampling.time_steps import ColorizeTimeSteps
from .shot.frames import ColorizeLoadFrames
from .shot.sequence import ColorizeSampleSequence

NODES: list[type[io.ComfyNode]] = [
    ColorizeCheckpointLoader,
    ColorizeTaggerLoader,
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
    ColorizeHintStrengths,
    ColorizeTimeSteps,
    ColorizeSampleSequence,
    ColorizeAttentionInjection,
    ColorizeManipulateTokens,
    ColorizeExtractPalette,
    ColorizePalette,
    ColorizeLoadPalette,
    ColorizeSavePalette,
    ColorizeLineRegions,
    ColorizeFlats,
    ColorizeInkOver,
    ColorizeTrackRegions,
    ColorizeSaveCels,
    ColorizeSaveLayers,
    ColorizeMakeLayers,
    ColorizeMeasure,
]
#: Nodes that need a type of `io` which only newer versions of ComfyUI have.
NEWER: dict[type[io.ComfyNode], str] = {ColorizeMakeLayers: "Layers"}


def offered_nodes() -> list[type[io.ComfyNode]]:
    """Return the nodes that this version of ComfyUI has all types for."""
    return [node for node in NODES if node not in NEWER or hasattr(io, NEWER[node])]


class ColorizeExtension(ComfyExtension):
    """Hands ComfyUI the nodes of the pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return offered_nodes()
