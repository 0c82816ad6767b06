"""The sketch encoder as a CONTROL_NET for ComfyUI's Apply ControlNet nodes.

Source: spec section 3.
"""

import itertools
from collections.abc import Callable, Sequence

import comfy.controlnet
import comfy.model_patcher
import comfy.patcher_extension
import comfy.utils
import torch
from torch import Tensor

from ...errors import ColorizeError
from ...sampling.batches import check_pictures_fit
from ...sampling.hints import checked_line_map, deepest_first, to_lines
from .row_indices import RowIndices
from .sampling_run import PIXELS_PER_LATENT, RUN, Crop, SamplingRun
from .unet_call import Rows, rows_of

#: Encoded parts of the line map that are kept in a run; tiles that lie elsewhere at every step would add up.
MOST_PARTS = 64

_MASK_STAYS = (
    "ColorizeDiffusion: another node cuts the line map into tiles and samples each on its own, so that the sketch mask "
    "cannot follow: it is squeezed into every tile. Sample without sketch_mask (a second Apply Colorization), or with "
    "a node that cuts its tiles out of the latent of one run (Tiled Diffusion), which mask and background follow."
)


class SketchControl(comfy.controlnet.ControlBase):
    """Adds the hints of a line map after the UNet's input blocks 0, 3, 6, 9 and 11.

    The line map is encoded once a sampling run, and again only for another size of the latent or another part of it.
    Packs that work in tiles put a tile's piece of the line map where ComfyUI's own ControlNets look for it; it is taken
    where the tile's place is not known.
    """

    def __init__(self, encoder: comfy.model_patcher.ModelPatcher):
        super().__init__()
        self.encoder = encoder
        self.upscale_algorithm = "bicubic"
        #: A factor for each hint, finest first; 1 for those that are not told.
        self.hint_strengths: tuple[float, ...] = ()
        #: What Apply ControlNet gave; another pack may put a part of it into `cond_hint_original`.
        self.whole_line_map: Tensor | None = None
        #: AnimateDiff-Evolved refuses a ControlNet in its context windows that lacks these, and sets them.
        self.sub_idxs: list[int] | None = None
        self.full_latent_length = self.context_length = 0
        self._run_line_map: Tensor | None = None
        self._hints: dict[tuple, tuple[Tensor, list[Tensor]]] = {}
        self._rows = RowIndices()

    def set_cond_hint(self, cond_hint, *args, **kwargs):
        """Take the line map from Apply ControlNet, and refuse it there if it is none."""
        self.whole_line_map = checked_line_map(cond_hint)
        return super().set_cond_hint(cond_hint, *args, **kwargs)

    def pre_run(self, model, *args, **kwargs):
        """Start a sampling run with nothing encoded."""
        self._hints, self._rows, self._run_line_map = {}, RowIndices(), self.cond_hint_original
        super().pre_run(model, *args, **kwargs)
        # ComfyUI cleans controls up only after a run that has come to its end, but models after every run.
        patcher = getattr(model, "current_patcher", None)
        if patcher is not None:
            at_end_of_run(patcher, f"colorize_sketch_{id(self)}", self.cleanup)

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        """Return the hints of the rows of `x_noisy`, merged with those of the ControlNets before this one."""
        previous = None
        if self.previous_controlnet is not None:
            previous = self.previous_controlnet.get_control(x_noisy, t, cond, batched_number, transformer_options)
        if not self.acts_now(t):
            return previous
        options = transformer_options or {}
        rows, run = rows_of(x_noisy, options), options.get(RUN)
        if run is not None and run.masks and self.is_cut(rows, run):
            run.say_once(_MASK_STAYS)
        piece = self.piece_for(x_noisy, rows)
        if piece is None:
            hints = self.hints_of_rows(rows, x_noisy.device, run)
        else:
            hints = self.hints_of_piece(piece, x_noisy, batched_number)
        # Merging scales the hints in place, so each step gets its own copies.
        hints = [hint.to(x_noisy.device, copy=True) for hint in hints]
        control = {"input": deepest_first(hints, self.hint_blocks), "middle": [], "output": []}
        return self.control_merge(control, previous, output_dtype=None)

    def acts_now(self, t: Tensor) -> bool:
        """Whether sigma t [B] lies in the range of the sampling; the device is asked only where there is one."""
        if self.timestep_range is None or tuple(self.timestep_percent_range) == (0.0, 1.0):
            return True
        return bool(self.timestep_range[1] <= t[0] <= self.timestep_range[0])

    def piece_for(self, x_noisy: Tensor, rows: Rows) -> Tensor | None:
        """Return the piece of the line map [B, C, 8h, 8w] that another pack has cut for x [B, c, h, w], if it has."""
        if any(crop.is_part for crop in rows.crops):
            return None  # The place is known, so the whole line map says what belongs there.
        height, width = (size * PIXELS_PER_LATENT for size in x_noisy.shape[-2:])
        if self._run_line_map is not None and self.cond_hint_original is not self._run_line_map:
            return self.pixels(self.cond_hint_original, height, width)
        kept = getattr(self, "cond_hints", {}).values()  # where newer versions of ComfyUI look
        fits = (hint for hint in (self.cond_hint, *kept) if hint is not None)
        return next((hint for hint in fits if tuple(hint.shape[-2:]) == (height, width)), None)

    def is_cut(self, rows: Rows, run: SamplingRun) -> bool:
        """Whether another pack samples a tile on its own, so that the run's latent is no whole picture."""
        if any(crop.is_part for crop in rows.crops):
            return False
        if self._run_line_map is not None and self._run_line_map is not self.whole_line_map:
            return True
        piece, size = self.cond_hint, [size * PIXELS_PER_LATENT for size in rows.crops[0].full]

        def differs() -> bool:
            whole = self.pixels(self.run_line_map[:1], *size)
            return list(piece.shape[-2:]) == size and not torch.allclose(piece[:1].cpu().float(), whole, atol=0.1)

        return piece is not None and run.once(("piece", id(piece)), differs)

    def hints_of_piece(self, piece: Tensor, x_noisy: Tensor, conditionings: int) -> list[Tensor]:
        """Return the hints of a piece that another pack has cut, repeated to the rows of a call where it has fewer."""
        hints, rows = self.encoded((id(piece), x_noisy.device), piece, lambda: piece), len(x_noisy)
        if len(piece) == rows:
            return hints
        return [comfy.controlnet.broadcast_image_to(hint, rows, conditionings) for hint in hints]

    def hints_of_rows(self, rows: Rows, device: torch.device, run: SamplingRun | None) -> list[Tensor]:
        """Return the hints [B, c, h, w] of all rows of a call; of one row where all are the same."""
        count = len(self.run_line_map)
        if run is not None and run.shape is not None:
            check_pictures_fit("line maps", [count], run.shape[0])
        pictures = rows.of(count, "line maps")
        encoded = {crop: self.hints_for(crop, device) for crop in dict.fromkeys(rows.crops)}
        if len(encoded) == 1:
            (hints,) = encoded.values()
            if count == 1:
                return hints
            index = self._rows.index(pictures, device)
            return [hint[index] for hint in hints]
        parts = [
            [hint[picture : picture + 1] for hint in encoded[crop]]
            for crop, picture in zip(rows.crops, pictures, strict=True)
        ]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    @property
    def run_line_map(self) -> Tensor:
        """The line map [B, C, H, W] with which the run has begun."""
        return self.cond_hint_original if self._run_line_map is None else self._run_line_map

    def hints_for(self, crop: Crop, device) -> list[Tensor]:
        """Encode the line map for a part of the picture, or return what this run has encoded already."""
        line_map = self.run_line_map
        height, width = (size * PIXELS_PER_LATENT for size in crop.full)
        return self.encoded(
            (crop, device), line_map, lambda: crop.of(self.pixels(line_map, height, width), PIXELS_PER_LATENT)
        )

    def pixels(self, line_map: Tensor, height: int, width: int) -> Tensor:
        """Bring a line map to a size, [B, C, height, width]."""
        return comfy.utils.common_upscale(line_map, width, height, self.upscale_algorithm, "center")

    def encoded(self, key: tuple, source: Tensor, cut: Callable[[], Tensor]) -> list[Tensor]:
        """Encode what `cut` gives, or return what this run has encoded under the key from the same source."""
        kept = self._hints.get(key)
        if kept is None or kept[0] is not source:
            encoder, device = self.encoder.model, key[-1]
            lines = to_lines(cut()).contiguous()
            hints = encoder(lines.to(device=device, dtype=encoder.compute_dtype))
            factors = itertools.chain(self.hint_strengths, itertools.repeat(1.0))
            kept = (source, [hint if f == 1.0 else f * hint for hint, f in zip(hints, factors, strict=False)])
            if len(self._hints) >= MOST_PARTS:
                self._hints.pop(next(iter(self._hints)))
            self._hints[key] = kept
        return kept[1]

    @property
    def hint_blocks(self) -> tuple[int, ...]:
        """The UNet's input blocks that the hints are for, ascending."""
        return self.encoder.model.hint_blocks

    def get_models(self):
        """Return the models that ComfyUI loads for a run."""
        return [*super().get_models(), self.encoder]

    def cleanup(self):
        """Forget the run's hints."""
        self._hints, self._rows, self._run_line_map = {}, RowIndices(), None
        super().cleanup()

    def copy(self) -> "SketchControl":
        """Return a control of the same encoder and settings, with nothing encoded yet."""
        copied = SketchControl(self.encoder)
        self.copy_to(copied)
        copied.whole_line_map = self.whole_line_map
        copied.hint_strengths = self.hint_strengths
        return copied


