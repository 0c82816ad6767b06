"""The one error this pack raises on purpose.

A message has three parts, in this order: what came, what was expected, and which node or file mends it.
"""

import torch


class ColorizeError(ValueError):
    """Input that cannot be coloured, told in a sentence that a user of the graph can act on."""


def told(value: object, length: int = 60) -> str:
    """Return a value as a message shows it: quoted where it is text, cut where it is long."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def check_finite(values: torch.Tensor, subject: str, advice: str) -> None:
    """Refuse numbers that are none.

    Args:
        subject: what holds or makes them, with its verb: "`vae` makes". advice: what to do about it.
    """
    if not torch.isfinite(values).all():
        raise ColorizeError(f"{subject} NaN or infinite values; expected numbers. {advice}")
