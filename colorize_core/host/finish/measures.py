"""The measures of a batch, with a map of each frame."""

import json

import torch

from ...errors import ColorizeError
from ...finish.heat_map import draw_heat_map
from ...finish.measures import altogether, measure, rounded
from ...finish.palette import Palette
from ...finish.region_measures import Measures
from ...finish.regions import Regions
from ...prepare.pictures import as_rgb
from ..loading import stop_when_cancelled
from ..notice import tell
from ..prepare.frames import each_frame
from .shot_inputs import frames_together, one


def measure_frames(
    image: torch.Tensor,
    truth: torch.Tensor | None = None,
    regions: Regions | None = None,
    palette: Palette | None = None,
    drawing: torch.Tensor | None = None,
) -> tuple[str, torch.Tensor, float]:
    """Measure pictures, one at a time; see `measure`.

    Args:
        image, truth, drawing: [B or 1, H, W, C] in [0, 1], each of a size of its own. regions: B or 1 frames.

    Returns:
        JSON of all frames together and of each; maps [B, H, W, 3]; the mean ΔE2000, 0 where nothing could be compared.
    """
    if all(wired is None for wired in (truth, regions, palette, drawing)):
        raise ColorizeError(
            "`image` came alone; expected something to measure it by: wire at least one of `truth`, `regions`, "
            "`palette` and `drawing`."
        )
    image = as_rgb(image)
    truth = None if truth is None else as_rgb(truth, name="truth")
    drawing = None if drawing is None else as_rgb(drawing, name="drawing")
    frames, maps = [], []
    for index in each_frame(frames_together(image=image, truth=truth, regions=regions, drawing=drawing)):
        right, lines = (None if batch is None else one(batch, index) for batch in (truth, drawing))
        own = None if regions is None else one(regions, index)
        measured = measure(one(image, index), right, own, palette, lines, stop_when_cancelled)
        frames.append(measured.values)
        maps.append(draw_heat_map(measured.delta_e, measured.ink))
    together = altogether(frames)
    tell(summary(together))
    text = json.dumps({"all": rounded(together), "frames": [rounded(frame) for frame in frames]}, indent=1)
    return text, torch.cat(maps), float(together["delta_e_mean"] or 0.0)


def summary(values: Measures) -> str:
    """Return a line on what matters, as it is shown on the node."""
    said = []
    if values["delta_e_mean"] is not None:
        said.append(f"ΔE2000 {values['delta_e_mean']:.2f} against the {values['against']}")
    for name, told in (("right_swatch", "right"), ("leak", "leaked"), ("fringe", "wrong beside lines")):
        if values[name] is not None:
            said.append(f"{100 * values[name]:.2f} % {told}")
    if values["ink_max"] is not None:
        said.append(f"lines differ by {255 * values['ink_mean']:.1f} of 255, {255 * values['ink_max']:.1f} at most")
    return ", ".join(said) + "." if said else "There was nothing to compare."
