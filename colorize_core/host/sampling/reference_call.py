"""The call that denoises an injected reference with a mask of its own, once for all pictures that look at the same.

Without that mask the reference is denoised once for each picture, with the picture's mask: what a frame of a shot takes
from the anchor then differs from frame to frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...errors import ColorizeError
from .pieces import CALL
from .sampling_run import RUN, Crop, SamplingRun
from .unet_call import ROWS, Rows, UNetCall


@dataclass(frozen=True)
class ReferenceRows:
    """The rows of a reference's call.

    Attributes:
        rows: what each of them is.
        sources: for each of them, the row of the real call that it has conditioning, time and size from.
        readers: for each row of the real call, the one of these that it looks at.
    """

    rows: Rows
    sources: list[int]
    readers: list[int]


def reference_rows(rows: Rows, batches: Sequence[tuple[int, str]], size: tuple[int, int]) -> ReferenceRows:
    """Return a row for each conditioning and each combination of pictures that a reference is denoised with.

    Args:
        rows: of the real call.
        batches: (count, what they are) of all that is one for each picture, the references among them.
        size: (h, w) of the references' latents.
    """
    pictures = [rows.of(*batch) for batch in batches]
    keys = [
        (
            rows.conditionings[row] if rows.conditionings[row] is not None else f"row {row}",
            *(of[row] for of in pictures),
        )
        for row in range(len(rows))
    ]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    sources = [keys.index(key) for key in places]
    own = Rows(
        tuple(rows.pictures[row] for row in sources),
        (Crop.whole(*size),) * len(sources),
        tuple(rows.conditionings[row] for row in sources),
        rows.certain,
    )
    return ReferenceRows(own, sources, [places[key] for key in keys])


def reference_options(
    options: Mapping[str, Any], reference: ReferenceRows, mask: Tensor, own_runs: dict[int, SamplingRun]
) -> dict[str, Any]:
    """Return transformer options in which Apply Colorization's patch sees the references' mask and rows.

    Args:
        mask: [1 or R, H, W], of the references' characters.
        own_runs: the constants of the references' calls, by the run that they belong to.
    """
    own: dict[str, Any] = {ROWS: reference.rows}
    run: SamplingRun | None = options.get(RUN)
    if run is not None:
        own[RUN] = reference_run(run, mask, own_runs)
    call: UNetCall | None = options.get(CALL)  # there is one where Apply Colorization was patched in first
    if call is not None:
        live = set(call.live)
        own[CALL] = replace(
            call,
            run=own.get(RUN) or reference_run(call.run, mask, own_runs),
            rows=reference.rows,
            live=[place for place, row in enumerate(reference.sources) if row in live],
            modulations=[],
        )
    return {**options, **own}


def reference_run(run: SamplingRun, mask: Tensor, own_runs: dict[int, SamplingRun]) -> SamplingRun:
    """Return a run's constants with the references' mask in place of the drawing's; made once for a run."""
    if len(run.masks) > 1:
        raise ColorizeError(
            f"`reference_mask` of Attention Injection is the mask of one character, but the carrier holds "
            f"{len(run.masks)}. Leave `reference_mask` unwired with several characters, or sample without Add "
            "Character Region."
        )
    if id(run) not in own_runs:
        own_runs[id(run)] = run.with_masks((mask,) if run.masks else ())
    return own_runs[id(run)]
