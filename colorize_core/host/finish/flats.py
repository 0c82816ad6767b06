"""Flats of the frames of a shot, all in one palette."""

import torch

from ...finish.flats import FlatChoice, make_flats
from ...finish.frame_stack import FrameStack, RegionStack
from ...finish.own_palette import Medians, own_palette, region_medians
from ...finish.palette import Palette
from ...finish.regions import Regions
from ...prepare.pictures import as_rgb
from ..loading import stop_when_cancelled
from ..notice import tell
from ..prepare.frames import each_frame
from .shot_inputs import check_palette, frames_together, one


def make_frames_flats(
    image: torch.Tensor,
    regions: Regions,
    choice: FlatChoice,
    palette: Palette | None = None,
    corrections: torch.Tensor | None = None,
) -> tuple[torch.Tensor, Regions, torch.Tensor]:
    """Make flats of coloured pictures, one frame at a time; see `make_flats`.

    Args:
        image: [B or 1, h, w, C] in [0, 1]. regions: B or 1 frames.
        palette: None for the regions' own colours, those of all frames together; or what they have been tracked in.
        corrections: [B or 1, h', w', C] in [0, 1].

    Returns:
        flats [B, H, W, 3]; regions with swatches; where regions are unsure [B, H, W], 0 or 1.
    """
    check_palette(palette)
    image = as_rgb(image).cpu()
    painted = None if corrections is None else as_rgb(corrections, name="corrections").cpu()
    count = frames_together(image=image, regions=regions, corrections=painted)
    if palette is None and regions.tracked:
        palette = regions.palette
    if palette is None:
        medians: list[Medians] = []
        for index in each_frame(count):
            medians.append(region_medians(one(image, index), one(regions, index), choice.shading))
            stop_when_cancelled()
        palette = own_palette(medians)
    shown, painted_in, unsure = FrameStack(count), RegionStack(count, regions), FrameStack(count)
    for index in each_frame(count):
        dots = None if painted is None else one(painted, index)
        frame = one(regions, index)
        flats = make_flats(one(image, index), frame, palette, choice, dots, stop_when_cancelled)
        shown.add(flats.image)
        painted_in.add(flats.regions)
        unsure.add(flats.unsure)
    done = painted_in.whole()
    found = sum(int((table.agreement[1:] < choice.unsure_below).sum()) for table in done.tables)
    tell(f"{sum(len(table) - 1 for table in done.tables)} regions, {found} of them unsure; {len(palette)} swatches.")
    return shown.whole(), done, unsure.whole()
