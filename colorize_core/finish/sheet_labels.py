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
#: Share of its border that the two most frequent neighbours of a line have at most.
MOST_OF_TWO = 0.55
#: The same share among all colours, paper aside, that it has at least.
LEAST_BORDER = 0.15
#: CIELAB lightness and chroma below which a colour may be that of lines as well.
INK_LIGHTNESS, INK_CHROMA = 25.0, 20.0
#: ΔE up to which something thin and dark is the same ink as the longest lines.
LIKE_INK = 15.0


@dataclass(frozen=True)
class Seen:
    """What the pixels of each of S colours are like, over all pictures.

    Attributes:
        areas: [S] pixels. thick: [S] pixels in whose surroundings, `THIN` wide, there is nothing else.
        exact: [S] pixels that have the colour's very value. even: [S] pixels that are `SheetPixels.calm`.
        touching: [S + 1, S + 1] pairs of pixels near one another of two colours; the last one is paper and what is not
            wanted.
    """

    areas: np.ndarray
    thick: np.ndarray
    exact: np.ndarray
    even: np.ndarray
    touching: np.ndarray


def looked_at(sheets: list[SheetPixels], centers: np.ndarray) -> Seen:
    """Give every pixel to the nearest of the colours [S, 3] uint8, of which there is at least one."""
    count = len(centers)
    areas, thick, exact, even = (np.zeros(count + 1) for _ in range(4))
    touching = np.zeros((count + 1, count + 1))
    known = lab_of(centers)
    for sheet in sheets:
        sheet.on_strip()
        nearest, distance = vq(sheet.lab, known)
        labels = np.where(sheet.kept, nearest[sheet.place], count).astype(np.int16)
        areas += np.bincount(labels.ravel(), minlength=count + 1)
        even += np.bincount(labels[sheet.calm], minlength=count + 1)
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


def of_lines_and_edges(seen: Seen, centers: np.ndarray, painted: bool) -> np.ndarray:
    """Return which colours are those of thin dark lines, or of the pixels along an edge: [S] bool.

    What is thin but is a shadow by `may_shade`, such as the shaded rim of an arm, stays.
    """
    lab = lab_of(centers)
    colors = np.concatenate([lab, [PAPER]])
    thick, even = (counts / np.maximum(seen.areas, 1) for counts in (seen.thick, seen.even))
    return _lines(seen, colors, thick, painted) | _edges(seen, colors, thick, even, painted)


def _lines(seen: Seen, colors: np.ndarray, thick: np.ndarray, painted: bool) -> np.ndarray:
    """Return the colours of lines: thin, dark, alike, and between many others.

    Of several it is the ink that covers most; but painted lines come in many mixtures.

    Args:
        colors: [S + 1, 3] CIELAB, the last one paper. thick: [S], share of its pixels that are.
    """
    count = len(colors) - 1
    possible = (thick < THIN_SHARE) & (colors[:-1, 0] < DARK)
    may, most = may_shade(seen, colors[:-1]), 0.0
    single = shadow_shares(seen, colors[:-1]).max(axis=1, initial=0) > LINE_SHADE
    ink, soft = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for index in np.nonzero(possible)[0]:
        alike = possible & (np.linalg.norm(colors[:-1] - colors[index], axis=1) < LIKE_INK)
        area = seen.areas[alike].sum()
        beside = seen.touching[:-1][alike].sum(axis=0)
        beside[:-1][alike] = 0
        beside /= max(beside.sum(), 1)
        places = (beside >= 0.06).sum()
        darker = np.average(colors[:-1, 0][alike], weights=seen.areas[alike] + 1) < beside @ colors[:, 0] - 8
        spread = np.sort(beside)[-2:].sum() < MOST_OF_TWO
        many, web = (places >= 3 and spread) or beside[-1] >= 0.2, places >= 4 and spread
        own = not painted and np.average(single[alike], weights=seen.areas[alike] + 1) > 0.5
        shaded = own or beside[:-1][may[index] & ~alike].max(initial=0) > LINE_SHADE
        if shaded or not ((darker and many) or web):
            continue
        if painted:
            soft |= alike
        elif area > most:
            ink, most = alike, area
    return ink | soft


