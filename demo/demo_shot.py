"""A short shot for showing: one character before one background, coloured by the demonstration model and finished.

The nodes are those of workflows/shot.json and workflows/shot_to_cels.json, in a ComfyUI inside this process. The model
paints pictures of 128×128 pixels; the drawings, and so regions, flats and lines, are four times as large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moving_scenes import shot_poses
from pipeline import Features, Pipeline, to_image
from scenes import HELD_OUT, Scene

#: Seeds of the character and its colours, of how it moves, and of the scenery.
CHARACTER, MOTION, SCENERY = (HELD_OUT + 500_000 + number for number in (47, 28, 33))
SCENERY_KIND = "hills"
DRAWINGS = 12
#: Which frame's flats are put right, from 0: the last one, where all of the character shows.
ANCHOR = DRAWINGS - 1
#: Pixels: of the drawings, and of what the model sees and paints.
DRAWN, PAINTED = 512, 128
SEED = 0


@dataclass(frozen=True)
class Shot:
    """What a shot begins with, and one frame as it has to be; all in [0, 1].

    Attributes:
        drawings: [F, N, N, 3]. masks: [F, N, N]. sheet, background: [1, M, M, 3].
        scenery: [1, N, N, 3], the background at the drawings' size.
        corrected: [1, N, N, 3], frame `ANCHOR` in the right colours, as whoever corrects its flats leaves them.
    """

    drawings: Tensor
    masks: Tensor
    sheet: Tensor
    background: Tensor
    scenery: Tensor
    corrected: Tensor


@dataclass(frozen=True)
class FinishedShot:
    """What becomes of it, [F, N, N, 3] in [0, 1] but for `coloured` [F, M, M, 3].

    Attributes:
        coloured: by the model. picture: the same under the drawing's lines, at its size.
        flats: of Track Regions with the corrected frame, under the lines and over the scenery.
        strip: [1, h, w, 3], its tracks in colours.
    """

    coloured: Tensor
    picture: Tensor
    flats: Tensor
    strip: Tensor


def draw_shot() -> Shot:
    """Draw the shot; the sheet shows the character as its seed has it, on white."""
    scenes = [Scene(CHARACTER, SCENERY, SCENERY_KIND, DRAWN, pose=pose) for pose in shot_poses(MOTION, DRAWINGS)]
    sheet = Scene(CHARACTER, CHARACTER, size=PAINTED)
    inside = sheet.mask()[..., None] / 255
    on_white = sheet.paint(CHARACTER, CHARACTER) * inside + 255 * (1 - inside)
    return Shot(
        drawings=to_image([np.repeat(scene.drawing()[..., None], 3, axis=2) for scene in scenes]),
        masks=to_image([scene.mask() for scene in scenes]),
        sheet=to_image([on_white.round().astype(np.uint8)]),
        background=to_image([Scene(0, SCENERY, SCENERY_KIND, PAINTED).paint_background(SCENERY)]),
        scenery=to_image([scenes[0].paint_background(SCENERY)]),
        corrected=to_image([scenes[ANCHOR].paint(CHARACTER, SCENERY)]),
    )


def colour_shot(pipeline: Pipeline, shot: Shot) -> Tensor:
    """Colour all frames with one carrier, from the same noise: [F, M, M, 3] in [0, 1]."""
    size = {"width": PAINTED, "height": PAINTED}
    features = Features(split=True, injection=1.0)
    prepared = pipeline.prepared(shot.drawings, shot.sheet, shot.background, shot.masks, features, size)
    return pipeline.sampled("ColorizeSampleSequence", prepared, len(shot.drawings), size, SEED)


def finish_shot(run: Any, shot: Shot, coloured: Tensor) -> FinishedShot:
    """Make flats of coloured frames, follow them through the shot, and lay lines and scenery over and under.

    Args:
        run: calls a node by its id, as `Pipeline.run`.
    """
    picture, _ = run("ColorizeInkOver", image=coloured, drawing=shot.drawings)
    palette, _ = run("ColorizeExtractPalette", image=shot.sheet)
    regions, _, _ = run("ColorizeLineRegions", drawing=shot.drawings, within=shot.masks)
    _, regions, _ = run("ColorizeFlats", image=coloured, regions=regions, palette=palette)
    anchor = {"anchor": shot.corrected, "anchor_frame": ANCHOR}
    regions, strip, flats = run("ColorizeTrackRegions", regions=regions, image=coloured, palette=palette, **anchor)
    inked, _ = run("ColorizeInkOver", image=flats, drawing=shot.drawings, regions=regions)
    over = torch.lerp(shot.scenery.expand_as(inked), inked, shot.masks[..., None])
    return FinishedShot(coloured, picture, over, strip)
