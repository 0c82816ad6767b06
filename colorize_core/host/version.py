"""Which ComfyUI this is, and whether the pack can run on it."""

import re

#: The oldest ComfyUI whose extension points the pack knows.
OLDEST = (0, 3, 60)


def numbers_of(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "0.3.75-rc1" -> (0, 3, 75)."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def too_old() -> str | None:
    """Return a sentence for the log where this ComfyUI is too old, else None."""
    try:
        from comfyui_version import __version__ as version
    except ImportError:
        version = "of unknown version"
    if numbers_of(version) >= OLDEST:
        return None
    oldest = ".".join(map(str, OLDEST))
    return f"ColorizeDiffusion needs ComfyUI {oldest} or newer, this is {version}: update ComfyUI. No nodes are added."
