"""What CONDITIONING inputs must hold before a sampler of ours works with them."""

from collections.abc import Mapping

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...errors import ColorizeError, check_finite
from .unet_layout import context_channels


def check_conditionings(model: ModelPatcher, conditionings: Mapping[str, list]) -> None:
    """Refuse conditionings that the model cannot attend to, or that would make its result NaN.

    Args:
        conditionings: by the name of the input that they came in.
    """
    channels = context_channels(model)
    for name, conditioning in conditionings.items():
        if not conditioning:
            raise ColorizeError(
                f"`{name}` is an empty conditioning; expected at least one entry. Wire it from Apply Colorization."
            )
        for context, _ in conditioning:
            check_context(name, context, channels)


def check_context(name: str, context: Tensor, channels: int | None) -> None:
    """Refuse a context that is not [B, N, channels] of finite numbers; None stands for any number of channels."""
    fits = context.ndim == 3 and 0 not in context.shape and channels in (None, context.shape[-1])
    if not fits:
        raise ColorizeError(
            f"`{name}` has tokens of shape {list(context.shape)}; expected [batch, tokens, {channels or 'channels'}], "
            "which `model` attends to. Wire model and conditionings from one and the same Apply Colorization."
        )
    advice = "The node before this one made them: look at its own inputs, and at the precision of the encoder."
    check_finite(context, f"`{name}` holds", advice)
