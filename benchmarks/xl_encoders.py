"""What happens once before the steps in XL, beside what it takes in version 2."""

from collections.abc import Callable, Sequence
from typing import Any

import comfy.clip_model
import comfy.ops
import torch
from clock import seconds
from comfy.ldm.models.autoencoder import AutoencoderKL
from encoders import TOWER_SIDE, encoders_without_memory
from host import core
from layouts import parts_without_memory, weights_without_memory
from memory import MB, peak_growth
from network import CPU, META, fill_weights
from operations import teraflops
from tables import Table
from torch import Tensor, nn
from watches import LiveBytes

#: A network, and the shapes of what it takes for a picture of a side in pixels.
Part = tuple[nn.Module, Callable[[int], list[tuple[int, ...]]]]
#: Parts in the order of a graph: which nodes run them, the part of version 2 in the same place, whether it is run here.
PARTS = {
    "image tower, ViT-bigG": ("every encode node, for each picture", "image tower", False),
    "tagger": ("every encode node, for each picture", None, True),
    "token projection": ("every encode node, for each picture", None, True),
    "VAE encoder": ("Encode Background", "VAE encoder", False),
    "background encoder": ("Encode Background, v2-style", "background encoder", False),
    "sketch encoder": ("Apply ControlNet, at a run's first step", "sketch encoder", True),
}
#: Side of the picture that the tagger takes.
TAGGER_SIDE = 448


class ImageTower(nn.Module):
    """ComfyUI's image tower with what Encode Reference reads of it: every token, projected."""

    def __init__(self, config: dict, device: torch.device):
        super().__init__()
        operations = comfy.ops.manual_cast
        self.tower = comfy.clip_model.CLIPVisionModelProjection(config, torch.float32, device, operations)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels [B, 3, 224, 224]."""
        hidden = self.tower.vision_model(pixels)
        return self.tower.visual_projection(self.tower.vision_model.post_layernorm(hidden[0]))


class VAEEncoder(nn.Module):
    """The encoding half of ComfyUI's VAE."""

    def __init__(self, config: dict, device: torch.device):
        super().__init__()
        with device:
            self.vae = AutoencoderKL(**config)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pixels [B, 3, H, W]."""
        return self.vae.encode(pixels)


def build(part: str, device: torch.device) -> Part:
    """Build a part at the published size."""
    weights = parts_without_memory("xl-v2-full")
    options = {"operations": comfy.ops.manual_cast, "device": device, "dtype": torch.float32}
    if part == "image tower, ViT-bigG":
        config = core("carrier.tokens").image_tower_config(weights_without_memory("xl-clip-full"))
        return ImageTower(config, device), lambda side: [(1, 3, TOWER_SIDE, TOWER_SIDE)]
    if part == "tagger":
        tagger = core("family.xl_tagger")
        sizes = tagger.tagger_sizes(tagger.tagger_weights(weights_without_memory("xl-tagger-full")))
        return tagger.Tagger(**sizes, **options), lambda side: [(1, 3, TAGGER_SIDE, TAGGER_SIDE)]
    if part == "token projection":
        tokens = core("family.xl_reference_tokens")
        sizes = tokens.reference_projection_sizes(weights["projection"])
        shapes = [(1, 257, sizes["clip_channels"]), (1, 196, sizes["tagger_channels"])]
        return tokens.ReferenceProjection(**sizes, **options), lambda side: shapes
    if part == "VAE encoder":
        config = core("family.checkpoint").vae_config(weights["vae"])
        return VAEEncoder(config, device), lambda side: [(1, 3, side, side)]
    if part == "background encoder":
        unet, encoder = core("host.family.unet"), core("host.family.xl_background")
        config = unet.ColorizeSDXL(unet.unet_config(weights["unet"], "XL"), "v").unet_config
        module = encoder.build_background_encoder(config)(weights["background_encoder"], **options)
        return module, lambda side: [(1, encoder.IN_CHANNELS, side // 8, side // 8), (1, encoder.LABELS)]
    assert part == "sketch encoder", part
    return core("host.family.xl").build_sketch_encoder(weights[part.replace(" ", "_")], **options), (
        lambda side: [(1, 3, side, side)]
    )


def call(part: Part, side: int, device: torch.device) -> Callable[[], Any]:
    """Return what encodes one picture."""
    module, shapes = part
    inputs = [torch.zeros(shape, device=device) for shape in shapes(side)]
    return lambda: module(*inputs)


def xl_encoders(sizes: Sequence[int], step: float, side: int) -> Table:
    """Tell what is done once.

    Args:
        sizes: to count operations at; the last is compared with version 2 and with a step.
        step: TFLOP of the plain UNet's step at that size.
        side: of the picture for which seconds and memory are measured.
    """
    last = sizes[-1]
    table = Table(
        "xl encoders",
        "XL: what is done once",
        f"For one picture, at the published size. *Of a step*: against one step of the plain UNet with two rows at "
        f"{last}². *v2*: the part of version 2 in the same place. Seconds of processor time and seconds passed at "
        f"{side}², float32, of the parts that have fewer than 100 million weights; *memory*: the most that lives at a "
        "time beside the weights, tensors counted, and by how much the process grew.",
        {"part": "{}", "when": "{}", "weights, million": "{:.0f}"}
        | {f"TFLOP, {size}²": "{:.3f}" for size in sizes}
        | {"of a step": "{:.2f}", f"v2: TFLOP, {last}²": "{:.3f}"}
        | {"processor, s": "{:.2f}", "passed, s": "{:.2f}", "memory, MB": "{:.0f}", "process, MB": "{:.0f}"},
    )
    earlier = encoders_without_memory("full")
    with torch.inference_mode():
        for name, (when, in_v2, is_run) in PARTS.items():
            part = build(name, META)
            counts = [teraflops(call(part, size, META)) for size in sizes]
            before = teraflops(lambda in_v2=in_v2: earlier[in_v2](last)) if in_v2 else None
            weights = sum(weight.numel() for weight in part[0].parameters()) / 1e6
            measured = measure(build(name, CPU), side) if is_run else (None,) * 4
            table.add(name, when, weights, *counts, counts[-1] / step, before, *measured)
    return table


def measure(part: Part, side: int) -> tuple[float | None, ...]:
    """Run a part: seconds of processor time and passed, megabytes of its tensors and of the process."""
    fill_weights(part[0])
    work, counted, timed = call(part, side, CPU), list[int](), list[tuple[float, float]]()

    def watched() -> None:
        with LiveBytes(CPU) as live:
            timed.append(seconds(work))
        counted.append(live.peak)

    grown = peak_growth(watched)
    return (*timed[0], counted[0] / MB, None if grown is None else grown / MB)
