"""Plain names for colours."""

import torch

from .color import difference_2000, to_lab

#: What people call a colour, by one that everybody calls so.
NAMES = {
    "white": (252, 252, 252), "pale grey": (208, 208, 208), "grey": (140, 140, 140), "dark grey": (75, 75, 75),
    "black": (22, 22, 22), "red": (215, 30, 40), "dark red": (125, 15, 25), "pale red": (240, 130, 125),
    "orange": (245, 140, 30), "pale orange": (252, 200, 145), "brown": (125, 75, 35), "dark brown": (70, 42, 25),
    "pale brown": (190, 145, 100), "beige": (240, 222, 190), "yellow": (250, 225, 40), "pale yellow": (252, 243, 165),
    "dark yellow": (165, 145, 20), "green": (45, 165, 60), "dark green": (20, 85, 35), "pale green": (165, 225, 160),
    "yellow green": (150, 210, 45), "turquoise": (35, 180, 165), "dark turquoise": (15, 95, 90),
    "pale turquoise": (165, 228, 220), "sky blue": (75, 175, 235), "blue": (35, 75, 210), "dark blue": (20, 30, 105),
    "pale blue": (175, 205, 245), "purple": (130, 50, 170), "dark purple": (65, 25, 90), "pale purple": (200, 170, 230),
    "pink": (240, 105, 170), "pale pink": (250, 195, 215), "dark pink": (165, 30, 95),
}  # fmt: skip


def numbered_names(colors: torch.Tensor) -> list[str]:
    """Return a name of its own for each colour, [S, 3] in sRGB, 0 … 255: `red 1`, `red 2`, `blue 1`."""
    used: dict[str, int] = {}
    names = []
    for word in plain_names(colors):
        used[word] = used.get(word, 0) + 1
        names.append(f"{word} {used[word]}")
    return names


def plain_names(colors: torch.Tensor) -> list[str]:
    """Return the name of each colour, [S, 3] in sRGB, 0 … 255; several may have one name."""
    known = to_lab(torch.tensor(list(NAMES.values())) / 255)
    nearest = difference_2000(to_lab(colors.float() / 255)[:, None], known[None]).argmin(dim=1)
    words = list(NAMES)
    return [words[int(place)] for place in nearest]
