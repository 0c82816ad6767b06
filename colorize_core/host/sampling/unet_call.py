"""One call of the UNet: whose rows are which, and at what size."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ColorizeError
from ...prepare.regions import RegionIndex
from ...sampling.latent_parts import Place
from .sampling_run import RUN, Crop, SamplingRun
from .unet_layout import AttentionPlace

#: Where a call's rows are found in its transformer options, once they have been told or found.
ROWS = "colorize_rows"

_UNPLACED = (
    "ColorizeDiffusion: another node calls the model with latents of %d×%d in a run of %d×%d, and they are no part of "
    "the run's latent, number by number: the sketch mask and the line map are taken for the whole of them. If they are "
    "tiles, mask and line map cannot follow: sample without sketch_mask, or with a node that cuts its tiles out of the "
    "latent (Tiled Diffusion)."
)


@dataclass(frozen=True)
class Rows:
    """What each row of a call is.

    Attributes:
        pictures: its picture of the run.
        crops: the part of the picture that it holds.
        conditionings: the place of its conditioning among the call's, None where it is not known.
        certain: whether the pictures are known.
    """

    pictures: tuple[int, ...]
    crops: tuple[Crop, ...]
    conditionings: tuple[int | None, ...]
    certain: bool = True

    def __len__(self) -> int:
        return len(self.pictures)

    def of(self, count: int, what: str) -> list[int]:
        """Return which of `count` pictures, repeated to those of the run, belongs to each row.

        Args:
            what: the pictures, for the message.
        """
        if count > 1 and not self.certain:
            raise ColorizeError(
                f"Another node calls the model with a part of the batch and does not say which, so that it is not "
                f"known which of the {count} {what} belongs to which picture. Give one for all of them, or sample "
                "without that node (Sample Sequence samples a long shot in chunks)."
            )
        return [picture % count for picture in self.pictures]


def rows_of(x: Tensor, transformer_options: dict) -> Rows:
    """Say what the rows of x [B, C, h, w] are: told by ComfyUI or by another pack, else found by their own noise.

    As a rule a call holds all pictures of the run for each conditioning in turn. Tiles come as whole batches, tile by
    tile; context windows as some of the pictures.
    """
    known = transformer_options.get(ROWS)
    if known is not None and len(known) == len(x):
        return known
    run: SamplingRun | None = transformer_options.get(RUN)
    names = transformer_options.get("uuids") or (None,)
    images, uneven = divmod(len(x), len(names))
    size = (x.shape[-2], x.shape[-1])
    crops = [Crop.whole(*size) if run is None else run.crop(name, size) for name in names]
    total, full = images, size
    if run is not None and run.shape is not None:
        total, full = run.shape[0], (run.shape[-2], run.shape[-1])
    frames = told_frames(transformer_options, images)
    if frames is None and images == total:
        frames = tuple(range(images))
    if frames is None or uneven or any(crop.full != full for crop in crops):
        found = None if run is None else found_rows(run.locate(x), total, full, size, frames, len(names))
        if found is not None:
            return found
        if run is not None and any(crop.full != full for crop in crops):
            run.say_once(_UNPLACED % (size[1], size[0], full[1], full[0]))
    rows = range(len(x))
    conditionings = [None if uneven else row // images for row in rows]
    return Rows(
        tuple(frames[row % images] if frames else row % total for row in rows),
        tuple(Crop.whole(*size) if place is None else crops[place] for place in conditionings),
        tuple(conditionings),
        certain=frames is not None,
    )


def told_frames(transformer_options: dict, images: int) -> tuple[int, ...] | None:
    """Return the pictures of a context window as ComfyUI or AnimateDiff-Evolved tell them, None where nobody does."""
    window = transformer_options.get("context_window")
    if window is not None and getattr(window, "dim", None) == 0:
        anchor: int | None = getattr(window, "causal_anchor_index", None)  # a picture before the window, run with it
        told = [*([] if anchor is None or anchor < 0 else [anchor]), *getattr(window, "index_list", ())]
    else:
        told = (transformer_options.get("ad_params") or {}).get("sub_idxs") or []
    return tuple(told) if len(told) == images else None


def found_rows(
    places: Sequence[Sequence[Place]],
    total: int,
    full: tuple[int, int],
    size: tuple[int, int],
    frames: tuple[int, ...] | None,
    conditionings: int,
) -> Rows | None:
    """Make rows of the places in which they were found; None where they may lie in more than one.

    Args:
        total: pictures of the run. full, size: (h, w) of the run's latent and of the rows.
        frames: the pictures of each conditioning, where they were told.
    """
    if any(len({place[1:] for place in found}) != 1 for found in places):
        return None
    # Pictures may look alike (they begin from the same noise, say). Tiles come as whole batches, in their order.
    order = frames or tuple(range(total))
    expected = [order[row % len(order)] for row in range(len(places))]
    ordered = (frames is not None or size != full) and len(places) % len(order) == 0
    ordered = ordered and all(
        picture in {place.picture for place in found} for picture, found in zip(expected, places, strict=True)
    )
    certain = ordered or all(len(found) == 1 for found in places)
    pictures = expected if ordered else [found[0].picture for found in places]
    keys = [(picture, *found[0][1:]) for picture, found in zip(pictures, places, strict=True)]
    counts, seen = Counter(keys), Counter[tuple]()
    numbers: list[int | None] = []
    for key in keys:
        numbers.append(seen[key] if certain and counts[key] == conditionings else None)
        seen[key] += 1
    crops = tuple(Crop(full, found[0].top, found[0].left, *size) for found in places)
    return Rows(tuple(pictures), crops, tuple(numbers), certain)


def own_references(context: Tensor, rows: Rows, transformer_options: Mapping[str, Any]) -> Tensor:
    """Give each row [B, S, D] the reference of its own picture.

    ComfyUI hands a part of a batch the references of the first pictures.
    """
    run: SamplingRun | None = transformer_options.get(RUN)
    names = transformer_options.get("uuids") or (None,)
    if run is None or run.shape is None or not run.references or len(rows) == run.shape[0] * len(names):
        return context
    context = context.clone()
    for name, tokens in run.references.items():
        repeats, rest = divmod(context.shape[1], tokens.shape[1])  # contexts of other lengths are beside it
        if not rest:
            pictures = rows.of(len(tokens), "references")
            for row, place in enumerate(rows.conditionings):
                if place is not None and names[place] == name:
                    context[row] = tokens[pictures[row]].repeat(repeats, 1)
    return context


@dataclass
class UNetCall:
    """What the patch functions of one call of the UNet share.

    Attributes:
        run: constants of the run.
        rows: what each row of the batch is.
        tokens: how many tokens the UNet's context holds.
        live: rows whose context is not all zeros; the attention of the others is zero.
        narrow: places at which nothing but ours looks at the attention's inputs, so that dead rows can be left out.
        modulations: (scale, shift) of each output block; empty without style.
        modules: the UNet's transformer blocks; empty where no piece needs them.
    """

    run: SamplingRun
    rows: Rows
    tokens: int
    live: list[int]
    narrow: frozenset[AttentionPlace]
    modulations: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    modules: Mapping[AttentionPlace, nn.Module] = field(default_factory=dict)

    def by_layout(self, rows: Sequence[int], *counted: tuple[int, str]) -> dict[tuple, list[int]]:
        """Group places in `rows` by crop and picture.

        Args:
            counted: (count, what they are) of batches of pictures, which are repeated to those of the run.
        """
        pictures = [self.rows.of(*batch) for batch in counted]
        groups: dict[tuple, list[int]] = {}
        for place, row in enumerate(rows):
            key = (self.rows.crops[row], *(batch[row] for batch in pictures))
            groups.setdefault(key, []).append(place)
        return groups

    def layout(self, crop: Crop, picture: int, size: tuple[int, int], device: torch.device) -> RegionIndex:
        """Return where the regions lie on a feature map of size (h, w)."""
        return self.run.regions(crop, size, device)[picture]

    def feature_size(self, tokens: int, shape: Sequence[int] | None) -> tuple[int, int]:
        """Return (h, w) of the feature map that an attention of `tokens` queries works on.

        Args:
            shape: [B, C, h, w] of the feature map, where ComfyUI tells it.
        """
        if shape and shape[-2] * shape[-1] == tokens:
            return shape[-2], shape[-1]
        height, width = self.rows.crops[0].height, self.rows.crops[0].width
        while height * width > tokens:
            height, width = (height + 1) // 2, (width + 1) // 2
        return height, width


def live_rows(live: Mapping[object, bool], transformer_options: Mapping[str, Any], rows: Rows) -> list[int]:
    """List the rows of a batch whose context is not all zeros; a conditioning that is not known counts as one of them.

    Args:
        live: from `live_conditionings`.
    """
    names = transformer_options.get("uuids") or (None,)
    return [row for row, place in enumerate(rows.conditionings) if place is None or live.get(names[place], True)]
