"""The output's size from a drawing's proportions, at as many pixels as a version was trained on.

Source: spec-xl section 9, *autofit*; for the earlier versions the sizes of their programs' sliders.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fit:
    """Which sizes a version likes.

    Attributes:
        pixels: about how many. step: of either side. shortest, longest: side.
    """

    pixels: int
    step: int
    shortest: int
    longest: int


#: By what the node calls them; `off` leaves the size as it is given.
FITS = {
    "off": None,
    "v1": Fit(512 * 512, 64, 256, 1536),
    "v2": Fit(768 * 768, 64, 512, 1536),
    "xl": Fit(1024 * 1024, 32, 768, 1536),
}


def fit_size(height: int, width: int, fit: Fit) -> tuple[int, int]:
    """Return (height, width) of the output for a drawing of this size.

    Example:
        >>> fit_size(3508, 2480, FITS["xl"])  # A4
        (1216, 864)
    """

    def side(length: float) -> int:
        return min(max(round(length / fit.step) * fit.step, fit.shortest), fit.longest)

    scale = (fit.pixels / (height * width)) ** 0.5
    return side(height * scale), side(width * scale)
