"""Colours that are nearly one, put together."""

import numpy as np

#: Colours nearer than this, as ΔE of 1976, are one.
SAME_COLOR = 4.0


def near_colors(lab: np.ndarray, area: np.ndarray) -> list[list[int]]:
    """Put colours together that are nearly one, the largest first: each goes to the group whose mean is nearest.

    Args:
        lab: [n, 3], CIELAB. area: [n], what each weighs; those of none are left out.

    Returns:
        The groups, each with the indices of its colours, both in falling order of what the largest of them weighs.
    """
    groups: list[list[int]] = []
    means: list[np.ndarray] = []
    for index in np.argsort(-area, kind="stable").tolist():
        if not area[index]:
            break
        apart = np.linalg.norm(np.array(means).reshape(-1, 3) - lab[index], axis=1)
        nearest = int(apart.argmin()) if len(apart) and apart.min() < SAME_COLOR else len(groups)
        if nearest == len(groups):
            groups.append([index])
            means.append(lab[index])
        else:
            groups[nearest].append(index)
            means[nearest] = np.average(lab[groups[nearest]], axis=0, weights=area[groups[nearest]])
    return groups
