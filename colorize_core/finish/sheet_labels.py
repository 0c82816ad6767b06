"""Which pixels of a picture belong to which colour, and what their shapes say of it: a line, an edge, a shadow."""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import vq
from scipy.ndimage import maximum_filter, minimum_filter

from .sheet_pixels import SheetPixels, lab_of

#: What is nowhere wider than this part of the shorter side is thin.
THIN = 0.016
#: Share of its pixels up to which a colour counts as thin everywhere.
THIN_SHARE = 0.02
#: Share of its pixels with the very value from which a colour is no edge's.
EXACT_SHARE = 0.4
#: CIELAB of paper.
PAPER = (100.0, 0.0, 0.0)
#: CIELAB lightness up to which something thin is a line.
DARK = 52.0
#: Share of its border that a shadow has in common with its base: among all colours, and among those that are no line.
LINE_SHADE, SHADOW_BORDER = 0.3, 0.4
#: ΔE up to which something thin and dark is the same ink as the longest lines.
LIKE_INK = 15.0


@dataclass(frozen=True)
class Seen:
    """What the pixels of each of S colours are like, over all pictures.

    Attributes:
        areas: [S] pixels. thick: [S] pixels in whose surroundings, `THIN` wide, there is nothing else.
        exact: [S] pixels that have the colour's very value. even: [S] pixels where the picture hardly changes.
        touching: [S + 1, S + 1] pairs of pixels near one another of two colours; the last one is paper and what is not
            wanted.
    """

    areas: np.ndarray
    thick: np.ndarray
    exact: np.ndarray
    even: np.ndarray
    touching: np.ndarray


def looked_at(sheets: list[SheetPixels], centers: np.ndarray) -> Seen:
    """Give every pixel to the nearest of the colours [S, 3] uint8."""
    count = len(centers)
    areas, thick, exact, even = (np.zeros(count + 1) for _ in range(4))
    touching = np.zeros((count + 1, count + 1))
    known = lab_of(centers)
    for sheet in sheets:
        nearest, distance = vq(sheet.lab, known) if count else (np.zeros(len(sheet.codes), int), None)
        labels = np.where(sheet.kept, nearest[sheet.place], count).astype(np.int16)
        areas += np.bincount(labels.ravel(), minlength=count + 1)
        even += np.bincount(labels[sheet.even], minlength=count + 1)
        if count:
            exact += np.bincount(labels[(distance < 0.01)[sheet.place]], minlength=count + 1)
        size = 2 * max(1, round(THIN * sheet.side / 2)) + 1
        alone = minimum_filter(labels, size) == maximum_filter(labels, size)
        thick += np.bincount(labels[alone], minlength=count + 1)
        step = max(2, round(sheet.side / 256))
        for one, other in ((labels[step:], labels[:-step]), (labels[:, step:], labels[:, :-step])):
            differ = one != other
            pairs = one[differ].astype(np.int64) * (count + 1) + other[differ]
            touching += np.bincount(pairs, minlength=(count + 1) ** 2).reshape(count + 1, -1)
    return Seen(areas[:count], thick[:count], exact[:count], even[:count], touching + touching.T)


def of_lines_and_edges(seen: Seen, centers: np.ndarray) -> np.ndarray:
    """Return which colours are those of thin dark lines, or of the pixels along an edge: [S] bool.

    What is thin but is a shadow by `shadow_shares`, such as the shaded rim of an arm, stays.
    """
    lab = lab_of(centers)
    thick, even = (counts / np.maximum(seen.areas, 1) for counts in (seen.thick, seen.even))
    beside = seen.touching[:-1] / np.maximum(seen.touching[:-1].sum(axis=1, keepdims=True), 1)
    shaded = shadow_shares(seen, lab).max(axis=1, initial=0) > LINE_SHADE
    colors = np.concatenate([lab, [PAPER]])
    return _lines(seen, colors, thick, beside, shaded) | _edges(seen, colors, thick, even, beside, shaded)