def at_end_of_run(patcher: comfy.model_patcher.ModelPatcher, key: str, act: Callable[[], None]) -> None:
    """Act once when a MODEL's sampling run ends, is cancelled or fails; the MODEL is left as it was."""
    kind = comfy.patcher_extension.CallbacksMP.ON_CLEANUP

    def at_end(patcher: comfy.model_patcher.ModelPatcher) -> None:
        patcher.remove_callbacks_with_key(kind, key)
        if not patcher.callbacks.get(kind, True):
            del patcher.callbacks[kind]
        act()

    patcher.remove_callbacks_with_key(kind, key)
    patcher.add_callback_with_key(kind, key, at_end)


def checked_sketch_control(control: object) -> SketchControl:
    """Return what came in a node's `control_net`, if it is the sketch encoder."""
    if not isinstance(control, SketchControl):
        raise ColorizeError(
            f"`control_net` is a {type(control).__name__}; expected the sketch encoder. Wire the CONTROL_NET of "
            "Load Colorize Checkpoint itself, not one of Load ControlNet Model."
        )
    return control


def with_hint_strengths(control: SketchControl, strengths: Sequence[float]) -> SketchControl:
    """Return a sketch encoder whose hints have a factor each, finest first; further factors do nothing."""
    copied = checked_sketch_control(control).copy()
    copied.hint_strengths = tuple(strengths)
    return copied