def _edges(seen: Seen, colors: np.ndarray, thick: np.ndarray, even: np.ndarray, painted: bool) -> np.ndarray:
    """Return the colours of edges: hardly anywhere even, a rim of a larger part, or a mixture of neighbours."""
    beside = seen.touching[:-1] / np.maximum(seen.touching[:-1].sum(axis=1, keepdims=True), 1)
    shaded = shadow_shares(seen, colors[:-1]).max(axis=1, initial=0) > LINE_SHADE
    edges = (thick < 0.1) & (even < 0.05)
    for index in np.nonzero((thick < THIN_SHARE) & (seen.exact < EXACT_SHARE * seen.areas))[0]:
        neighbours = [other for other in np.argsort(-beside[index], kind="stable")[:6] if beside[index, other] >= 0.08]
        for other in neighbours:
            larger = other < len(edges) and seen.areas[other] > 3 * seen.areas[index]
            near = np.linalg.norm(colors[index] - colors[other]) < (12 if even[index] < 0.2 else 7)
            edges[index] |= larger and near and beside[index, other] > 0.3
            if even[index] < 0.2 and (painted or not shaded[index]):
                edges[index] |= any(_between(colors[index], colors[other], colors[each]) for each in neighbours)
    return edges


def _between(color: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether a colour is about a mixture of two others, each [3]."""
    way = other - one
    part = float((color - one) @ way / max(way @ way, 1e-6))
    return 0.08 < part < 0.92 and bool(np.linalg.norm(color - one - part * way) < 8)


def may_shade(seen: Seen, lab: np.ndarray) -> np.ndarray:
    """Return which colour may be a shadow of which, darker, of about its hue and smaller: [shadow, base] bool."""
    chroma, hue = np.hypot(lab[:, 1], lab[:, 2]), np.degrees(np.arctan2(lab[:, 2], lab[:, 1]))
    turn = np.abs((hue[None] - hue[:, None] + 180) % 360 - 180)
    darker = lab[None, :, 0] - lab[:, None, 0]
    lesser, greater = np.minimum(chroma[:, None], chroma[None]), np.maximum(chroma[:, None], chroma[None])
    alike = np.where(lesser < 10, (greater < 30) & (darker < 35), turn <= 40)
    may: np.ndarray = alike & (darker >= 4) & (darker <= 45) & (seen.areas[:, None] < seen.areas[None])
    return may


def shadow_shares(seen: Seen, lab: np.ndarray) -> np.ndarray:
    """Return which share of its border each colour has in common with what it may be a shadow of: [shadow, base]."""
    shared = seen.touching[:-1, :-1]
    return np.where(may_shade(seen, lab), shared / np.maximum(shared.sum(axis=1, keepdims=True), 1), 0.0)


def shadows_of(seen: Seen, lab: np.ndarray, indices: np.ndarray) -> dict[int, int]:
    """Return which colours are the shadow of which: {shadow: base}.

    Args:
        lab: [S, 3]. indices: the colours that count; borders with others, such as lines, do not, nor do those with what
            is as black as ink, for lines may be of black hair's colour.
    """
    counted = Seen(
        seen.areas[indices], seen.thick[indices], seen.exact[indices], seen.even[indices],
        seen.touching[np.ix_([*indices, -1], [*indices, -1])],
    )  # fmt: skip
    black = (lab[indices, 0] < INK_LIGHTNESS) & (np.hypot(*lab[indices, 1:].T) < INK_CHROMA)
    counted.touching[:, :-1][:, black] = 0
    shares = shadow_shares(counted, lab[indices])
    shares[shadow_shares(seen, lab)[np.ix_(indices, indices)] < LEAST_BORDER] = 0
    found: dict[int, int] = {}
    for place in np.argsort(-shares, axis=None, kind="stable"):
        shadow, base = (int(indices[each]) for each in np.unravel_index(place, shares.shape))
        taken = {*found, *found.values()}
        if shares.flat[place] < SHADOW_BORDER:
            break
        if not {shadow, base} & taken:
            found[shadow] = base
    return found
