"""The time steps of the published program's default sampler.

Source: spec-v1 section 5.
"""

from ..errors import ColorizeError

#: Steps of the noise schedule.
SCHEDULE = 1000


def published_time_steps(steps: int) -> list[int]:
    """Return the time steps, falling: t = 1 + k·⌊1000/(n + 1)⌋ for k = n … 1.

    Example:
        >>> published_time_steps(20)[:2], published_time_steps(20)[-1]
        ([941, 894], 48)
    """
    if not 1 <= steps < SCHEDULE:
        raise ColorizeError(f"`steps` is {steps}; expected 1 to {SCHEDULE - 1}.")
    stride = SCHEDULE // (steps + 1)
    return [1 + k * stride for k in range(steps, 0, -1)]
