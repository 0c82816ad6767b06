"""What happens once before the steps: loading the checkpoint, and encoding the references and the line map."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import comfy.clip_model
import comfy.clip_vision
import comfy.ops
import torch
from clock import seconds
from comfy.ldm.models.autoencoder import AutoencoderKL
from host import core
from layouts import V2_TOKENS, layout_shapes, parts_without_memory, write_empty_checkpoint
from network import META, fill_weights
from operations import teraflops
from tables import Table

#: Side of the picture that the image tower takes.
TOWER_SIDE = 224
#: Channels of a reference token.
TOKEN_WIDTH = 1024
#: Parts in the order of a graph, and which nodes run them.
PARTS = {
    "image tower": "every encode node, for each picture",
    "VAE encoder": "Encode Background, Encode Style",
    "background encoder": "Encode Background",
    "style encoder": "Encode Style",
    "sketch encoder": "Apply ControlNet, at a run's first step",
}
#: Takes the side of the output in pixels, and encodes one picture.
Encode = Callable[[int], Any]


def load(layout: str, folder: Path) -> tuple[Any, dict[str, tuple[float, float]], int]:
    """Write a checkpoint of zeros, load it by the loader, and give it made-up weights.

    Returns:
        What the loader gives, the image tower being one of its own file; (processor, passed) seconds by what was
        loaded; and bytes of the checkpoint.
    """
    path = folder / f"{layout}.safetensors"
    size = write_empty_checkpoint(layout, path)
    tower = core("family.v2").TOWER
    zero = torch.zeros(1)
    weights = {
        name.removeprefix(tower): zero.expand(shape)
        for name, shape in layout_shapes(layout).items()
        if name.startswith(tower)
    }
    done: dict[str, Any] = {}

    def load_checkpoint() -> None:
        done["checkpoint"] = core("host.family.checkpoint").load_checkpoint(str(path))

    times = {"checkpoint": seconds(load_checkpoint)}
    path.unlink()
    clip_vision = core("host.carrier.image_tower").load_image_tower(weights, "image tower")
    loaded = done["checkpoint"]._replace(clip_vision=clip_vision)
    colorizer = loaded.colorizer
    for module in (
        loaded.model.model.diffusion_model,
        loaded.control_net.encoder.model,
        loaded.vae.first_stage_model,
        clip_vision.model,
        *(p.model for p in (colorizer.background_encoder, colorizer.style_encoder)),
        *(p.model for p in (colorizer.background_path, colorizer.style)),
    ):
        fill_weights(module)
    return loaded, times, size


def encoders_of(loaded: Any) -> dict[str, Encode]:
    """Return how each part of a loaded checkpoint encodes one picture."""
    latents, pictures = core("host.carrier.latents"), torch.rand

    def by_latent(encoder: Any) -> Encode:
        return lambda side: encoder.model(*latent_inputs(side, torch.device("cpu")))

    return {
        "image tower": lambda side: core("host.carrier.image_tower").encode_tokens(
            loaded.clip_vision, pictures(1, TOWER_SIDE, TOWER_SIDE, 3)
        ),
        "VAE encoder": lambda side: latents.encode_with_vae(
            loaded.vae, pictures(1, side, side, 3), loaded.colorizer.latent_format
        ),
        "background encoder": by_latent(loaded.colorizer.background_encoder),
        "style encoder": by_latent(loaded.colorizer.style_encoder),
        "sketch encoder": lambda side: loaded.control_net.encoder.model(pictures(1, 3, side, side)),
    }


def encoders_without_memory(layout: str) -> dict[str, Encode]:
    """Return the same networks on the meta device."""
    parts, checkpoint = parts_without_memory(layout), core("family.checkpoint")
    options = {"operations": comfy.ops.manual_cast, "device": META, "dtype": torch.float32}
    tower_config = core("carrier.tokens").image_tower_config(parts["image_tower"])
    with META:
        vae = AutoencoderKL(**checkpoint.vae_config(parts["vae"]))
        tower = comfy.clip_model.CLIPVisionModelProjection(tower_config, torch.float32, "meta", comfy.ops.manual_cast)
    sketch = core("family.sketch_encoder")
    sketch_encoder = sketch.SketchEncoder(**sketch.sketch_encoder_sizes(parts["sketch_encoder"]), **options)

    def by_latent(weights: dict[str, torch.Tensor]) -> Encode:
        weights = checkpoint.squeeze_projections(weights)
        encoder = core("host.family.latent_encoder").build_latent_encoder(weights, **options)
        return lambda side: encoder(*latent_inputs(side, META))

    def encode_tokens(side: int) -> Any:
        hidden = tower.vision_model(torch.empty(1, 3, TOWER_SIDE, TOWER_SIDE, device=META))
        return tower.visual_projection(tower.vision_model.post_layernorm(hidden[0]))

    return {
        "image tower": encode_tokens,
        "VAE encoder": lambda side: vae.encode(torch.empty(1, 3, side, side, device=META)),
        "background encoder": by_latent(parts["background_encoder"]),
        "style encoder": by_latent(parts["style_encoder"]),
        "sketch encoder": lambda side: sketch_encoder(torch.empty(1, 3, side, side, device=META)),
    }


def latent_inputs(side: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Return latent, context and size embedding for a background or style encoder."""
    shapes = ((1, 4, side // 8, side // 8), (1, V2_TOKENS, TOKEN_WIDTH), (1, 512))
    return tuple(torch.zeros(shape, device=device) for shape in shapes)


def encoders(
    sizes: Sequence[int], steps: Mapping[int, float], loaded: Any, loading: tuple[float, float], bytes_: int, side: int
) -> Table:
    """Tell what is done once.

    Args:
        sizes: to count operations at, at the published size. steps: TFLOP of the plain UNet's step by size.
        loaded, loading, bytes_: from `load`.
        side: of the picture for which seconds are taken.
    """
    table = Table(
        "encoders",
        "What is done once",
        "For one picture: operations at the published size, and against one step of the plain UNet with two rows at "
        f"{max(steps)}². Seconds of processor time and seconds passed are those of the widths measured here, at "
        f"{side}². The loader computes nothing; its file of {bytes_ / 1e9:.2f} GB was in memory already. ComfyUI "
        "keeps what has been encoded: another seed, number of steps or cfg runs none of this but the sketch "
        "encoder.",
        {"part": "{}", "when": "{}"}
        | {f"TFLOP, {size}²": "{:.3f}" for size in sizes}
        | {"of a step": "{:.2f}", "processor, s": "{:.2f}", "passed, s": "{:.2f}"},
    )
    table.add("loader", "Load Colorize Checkpoint", *(0.0 for _ in sizes), 0.0, *loading)
    counted, timed = encoders_without_memory("full"), encoders_of(loaded)
    reference = max(steps)
    with torch.inference_mode():
        for part, when in PARTS.items():
            counts = [teraflops(lambda size=size, part=part: counted[part](size)) for size in sizes]
            share = teraflops(lambda part=part: counted[part](reference)) / steps[reference]
            table.add(part, when, *counts, share, *seconds(lambda part=part: timed[part](side)))
    return table
