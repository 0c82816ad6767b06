"""What the pixels of a coloured picture say of its colours: which lie in flat parts, which are paper, which an edge."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import label, maximum_filter, uniform_filter

from ..prepare.blur import OnStrip
from .color import to_lab

#: Difference of 8-bit levels over a 256th of the picture's side up to which a pixel lies in no edge.
EVEN = 6
#: Share of the change close by up to which a pixel is in the middle of something.
CALM = 0.4
#: Paper is at least this light and at most this colourful (CIELAB), and takes this share of the picture's border.
PAPER_LIGHTNESS, PAPER_CHROMA, PAPER_BORDER = 93.0, 8.0, 0.25
#: ΔE up to which a pixel is of the paper's colour.
PAPER_SPREAD = 4.0


def lab_of(levels: np.ndarray) -> np.ndarray:
    """Convert 8-bit sRGB [..., 3] to CIELAB [..., 3] float32."""
    lab: np.ndarray = to_lab(torch.from_numpy(levels.astype(np.float32) / 255)).numpy()
    return lab


def codes_of(levels: np.ndarray) -> np.ndarray:
    """Return one whole number for each 8-bit colour: [..., 3] uint8 to [...] int32."""
    wide = levels.astype(np.int32)
    codes: np.ndarray = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return codes


def levels_of(codes: np.ndarray) -> np.ndarray:
    """Return the 8-bit colours of `codes_of`: [...] to [..., 3] uint8."""
    return np.stack([codes >> 16 & 255, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)


@dataclass(frozen=True)
class SheetPixels:
    """One picture.

    Attributes:
        levels: [H, W, 3] uint8, sRGB. wanted: [H, W] bool, where colours are looked for, paper included.
        on_strip: see `OnStrip`; called before what takes long.
    """

    levels: np.ndarray
    wanted: np.ndarray
    on_strip: OnStrip = lambda: None

    @cached_property
    def _unique(self) -> tuple[np.ndarray, np.ndarray]:
        self.on_strip()
        calm = np.where((self.even & ~self.exact)[..., None], self._smooth, self.levels)
        codes, place = np.unique(codes_of(calm), return_inverse=True)
        return codes, place.reshape(self.levels.shape[:2]).astype(np.int32)

    @property
    def codes(self) -> np.ndarray:
        """[U] int32, the different colours, grain in even parts averaged; see `codes_of`."""
        return self._unique[0]

    @property
    def place(self) -> np.ndarray:
        """[H, W] int32, which of `codes` a pixel has."""
        return self._unique[1]

    @cached_property
    def lab(self) -> np.ndarray:
        """[U, 3] float32, CIELAB of `codes`."""
        return lab_of(levels_of(self.codes))

    @property
    def side(self) -> int:
        """The shorter side in pixels."""
        return min(self.levels.shape[:2])

    @cached_property
    def exact(self) -> np.ndarray:
        """[H, W] bool: all eight neighbours have the pixel's very colour."""
        codes = codes_of(self.levels)
        across = codes[:, 1:] == codes[:, :-1]
        row = np.zeros(codes.shape, dtype=bool)
        row[:, 1:-1] = across[:, 1:] & across[:, :-1]
        down = codes[1:] == codes[:-1]
        flat = np.zeros(codes.shape, dtype=bool)
        flat[1:-1] = row[1:-1] & row[:-2] & row[2:] & down[1:] & down[:-1]
        return flat

    @cached_property
    def _smooth(self) -> np.ndarray:
        blurred = Image.fromarray(self.levels).filter(ImageFilter.GaussianBlur(max(0.7, self.side / 512)))
        return np.asarray(blurred)

    @cached_property
    def change(self) -> np.ndarray:
        """[H, W] int16: how many levels the picture changes here over a 256th of its side, grain aside."""
        self.on_strip()
        reach = max(1, round(self.side / 512))
        smooth = self._smooth.astype(np.int16)
        change = np.zeros(smooth.shape[:2], dtype=np.int16)
        for axis in (0, 1):
            padded = np.pad(smooth, [(reach, reach) if axis == each else (0, 0) for each in range(3)], mode="edge")
            size = smooth.shape[axis]
            later, earlier = (np.take(padded, range(start, start + size), axis) for start in (2 * reach, 0))
            change = np.maximum(change, np.abs(later - earlier).max(axis=-1))
        return change

    @cached_property
    def even(self) -> np.ndarray:
        """[H, W] bool: the picture hardly changes here; also where `exact`."""
        return (self.change <= EVEN) | self.exact

    @cached_property
    def calm(self) -> np.ndarray:
        """[H, W] bool: `even`, or it changes much less than close by, as the middle of a narrow part does."""
        self.on_strip()
        around = maximum_filter(self.change, 2 * max(2, round(self.side / 100)) + 1)
        return self.even | ((self.change <= 3 * EVEN) & (self.change <= CALM * around))

    @cached_property
    def paper(self) -> np.ndarray:
        """[H, W] bool: near white like the border, and joined to it outside of what was asked for."""
        self.on_strip()
        height, width = self.levels.shape[:2]
        edges = np.zeros((height, width), dtype=bool)
        edges[0] = edges[-1] = edges[:, 0] = edges[:, -1] = True
        around = np.bincount(self.place[edges], minlength=len(self.codes))
        pale = (self.lab[:, 0] >= PAPER_LIGHTNESS) & (np.hypot(self.lab[:, 1], self.lab[:, 2]) <= PAPER_CHROMA)
        if around[pale].sum() < PAPER_BORDER * around.sum():
            return np.zeros((height, width), dtype=bool)
        color = self.lab[np.argmax(np.where(pale, around, -1))]
        like = (np.linalg.norm(self.lab - color, axis=1) <= PAPER_SPREAD)[self.place]
        parts, count = label(like)
        touching = np.zeros(count + 1, dtype=bool)
        touching[np.unique(parts[edges])] = True
        touching[0] = False
        areas, inside = np.bincount(parts.ravel()), np.bincount(parts[self.wanted], minlength=count + 1)
        if not self.wanted.all():  # a white shirt that a mask holds may reach the border
            touching &= 2 * inside < areas
        paper: np.ndarray = touching[parts]
        return paper

    @cached_property
    def kept(self) -> np.ndarray:
        """[H, W] bool: wanted, and no paper."""
        return self.wanted & ~self.paper

    @cached_property
    def unrest(self) -> float:
        """How far colours wander within a part, in ΔE: 0 for flat colours, several for paint, grain or soft shading."""
        step = max(1, self.side // 128)
        lab, window = lab_of(self._smooth[::step, ::step]), 8
        whole = uniform_filter((self.even & self.kept)[::step, ::step].astype(np.float32), window, mode="constant")
        mean = uniform_filter(lab, (window, window, 1))
        spread = np.maximum(uniform_filter(lab**2, (window, window, 1)) - mean**2, 0).sum(axis=-1)
        inner = spread[whole > 0.999]
        return float(np.sqrt(np.median(inner))) if len(inner) else 0.0
