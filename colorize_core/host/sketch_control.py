"""The sketch encoder as a CONTROL_NET for ComfyUI's Apply ControlNet nodes.

Source: spec section 3.
"""

from collections.abc import Callable

import comfy.controlnet
import comfy.model_patcher
import comfy.patcher_extension
import comfy.utils
import torch
from torch import Tensor

from ..sketch_encoder import SketchEncoder, checked_line_map, deepest_first, sketch_encoder_sizes, to_lines
from .loading import load_module
from .row_indices import RowIndices
from .sampling_run import RUN, Crop
from .unet_call import frames_of

#: Pixels a latent position, in each direction.
PIXELS_PER_LATENT = 8


class SketchControl(comfy.controlnet.ControlBase):
    """Adds the hints of a line map after the UNet's input blocks 0, 3, 6, 9 and 11.

    The line map is encoded once a sampling run, and again only for another size of the latent or another area of it.
    """

    def __init__(self, encoder: comfy.model_patcher.ModelPatcher):
        super().__init__()
        self.encoder = encoder
        self.upscale_algorithm = "bicubic"
        self._hints: dict[tuple, list[Tensor]] = {}
        self._rows = RowIndices()

    def set_cond_hint(self, cond_hint, *args, **kwargs):
        """Take the line map from Apply ControlNet, and refuse it there if it is none."""
        return super().set_cond_hint(checked_line_map(cond_hint), *args, **kwargs)

    def pre_run(self, model, *args, **kwargs):
        """Start a sampling run with nothing encoded."""
        self._hints, self._rows = {}, RowIndices()
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
        crops = self.crops(x_noisy, batched_number, transformer_options or {})
        # Merging scales the hints in place, so each step gets its own copies.
        frames = frames_of(transformer_options or {}, len(x_noisy) // batched_number)
        hints = [hint.to(x_noisy.device, copy=True) for hint in self.hints_of_rows(crops, frames, x_noisy)]
        control = {"input": deepest_first(hints), "middle": [], "output": []}
        return self.control_merge(control, previous, output_dtype=None)

    def acts_now(self, t: Tensor) -> bool:
        """Whether sigma t [B] lies in the range of the sampling; the device is asked only where there is one."""
        if self.timestep_range is None or tuple(self.timestep_percent_range) == (0.0, 1.0):
            return True
        return bool(self.timestep_range[1] <= t[0] <= self.timestep_range[0])

    def crops(self, x_noisy: Tensor, conditionings: int, transformer_options: dict) -> list[Crop]:
        """Say which part of the picture each conditioning of a call works on."""
        latent = (x_noisy.shape[-2], x_noisy.shape[-1])
        run, names = transformer_options.get(RUN), transformer_options.get("uuids", ())
        if run is None or len(names) != conditionings:
            return [Crop.whole(*latent)] * conditionings
        return [run.crop(name, latent) for name in names]

    def hints_of_rows(self, crops: list[Crop], frames: tuple[int, ...], x_noisy: Tensor) -> list[Tensor]:
        """Return the hints [B, c, h, w] of all rows of a call.

        Args:
            crops: one a conditioning. frames: the pictures of the run that each conditioning holds here.
        """

        def hints_of_pictures(crop: Crop) -> list[Tensor]:
            hints = self.hints_for(crop, x_noisy.device)
            count = len(hints[0])
            if count == 1:
                return hints
            rows = self._rows.index([frame % count for frame in frames], x_noisy.device)
            return [hint[rows] for hint in hints]

        if len(set(crops)) == 1:
            rows, count = x_noisy.shape[0], len(crops)
            return [comfy.controlnet.broadcast_image_to(hint, rows, count) for hint in hints_of_pictures(crops[0])]
        parts = [
            [comfy.controlnet.broadcast_image_to(hint, len(frames), 1) for hint in hints_of_pictures(crop)]
            for crop in crops
        ]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    def hints_for(self, crop: Crop, device) -> list[Tensor]:
        """Encode the line map for a part of the picture, or return what this run has encoded already."""
        key = (crop, device)
        if key not in self._hints:
            encoder = self.encoder.model
            height, width = crop.full
            pixels = comfy.utils.common_upscale(
                self.cond_hint_original,
                width * PIXELS_PER_LATENT,
                height * PIXELS_PER_LATENT,
                self.upscale_algorithm,
                "center",
            )
            lines = to_lines(crop.of(pixels, PIXELS_PER_LATENT)).contiguous()
            self._hints[key] = encoder(lines.to(device=device, dtype=encoder.compute_dtype))
        return self._hints[key]

    def get_models(self):
        """Return the models that ComfyUI loads for a run."""
        return [*super().get_models(), self.encoder]

    def cleanup(self):
        """Forget the run's hints."""
        self._hints, self._rows = {}, RowIndices()
        super().cleanup()

    def copy(self) -> "SketchControl":
        """Return a control of the same encoder and settings, with nothing encoded yet."""
        copied = SketchControl(self.encoder)
        self.copy_to(copied)
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


def load_sketch_control(state_dict: dict[str, Tensor], file_name: str) -> SketchControl:
    """Build the CONTROL_NET from the sketch encoder's weights (keys without prefix)."""

    def build(state_dict, operations, device, dtype):
        return SketchEncoder(**sketch_encoder_sizes(state_dict), operations=operations, device=device, dtype=dtype)

    return SketchControl(load_module(build, state_dict, "the sketch encoder", file_name))
