"""The regions of a shot's frames, followed through it."""

import numpy as np
import torch

from ...errors import ColorizeError
from ...finish.flats import with_paper
from ...finish.frame_stack import FrameStack, RegionStack
from ...finish.own_palette import Medians, own_palette, region_medians
from ...finish.palette import Palette
from ...finish.regions import Regions
from ...finish.shot_tracks import FrameTracks, ShotTracks, paint_tracks
from ...finish.track_strip import draw_tracks, strip_of, thumbnail_size
from ...prepare.pictures import as_rgb, resize_picture
from ..loading import stop_when_cancelled
from ..notice import tell
from ..prepare.frames import each_frame
from .shot_inputs import check_palette, frames_together, one


def track_frames(
    regions: Regions,
    image: torch.Tensor,
    palette: Palette | None = None,
    anchor: torch.Tensor | None = None,
    anchor_frame: int = 0,
) -> tuple[Regions, torch.Tensor, torch.Tensor]:
    """Find which regions of the frames of a shot are the same, and give each track one swatch; see `ShotTracks`.

    Args:
        regions: B or 1 frames, of Line Regions or of Flats. image: [B or 1, h, w, C] in [0, 1].
        palette: None for the regions' own, or for the shot's own colours where they have none.
        anchor: [1 or B, h', w', C] in [0, 1], flats of one frame that a person has put right; of several, that frame's.
        anchor_frame: which frame it is, from 0.

    Returns:
        regions with tracks and swatches; the strip [1, h'', w'', 3]; flats [B, H, W, 3].
    """
    check_palette(palette)
    image = as_rgb(image).cpu()
    count = frames_together(image=image, regions=regions)
    right = None if anchor is None else _anchor(as_rgb(anchor, name="anchor").cpu(), anchor_frame, count)
    palette = palette or regions.palette or _palette(regions, image, count)
    shot = ShotTracks(palette)
    for index in each_frame(count):
        flats = right if index == anchor_frame else None
        shot.add(one(image, index), one(regions, index), flats, stop_when_cancelled)
    found = shot.elected()
    tracks = 1 + max((int(frame.track.max(initial=-1)) for frame in found), default=-1)
    height, width, columns = thumbnail_size(*regions.size, count)
    tracked, flats_of, small = RegionStack(count, regions), FrameStack(count), []
    seen = np.zeros(tracks, dtype=bool)
    colors = with_paper(palette).float() / 255
    for index in each_frame(count):
        frame = paint_tracks(one(regions, index), palette, found[index], shot.toned)
        small.append(draw_tracks(frame, _new(found[index], seen, index), tracks, (height, width)))
        shown = colors[frame.paint.long()] if frame.paint is not None else colors[frame.filled.long() * 0]
        if (frame.filled == 0).any():
            shown = torch.where((frame.filled == 0)[..., None], resize_picture(one(image, index), *frame.size), shown)
        tracked.add(frame)
        flats_of.add(shown)
    tell(f"{tracks} tracks in {count} frames; {len(palette)} swatches.")
    return tracked.whole(), strip_of(small, columns), flats_of.whole()


def _anchor(anchor: torch.Tensor, index: int, count: int) -> torch.Tensor:
    """Return the flats [1, h, w, 3] of the anchor's frame, or say why there are none."""
    if not 0 <= index < count:
        raise ColorizeError(
            f"`anchor_frame` is {index} and the shot has {count} frames; expected 0 … {count - 1}, counted from 0 "
            "within the batch. Give the place of the frame that `anchor` shows."
        )
    if len(anchor) not in (1, count):
        raise ColorizeError(
            f"`anchor` holds {len(anchor)} pictures and the shot has {count} frames; expected the flats of one frame, "
            "or of each, of which that of `anchor_frame` is taken. Wire a single picture."
        )
    return one(anchor, index)


def _palette(regions: Regions, image: torch.Tensor, count: int) -> Palette:
    """Take the shot's own colours."""
    medians: list[Medians] = []
    for index in each_frame(count):
        medians.append(region_medians(one(image, index), one(regions, index), "flat"))
        stop_when_cancelled()
    return own_palette(medians)


def _new(frame: FrameTracks, seen: np.ndarray, index: int) -> np.ndarray:
    """Tell which regions are of tracks that come for the first time [R], nothing in the first frame; keep book."""
    there = frame.track >= 0
    new = there & ~seen[frame.track] if len(seen) else there
    seen[frame.track[there]] = True
    return new & (index > 0)
