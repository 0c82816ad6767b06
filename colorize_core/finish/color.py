"""Colour spaces and colour differences.

sRGB is [..., 3] in [0, 1] as pictures have it; CIELAB is [..., 3] with L in [0, 100], for the white point D65.
"""

import torch
from torch import Tensor

#: Linear sRGB to XYZ. Source: IEC 61966-2-1.
TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
#: XYZ of white under D65.
WHITE = (0.95047, 1.0, 1.08883)


def to_linear(rgb: Tensor) -> Tensor:
    """Return the light of sRGB values, both in [0, 1]. Source: IEC 61966-2-1."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_display(linear: Tensor) -> Tensor:
    """Return the sRGB values in [0, 1] of light, which is cut at those limits. Source: IEC 61966-2-1."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIELAB. Source: IEC 61966-2-1; CIE 15."""
    linear = to_linear(rgb)
    xyz = linear @ linear.new_tensor(TO_XYZ).T / linear.new_tensor(WHITE)
    f = torch.where(xyz > (6 / 29) ** 3, xyz ** (1 / 3), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)


def to_rgb(lab: Tensor) -> Tensor:
    """Convert CIELAB to sRGB; colours that sRGB has not are cut at its limits. Source: as `to_lab`, inverted."""
    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=-1)
    xyz = torch.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * lab.new_tensor(WHITE)
    return to_display(xyz @ torch.linalg.inv(torch.tensor(TO_XYZ, dtype=torch.float64)).to(lab).T)


def difference_76(lab: Tensor, other: Tensor) -> Tensor:
    """Return ΔE of 1976, the distance in CIELAB: [..., 3] and [..., 3] to [...]. Source: CIE 15."""
    return torch.linalg.vector_norm(lab - other, dim=-1)


def difference_2000(lab: Tensor, other: Tensor) -> Tensor:
    """Return ΔE of 2000, which follows the eye better, also for greys and blues: [..., 3] and [..., 3] to [...].

    Source: CIE 142; Sharma, Wu, Dalal, "The CIEDE2000 Color-Difference Formula", Color Research & Application 30, 2005.
    """
    (l1, a1, b1), (l2, a2, b2) = lab.unbind(-1), other.unbind(-1)
    mean_chroma = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2
    g = 1.5 - 0.5 * torch.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7))
    a1, a2 = a1 * g, a2 * g
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.rad2deg(torch.atan2(b1, a1)) % 360, torch.rad2deg(torch.atan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = (h2 - h1 + 180) % 360 - 180
    turn = torch.where((h2 - h1).abs() <= 180, h2 - h1, turn)
    turn = torch.where(grey, torch.zeros_like(turn), turn)
    hue = torch.where((h1 - h2).abs() <= 180, (h1 + h2) / 2, (h1 + h2 + 360) / 2 % 360)
    hue = torch.where(grey, h1 + h2, hue)
    d_lightness, d_chroma = l2 - l1, c2 - c1
    d_hue = 2 * torch.sqrt(c1 * c2) * torch.sin(torch.deg2rad(turn) / 2)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2

    def cos(degrees: Tensor) -> Tensor:
        return torch.cos(torch.deg2rad(degrees))

    t = 1 - 0.17 * cos(hue - 30) + 0.24 * cos(2 * hue) + 0.32 * cos(3 * hue + 6) - 0.20 * cos(4 * hue - 63)
    s_lightness = 1 + 0.015 * (lightness - 50) ** 2 / torch.sqrt(20 + (lightness - 50) ** 2)
    s_chroma, s_hue = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    rotation = torch.sin(torch.deg2rad(60 * torch.exp(-(((hue - 275) / 25) ** 2))))
    rotation = -2 * torch.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * rotation
    terms = d_lightness / s_lightness, d_chroma / s_chroma, d_hue / s_hue
    square = terms[0] ** 2 + terms[1] ** 2 + terms[2] ** 2 + rotation * terms[1] * terms[2]
    return torch.sqrt(square.clamp(min=0))
