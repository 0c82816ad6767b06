"""Inputs that several nodes have, with one range and one default each."""

import folder_paths
from comfy_api.latest import io


def model_file(folder: str) -> io.Combo.Input:
    """`model_name`, a file in one of the pack's own model folders."""
    tooltip = f"A file in models/{folder}, or in a folder of that name in extra_model_paths.yaml."
    return io.Combo.Input("model_name", options=folder_paths.get_filename_list(folder), tooltip=tooltip)


def size(name: str) -> io.Int.Input:
    """`width` or `height` of the output."""
    tooltip = f"{name.capitalize()} of the output in pixels; the same as of the latent."
    return io.Int.Input(name, default=768, min=8, max=8192, step=8, tooltip=tooltip)


def transparency(paper: str = "white paper") -> io.Mask.Input:
    """The transparent parts of a picture, which Load Image gives beside it."""
    tooltip = (
        f"For a picture cut out on transparency: Load Image's MASK, 1 = transparent. What it clears becomes {paper}; "
        "without it that is often black. Not for a mask painted in the mask editor."
    )
    return io.Mask.Input("transparency", optional=True, tooltip=tooltip)


def drawing_transparency() -> io.Mask.Input:
    """The transparent parts of line art, which Load Image gives beside it."""
    tooltip = (
        "For a drawing on transparency: Load Image's MASK, 1 = transparent. What it clears is paper; without it that "
        "is often black."
    )
    return io.Mask.Input("transparency", optional=True, tooltip=tooltip)


def strength(name: str, tooltip: str, optional: bool = False) -> io.Float.Input:
    """A factor that is 1 as published."""
    return io.Float.Input(name, default=1.0, min=0.0, max=4.0, step=0.05, tooltip=tooltip, optional=optional)


def fraction(name: str, default: float, tooltip: str, step: float = 0.01, optional: bool = False) -> io.Float.Input:
    """A number in [0, 1]."""
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=step, tooltip=tooltip, optional=optional)


def percent(name: str, default: float, tooltip: str, optional: bool = False) -> io.Float.Input:
    """A point of the sampling, as in Apply ControlNet."""
    return fraction(name, default, tooltip, step=0.001, optional=optional)


def guidance(name: str, default: float, tooltip: str, optional: bool = False) -> io.Float.Input:
    """The scale of one guidance; 1 switches it off."""
    tooltip = f"{tooltip}; 1 switches this off."
    return io.Float.Input(name, default=default, min=0.0, max=30.0, step=0.1, tooltip=tooltip, optional=optional)


def seed(tooltip: str, **options) -> io.Int.Input:
    """A seed with KSampler's range."""
    return io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, tooltip=tooltip, **options)


def color_list(name: str, tooltip: str) -> io.Input:
    """Colours picked on the node itself, where ComfyUI has a list of them; elsewhere a socket for such a list."""
    own = getattr(io, "Colors", None)
    if own is None:
        return io.Custom("COLORS").Input(name, optional=True, tooltip=tooltip)
    return own.Input(name, optional=True, socketless=False, tooltip=tooltip)
