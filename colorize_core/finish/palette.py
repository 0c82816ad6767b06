"""Palettes: named colours of a character, each with what it is for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .color import to_lab
from .color_code import code_of

ROLES = ("base", "shadow", "highlight", "line")


@dataclass(frozen=True)
class Swatch:
    """One colour of a palette.

    Attributes:
        name: for people; unique in its palette, and not empty.
        color: sRGB, each in 0 … 255.
        role: of `ROLES`.
        base: name of the swatch whose shadow or highlight this is; empty for none.
    """

    name: str
    color: tuple[int, int, int]
    role: str = "base"
    base: str = ""

    @property
    def hex(self) -> str:
        """`#rrggbb`, as pages and other programs write it."""
        return code_of(self.color)


@dataclass(frozen=True)
class Palette:
    """Swatches in the order in which people see them; there may be none."""

    swatches: tuple[Swatch, ...] = ()

    def __len__(self) -> int:
        return len(self.swatches)

    @property
    def colors(self) -> Tensor:
        """[S, 3] uint8."""
        return torch.tensor([swatch.color for swatch in self.swatches], dtype=torch.uint8).reshape(-1, 3)

    @property
    def lab(self) -> Tensor:
        """[S, 3] float32, CIELAB."""
        return to_lab(self.colors.float() / 255)

    def shadow_of(self, index: int) -> int:
        """Return the index of a swatch's own shadow, or its own where it has none."""
        name = self.swatches[index].name
        shadows = (i for i, swatch in enumerate(self.swatches) if swatch.role == "shadow" and swatch.base == name)
        return next(shadows, index)
