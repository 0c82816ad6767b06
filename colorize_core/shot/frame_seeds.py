"""The noise of a shot: each frame's own, whatever batch and machine it is made in.

A frame's noise depends on the seed, the rule and its number in the shot alone, and comes from the CPU's generator.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

#: Rule -> what it does with the frame's number.
SEED_RULES = ("same_noise", "seed_per_frame")
_SEEDS = 1 << 64


def frame_seeds(seed: int, rule: str, frames: Sequence[int]) -> list[int]:
    """Return each frame's seed.

    Args:
        seed: 0 … 2⁶⁴ - 1.
        rule: "same_noise": the seed itself for all; "seed_per_frame": seed + frame, so that KSampler with that seed
            starts a single frame from the same noise.
        frames: numbers in the shot.
    """
    return [(seed + frame * (rule == "seed_per_frame")) % _SEEDS for frame in frames]


def start_noise(seeds: Sequence[int], shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return the noise that sampling starts from, [len(seeds), *shape]; each frame's is KSampler's for its seed."""
    return torch.cat([torch.randn((1, *shape), generator=_generator(seed), dtype=dtype) for seed in seeds])


def step_seed(seed: int) -> int:
    """Derive the seed of the noise that some samplers add at each step, so that it is not the start noise again."""
    return int.from_bytes(hashlib.sha256(f"steps of {seed}".encode()).digest()[:7], "little")


class StepNoise:
    """Fresh noise at each step, as k-diffusion's samplers ask for it, every frame's from a generator of its own.

    Args:
        seeds: one a frame. like: [B, …], whose shape, dtype and device the noise has.
    """

    def __init__(self, seeds: Sequence[int], like: Tensor):
        self.generators = [_generator(step_seed(seed)) for seed in seeds]
        self.shape, self.dtype, self.device = (1, *like.shape[1:]), like.dtype, like.device

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Return noise [B, …] for a step."""
        noise = [torch.randn(self.shape, generator=g, dtype=self.dtype) for g in self.generators]
        return torch.cat(noise).to(self.device)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)
