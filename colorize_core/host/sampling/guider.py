"""Guidance by reference and by sketch, for ComfyUI's custom samplers.

Source: spec section 5, the last paragraph; arXiv 2504.06895, dual classifier-free guidance.
"""

import math

import comfy.samplers
from comfy.model_patcher import ModelPatcher

from ...errors import ColorizeError
from .conditionings import check_conditionings


class DualGuider(comfy.samplers.CFGGuider):
    """½[(u_r + g_r(c - u_r)) + (u_s + g_s(c - u_s))]; either half alone where the other's scale is 1.

    c is the conditional prediction, u_r the reference-free one, u_s the one with a blank sketch. Rows that the result
    does not depend on are not computed.
    """

    def set_scales(self, reference: float, sketch: float) -> None:
        """Set g_r and g_s."""
        self.set_cfg(reference)
        self.cfg_sketch = sketch

    def sample(self, *args, **kwargs):
        """Sample, and hold nothing of the run afterwards: ComfyUI keeps a GUIDER also when its run is broken off."""
        try:
            return super().sample(*args, **kwargs)
        finally:
            for name in ("conds", "inner_model", "loaded_models"):
                if hasattr(self, name):
                    delattr(self, name)

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        """Return the guided prediction for x [B, 4, h, w] at a sigma."""
        options = model_options or {}
        positive, negative, blank = (self.conds.get(name) for name in ("positive", "negative", "blank_sketch"))
        by_reference, by_sketch = not math.isclose(self.cfg, 1.0), not math.isclose(self.cfg_sketch, 1.0)
        guide = comfy.samplers.sampling_function
        if not by_sketch:
            return guide(self.inner_model, x, timestep, negative, positive, self.cfg, options, seed)
        if not by_reference:
            return guide(self.inner_model, x, timestep, blank, positive, self.cfg_sketch, options, seed)
        conditional, reference_free, sketch_free = comfy.samplers.calc_cond_batch(
            self.inner_model, [positive, negative, blank], x, timestep, options
        )
        halves = [
            comfy.samplers.cfg_function(
                self.inner_model, conditional, without, scale, x, timestep, options, positive, uncond
            )
            for without, scale, uncond in (
                (reference_free, self.cfg, negative),
                (sketch_free, self.cfg_sketch, blank),
            )
        ]
        return 0.5 * (halves[0] + halves[1])


def make_guider(
    model: ModelPatcher, positive: list, negative: list, blank_sketch: list | None, reference: float, sketch: float
) -> DualGuider:
    """Build a GUIDER.

    Args:
        positive, negative: conditional and reference-free conditioning, with the line map applied to both.
        blank_sketch: the conditional one with a black image applied; may be missing where `sketch` is 1.
        reference, sketch: guidance scales g_r and g_s; 1 switches a guidance off.

    Raises:
        ColorizeError: a conditioning is missing, or the model cannot attend to it.
    """
    conds = {"positive": positive, "negative": negative}
    if not math.isclose(sketch, 1.0):
        if blank_sketch is None:
            raise ColorizeError(
                f"`cfg_sketch` is {sketch}, but `blank_sketch` is not wired. Apply the sketch encoder to the positive "
                "conditioning once more, with a black image, and wire the result in; or set cfg_sketch to 1."
            )
        conds["blank_sketch"] = blank_sketch
    check_conditionings(model, conds)
    guider = DualGuider(model)
    guider.inner_set_conds(conds)
    guider.set_scales(reference, sketch)
    return guider
