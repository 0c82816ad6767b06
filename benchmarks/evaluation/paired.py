"""Measures of a result against its truth: PSNR, MS-SSIM, LPIPS and ΔE2000, over all of it and by region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from host import core
from torch import Tensor

from .folders import Group
from .pictures import compared_size, read_labels, read_mask, read_picture
from .weights import read_weights

ColorizeError = core("errors").ColorizeError
measures = core("finish.measures")
resize_picture = core("prepare.pictures").resize_picture

#: Sides that a picture needs, by column: MS-SSIM halves it four times and then lays a window of 11 pixels on it; under
#: 64 pixels LPIPS's networks run out of pixels.
#: Source: Wang, Simoncelli, Bovik, "Multi-scale structural similarity for image quality assessment", 2003.
LEAST_SIDE = {"ms_ssim": 11 * 2**4, "lpips": 64}
#: Networks that LPIPS was calibrated for -> a tensor that none of the others has, and its shape.
BACKBONES = {
    "alex": ("features.0.weight", (64, 3, 11, 11)),
    "vgg": ("features.28.weight", (512, 512, 3, 3)),
    "squeeze": ("features.12.squeeze.weight", (64, 512, 1, 1)),
}


class Lpips(torch.nn.Module):
    """LPIPS with a network from a file; its calibration comes with torchmetrics.

    Args:
        file: AlexNet, VGG16 or SqueezeNet 1.1 as torchvision publishes them, trained on ImageNet.

    Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        super().__init__()
        from torchmetrics.functional.image.lpips import _NoTrainLpips

        weights = read_weights(file, "--lpips")
        kinds = [kind for kind, (key, shape) in BACKBONES.items() if key in weights and weights[key].shape == shape]
        if not kinds:
            raise ColorizeError(
                f"`--lpips` is {file}, which is none of {', '.join(BACKBONES)}; expected AlexNet (which papers quote "
                "most), VGG16 or SqueezeNet 1.1 as torchvision publishes them."
            )
        self.kind = kinds[0]
        # pnet_rand: without it the network would be downloaded.
        self.network = _NoTrainLpips(net=self.kind, pnet_rand=True)
        # In there layers lie in slices, each under its number in torchvision's `features`: slice1.0.weight, slices.1.3…
        slices = 2 if self.kind == "squeeze" else 1
        wanted = {key: f"features.{key.split('.', slices)[-1]}" for key in self.network.net.state_dict()}
        lacking = [name for key, name in wanted.items() if name not in weights]
        if lacking:
            raise ColorizeError(f"`--lpips` is {file}, which lacks {lacking[0]}; expected all of {self.kind}.")
        self.network.net.load_state_dict({key: weights[name] for key, name in wanted.items()})
        self.network.to(device)
        self.device = device

    @torch.inference_mode()
    def forward(self, result: Tensor, truth: Tensor) -> float:
        """Return the distance of two pictures [1, H, W, 3] in [0, 1]; NaN where they are too small for it."""
        if min(truth.shape[1:3]) < LEAST_SIDE["lpips"]:
            return float("nan")
        pair = [picture.movedim(-1, 1).to(self.device) for picture in (result, truth)]
        return float(self.network(*pair, normalize=True))


def ms_ssim(result: Tensor, truth: Tensor) -> float:
    """Return MS-SSIM of two pictures [1, H, W, 3] in [0, 1]; NaN where they are too small for it."""
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    if min(truth.shape[1:3]) < LEAST_SIDE["ms_ssim"]:
        return float("nan")
    pair = [picture.movedim(-1, 1) for picture in (result, truth)]
    return float(multiscale_structural_similarity_index_measure(*pair, data_range=1.0, normalize="relu"))


def measure_pair(group: Group, short_side: int | None, structure: bool, lpips: Lpips | None) -> dict[str, float]:
    """Measure one result against its truth.

    Args:
        short_side: of the size that both are brought to; None for the truth's own.
        structure: whether to work out MS-SSIM.

    Returns:
        measures by column: psnr (dB), ms_ssim, lpips, delta_e (ΔE2000, mean over pixels); with a mask
        delta_e_character and delta_e_background; with a label picture delta_e_regions, the mean over regions that each
        count the same, and delta_e_#rrggbb for each.
    """
    assert group.truth is not None
    height, width = compared_size(group.truth, short_side)
    truth, result = (resize_picture(read_picture(path), height, width) for path in (group.truth, group.result))
    measured = measures.measure(result, truth)
    values = {"psnr": measured.values["psnr"]}
    if structure:
        values["ms_ssim"] = ms_ssim(result, truth)
    if lpips is not None:
        values["lpips"] = lpips(result, truth)
    values["delta_e"] = measured.values["delta_e_mean"]
    if group.mask is not None:
        character = read_mask(group.mask, height, width)
        values["delta_e_character"] = inside(measured.delta_e, character)
        values["delta_e_background"] = inside(measured.delta_e, ~character)
    if group.labels is not None:
        regions = read_labels(group.labels, height, width)
        by_region = {f"delta_e_{color}": inside(measured.delta_e, region) for color, region in regions.items()}
        values["delta_e_regions"] = float(np.mean(list(by_region.values())))
        values |= by_region
    return values


def inside(delta_e: np.ndarray, region: np.ndarray) -> float:
    """Return the mean of a map [H, W] over a region [H, W] bool; NaN where the region is empty."""
    return float(delta_e[region].mean(dtype=np.float64)) if region.any() else float("nan")