def _lines(seen: Seen, colors: np.ndarray, thick: np.ndarray, beside: np.ndarray, shaded: np.ndarray) -> np.ndarray:
    """Return the colours of lines: thin, dark, and between many others; of several inks the one that has most of them.

    Args:
        colors: [S + 1, 3] CIELAB, the last one paper. beside: [S, S + 1], share of the border.
    """
    lightness = colors[:-1, 0]
    many = ((beside >= 0.06).sum(axis=1) >= 3) | (beside[:, -1] >= 0.2)
    web = ((beside >= 0.06).sum(axis=1) >= 4) & (beside.max(axis=1) < 0.35)
    darker = lightness < beside @ colors[:, 0] - 8
    lines = (thick < THIN_SHARE) & (lightness < DARK) & ~shaded & ((darker & many) | web)
    if lines.any():
        ink = int(np.argmax(np.where(lines, seen.areas, -1)))
        lines &= np.linalg.norm(colors[:-1] - colors[ink], axis=1) < LIKE_INK
    return lines


def _edges(
    seen: Seen, colors: np.ndarray, thick: np.ndarray, even: np.ndarray, beside: np.ndarray, shaded: np.ndarray
) -> np.ndarray:
    """Return the colours of edges: hardly anywhere even, a rim of a larger part's colour, or a mixture of neighbours."""
    edges = (thick < 0.1) & (even < 0.05)
    for index in np.nonzero((thick < THIN_SHARE) & (seen.exact < EXACT_SHARE * seen.areas))[0]:
        neighbours = [other for other in np.argsort(-beside[index], kind="stable")[:6] if beside[index, other] >= 0.08]
        for other in neighbours:
            larger = other < len(edges) and seen.areas[other] > 3 * seen.areas[index]
            near = np.linalg.norm(colors[index] - colors[other]) < (12 if even[index] < 0.2 else 7)
            edges[index] |= larger and near and beside[index, other] > 0.3
            if even[index] < 0.12 and not shaded[index]:
                edges[index] |= any(_between(colors[index], colors[other], colors[each]) for each in neighbours)
    return edges


def _between(color: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a colour is about a mixture of two others, each [3]."""
    way = other - one
    part = float((color - one) @ way / max(way @ way, 1e-6))
    return 0.08 < part < 0.92 and bool(np.linalg.norm(color - one - part * way) < 8)


def shadow_shares(seen: Seen, lab: np.ndarray) -> np.ndarray:
    """Return which share of its border each colour has in common with what it may be a shadow of: [shadow, base].

    A shadow is darker than its base, of about its hue, and smaller; 0 for what cannot be one.
    """
    chroma, hue = np.hypot(lab[:, 1], lab[:, 2]), np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    turn = np.abs((hue[None] - hue[:, None] + 180) % 360 - 180)
    darker = lab[None, :, 0] - lab[:, None, 0]
    lesser, greater = np.minimum(chroma[:, None], chroma[None]), np.maximum(chroma[:, None], chroma[None])
    alike = np.where(lesser < 10, (greater < 30) & (darker < 35), turn <= 40)
    may = alike & (darker >= 4) & (darker <= 45) & (seen.areas[:, None] < seen.areas[None])
    shared = seen.touching[:-1, :-1]
    return np.where(may, shared / np.maximum(shared.sum(axis=1, keepdims=True), 1), 0.0)


def shadows_of(seen: Seen, lab: np.ndarray, indices: np.ndarray) -> dict[int, int]:
    """Return which colours are the shadow of which: {shadow: base}.

    Args:
        lab: [S, 3]. indices: the colours that count; borders with others, such as lines, do not.
    """
    counted = Seen(
        seen.areas[indices], seen.thick[indices], seen.exact[indices], seen.even[indices],
        seen.touching[np.ix_([*indices, -1], [*indices, -1])],
    )  # fmt: skip
    shares = shadow_shares(counted, lab[indices])
    found: dict[int, int] = {}
    for place in np.argsort(-shares, axis=None, kind="stable"):
        shadow, base = (int(indices[each]) for each in np.unravel_index(place, shares.shape))
        taken = {*found, *found.values()}
        if shares.flat[place] < SHADOW_BORDER:
            break
        if not {shadow, base} & taken:
            found[shadow] = base
    return found
