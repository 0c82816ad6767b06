"""FID and KID: how far the results, all together, are from the right pictures, all together.

Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017 (FID);
Bińkowski et al., "Demystifying MMD GANs", 2018 (KID).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from host import core
from torch import Tensor

from .pictures import read_picture
from .weights import read_weights

ColorizeError = core("errors").ColorizeError

#: Under so many pictures FID tells more of their number than of the results.
ENOUGH_FOR_FID = 2_000
#: KID is the mean over so many subsets of at most so many pictures, as its authors have it.
SUBSETS, SUBSET_SIZE = 100, 1_000
#: Rows that are added up at a time.
CHUNK = 1_000


class Inception:
    """The network of FID, from a file; features [2048] of one picture at a time, so that no batch size matters.

    Args:
        file: `weights-inception-2015-12-05-6726825d.pth` of torch-fidelity: TensorFlow's weights of 2015, by which
            published figures are made. Pictures are resized as TensorFlow did then.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        read_weights(file, "--inception")  # torch_fidelity would run what is in the file
        try:
            network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(file))
        except RuntimeError as error:
            raise ColorizeError(
                f"`--inception` is {file}, whose tensors are not those of the Inception network that FID is defined "
                "by; expected torch-fidelity's weights-inception-2015-12-05-6726825d.pth (torchvision's is another)."
            ) from error
        self.network, self.device = network.to(device), device

    @torch.inference_mode()
    def __call__(self, path: Path) -> Tensor:
        """Return the features [2048] float32 of a picture."""
        picture = (read_picture(path) * 255).round().to(torch.uint8).movedim(-1, 1)
        features: Tensor = self.network(picture.to(self.device))[0][0].cpu()
        return features


class Given(torch.nn.Module):
    """Takes features for pictures: what torchmetrics asks for a network, when features are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def features_of(paths: Iterable[Path], extract: Callable[[Path], Tensor]) -> Tensor:
    """Return the features [N, D] of pictures, one after the other."""
    features = torch.stack([extract(path) for path in paths])
    if not torch.isfinite(features).all():
        raise ColorizeError("`--inception` gives NaN or infinite features; expected numbers. Download the file anew.")
    return features


def fid(truth: Tensor, results: Tensor) -> float:
    """Return the Fréchet distance of two sets of features [N, D], each taken for a normal distribution."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=Given(truth.shape[1]))
    for features, real in ((truth, True), (results, False)):
        for rows in features.double().split(CHUNK):
            metric.update(rows, real=real)
    return max(0.0, float(metric.compute()))  # of equal sets rounding makes it less than nothing


def subset_size(truth: int, results: int) -> int:
    """Return the size of KID's subsets: as published, or half of the smaller set, so that subsets differ."""
    return max(2, min(SUBSET_SIZE, min(truth, results) // 2))


def kid(truth: Tensor, results: Tensor, seed: int = 0) -> tuple[float, float]:
    """Return mean and standard deviation of the squared kernel distance of two sets [N, D] over `SUBSETS` subsets."""
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Metric `Kernel Inception Distance` will save all")
        size = subset_size(len(truth), len(results))
        metric = KernelInceptionDistance(feature=Given(truth.shape[1]), subsets=SUBSETS, subset_size=size)
    metric.update(truth.double(), real=True)
    metric.update(results.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, spread = metric.compute()
    return float(mean), float(spread)


def warning(truth: int, results: int) -> list[str]:
    """Return the warning where a set is too small for FID to mean much."""
    fewest = min(truth, results)
    if fewest >= ENOUGH_FOR_FID:
        return []
    return [
        f"FID over {fewest} pictures means little: under {ENOUGH_FOR_FID:,} it grows as their number falls, and only "
        "figures over the same number may be compared. KID and the paired measures are to be preferred."
    ]
