"""What can be measured with what was given; all else is skipped by name, with what to give."""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass

from .clip import ClipScore, load_tower
from .paired import Lpips
from .report import Report
from .sets import Inception
from .weights import check_file, digest

INSTALL = "is not installed: pip install torchmetrics torch-fidelity (requirements-dev.txt has the versions)."
LPIPS_WEIGHTS = "give --lpips FILE, torchvision's AlexNet (alexnet-owt-7be5be79.pth), VGG16 or SqueezeNet 1.1."
INCEPTION_WEIGHTS = "give --inception FILE, torch-fidelity's weights-inception-2015-12-05-6726825d.pth."
CLIP_WEIGHTS = "give --clip-vision FILE, any that Load CLIP Vision loads."
NO_TRUTH = "give --truth DIR with the right pictures."
NO_REFERENCES = "give --references DIR with what each result was coloured by."
NO_MASKS = "give --masks DIR, white on the character."
NO_LABELS = "give --labels DIR, pictures in which each colour is a region."
SHUFFLED = "references are shuffled, so that the truth is not what the results should look like."


@dataclass(frozen=True)
class Networks:
    """What is measured beside colours; None where it is skipped."""

    structure: bool
    lpips: Lpips | None
    inception: Inception | None
    clip: ClipScore | None


def has(package: str) -> bool:
    """Return whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def skipped(options: argparse.Namespace) -> dict[str, str]:
    """Return what cannot be measured: name of the measure -> why, and what to give."""
    skip: dict[str, str] = {}
    if options.truth is None or options.shuffled is not None:
        why = NO_TRUTH if options.truth is None else SHUFFLED
        skip |= dict.fromkeys(("PSNR", "MS-SSIM", "LPIPS", "ΔE2000"), why)
    else:
        if not has("torchmetrics"):
            skip |= dict.fromkeys(("MS-SSIM", "LPIPS"), f"torchmetrics {INSTALL}")
        elif not options.lpips:
            skip["LPIPS"] = LPIPS_WEIGHTS
        if not options.masks:
            skip["ΔE2000 of character and background"] = NO_MASKS
        if not options.labels:
            skip["ΔE2000 of regions"] = NO_LABELS
    missing = [name for name in ("torchmetrics", "torch_fidelity") if not has(name)]
    if options.truth is None:
        skip |= dict.fromkeys(("FID", "KID"), NO_TRUTH)
    elif missing:
        skip |= dict.fromkeys(("FID", "KID"), f"{missing[0].replace('_', '-')} {INSTALL}")
    elif not options.inception:
        skip |= dict.fromkeys(("FID", "KID"), INCEPTION_WEIGHTS)
    if not options.references:
        skip["CLIP image score"] = NO_REFERENCES
    elif not options.clip_vision:
        skip["CLIP image score"] = CLIP_WEIGHTS
    return skip


def load_networks(options: argparse.Namespace, report: Report) -> Networks:
    """Load what there are weights for; the report is told of the files, and of what is skipped."""
    skip = skipped(options)
    report.skipped |= skip
    for option, file in {
        "--lpips": options.lpips,
        "--inception": options.inception,
        "--clip-vision": options.clip_vision,
    }.items():
        if file:
            check_file(file, option)
            report.settings[option] = f"{file.name}, SHA-256 {digest(file)} …"
    return Networks(
        structure="MS-SSIM" not in skip,
        lpips=None if "LPIPS" in skip else Lpips(options.lpips, options.device),
        inception=None if "FID" in skip else Inception(options.inception, options.device),
        clip=None if "CLIP image score" in skip else ClipScore(load_tower(options.clip_vision, options.device)),
    )
