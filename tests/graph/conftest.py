"""A small studio: the tiny checkpoint loaded once, made-up pictures, and the graph's steps as short calls.

Pictures are drawn from a seeded generator, masks are plain shapes; everything goes through the nodes.
"""

import functools
import gc
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golden_cases import Table

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SIZE = (96, 64)  # height, width of the output in pixels: a latent of 12×8


@pytest.fixture(scope="session")
def tiny_tensors(tiny_checkpoint) -> dict[str, Any]:
    """The tensors of the tiny checkpoint; copy before changing one."""
    from safetensors.torch import load_file

    return load_file(str(tiny_checkpoint))


class Studio:
    """Runs the steps of the graph with little to say.

    Example:
        >>> carrier = studio.carrier(background="background_image", style=True)
        >>> model, positive, negative = studio.apply(carrier, studio.mask())
        >>> latent = studio.sample(model, *studio.sketch(positive, negative))
    """

    def __init__(self, host: Any, pack: Any, loaded: tuple[Any, ...]) -> None:
        self.host, self.pack, self.torch, self.loaded = host, pack, host.torch, loaded
        self.model, self.colorizer, self.control_net, self.vae, self.clip_vision = loaded

    # --- pictures ---

    def picture(self, name: str = "reference", height: int = 40, width: int = 50, batch: int = 1, channels: int = 3):
        """IMAGE [B, H, W, C] in [0, 1] of smooth colours, another for each name."""
        torch = self.torch
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        coarse = torch.rand(batch, channels, 5, 4, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
        return smooth.movedim(1, -1).contiguous()

    def line_map(self, name: str = "sketch", size: tuple[int, int] = SIZE, batch: int = 1, channels: int = 3):
        """IMAGE of white lines on black."""
        return (self.picture(name, *size, batch=batch, channels=1) > 0.55).float().expand(-1, -1, -1, channels).clone()

    def mask(self, kind: str = "left", size: tuple[int, int] = SIZE):
        """MASK [1, H, W]: 1 on one half, everywhere ("all") or nowhere ("none")."""
        mask = self.torch.zeros(1, *size)
        height, width = size
        regions = {
            "left": (slice(None), slice(0, width // 2)),
            "top": (slice(0, height // 2), slice(None)),
            "middle": (slice(height // 4, 3 * height // 4), slice(width // 4, 3 * width // 4)),
            "all": (slice(None), slice(None)),
            "none": (slice(0, 0), slice(None)),
        }
        mask[(0, *regions[kind])] = 1.0
        return mask

    # --- the graph ---

    @property
    def encoders(self) -> dict[str, Any]:
        """What Encode Reference takes beside the picture."""
        encoders = {"clip_vision": self.clip_vision}
        return encoders | ({"colorizer": self.colorizer} if self.colorizer.version.own_tokens else {})

    def carrier(
        self,
        background: str | None = None,
        style: bool = False,
        size: tuple[int, int] = SIZE,
        batch: int = 1,
        reference: str = "reference",
        mask: Any = None,
    ):
        """Encode a reference, and what is asked for beside it, as far as the version has it.

        Args:
            mask: of the drawing, for the background of a version that needs it; the usual one unless given.
        """
        run, version = self.pack.run, self.colorizer.version
        common = {"colorizer": self.colorizer, "vae": self.vae, "clip_vision": self.clip_vision}
        common |= {"height": size[0], "width": size[1]}
        image = self.picture(reference, batch=batch)
        (carrier,) = run("ColorizeEncodeReference", image=image, **self.encoders)
        if style and version.has_style:
            (carrier,) = run("ColorizeEncodeStyle", carrier=carrier, image=image, **common)
        if background:
            image = self.picture("background", 44, 36, batch=batch)
            if version.own_tokens:
                common["sketch_mask"] = self.mask(size=size) if mask is None else mask
            (carrier,) = run("ColorizeEncodeBackground", carrier=carrier, image=image, source=background, **common)
        return carrier

    def apply(self, carrier: Any, mask: Any = None, model: Any = None, **settings: Any):
        """Return (model, positive, negative)."""
        inputs = {"model": model or self.model, "colorizer": self.colorizer, "carrier": carrier, **settings}
        return self.pack.run("ColorizeApply", **inputs, **({} if mask is None else {"sketch_mask": mask}))

    def sketch(self, positive: Any, negative: Any, image: Any = None, control_net: Any = None, **settings: Any):
        """Apply the sketch encoder, or another CONTROL_NET, to both conditionings."""
        return self.pack.run(
            "ControlNetApplyAdvanced",
            positive=positive,
            negative=negative,
            control_net=control_net or self.control_net,
            image=self.line_map() if image is None else image,
            **({"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0} | settings),
        )

    def noise(self, size: tuple[int, int] = SIZE, batch: int = 1, seed: int = 1):
        """Noise [B, 4, h, w] for an output of this size."""
        generator = self.torch.Generator().manual_seed(seed)
        return self.torch.randn(batch, 4, size[0] // 8, size[1] // 8, generator=generator)

    def sample(self, model: Any, positive: Any, negative: Any, noise: Any = None, **settings: Any):
        """Run ComfyUI's sampler, three Euler steps unless told otherwise, and return the latent [B, 4, h, w]."""
        import comfy.sample

        noise = self.noise() if noise is None else noise
        options = {"steps": 3, "cfg": 2.0, "sampler_name": "euler", "scheduler": "normal", "seed": 0} | settings
        latent = self.torch.zeros_like(noise)
        with self.torch.inference_mode():
            return comfy.sample.sample(
                model, noise, positive=positive, negative=negative, latent_image=latent, disable_pbar=True, **options
            )

    # --- looking at results ---

    def difference(self, a: Any, b: Any) -> float:
        """‖a - b‖/‖b‖."""
        return float((a.float() - b.float()).norm() / b.float().norm())

    def digest(self, model: Any) -> str:
        """Hash of a MODEL's weights, patches and options."""
        digest = hashlib.sha256()
        for name, tensor in sorted(model.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(self.torch.uint8).numpy().tobytes())
        for part in (model.model_options, model.patches, model.object_patches, model.wrappers, model.callbacks):
            digest.update(repr(part).encode())
        return digest.hexdigest()

    def alive(self, *class_names: str) -> list[Any]:
        """Objects of these classes of ours that the garbage collector cannot free."""
        gc.collect()
        return [thing for thing in gc.get_objects() if type(thing).__name__ in class_names]


@pytest.fixture(scope="session")
def studio(request: pytest.FixtureRequest, host: SimpleNamespace, pack: Any, tiny_checkpoint: Any) -> Studio:
    """The tiny checkpoint loaded through its node.

    A test of what versions share says which it is for:
    `@pytest.mark.parametrize("studio", ["v2", "switch", "mult"], indirect=True)`.
    """
    if (version := getattr(request, "param", "v2")) != "v2":
        return Studio(host, pack, request.getfixturevalue("load_v1")(version))
    return Studio(host, pack, pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_checkpoint.name))


# --- what does not fit the tiny checkpoint ---


@pytest.fixture(scope="session")
def foreign(pack: Any, tiny_tensors: dict[str, Any]) -> Any:
    """What another file of the same sizes gives."""
    tensors = {k: v * 0.5 if k.startswith(("bg_encoder.", "model.")) else v for k, v in tiny_tensors.items()}
    return pack.module("colorize_core.host.family.checkpoint").load_tensors(tensors, "other-v2.safetensors")


@pytest.fixture(scope="session")
def narrow(pack: Any, tiny_tensors: dict[str, Any]) -> Any:
    """What a file for tokens of 768 channels gives."""

    def cut(name: str, tensor: Any) -> Any:
        if name.endswith((".attn2.to_k.weight", ".attn2.to_v.weight")):
            return tensor[:, :768].contiguous()
        if name.endswith((".lora_down_fg.weight", ".lora_down_bg.weight")) and ".attn2.to_q." not in name:
            return tensor[:, :768].contiguous()
        return tensor[:768] if name == "cond_stage_model.visual.model.proj" else tensor

    tensors = {name: cut(name, tensor) for name, tensor in tiny_tensors.items()}
    tensors["cond_stage_model.visual.model.proj"] = tiny_tensors["cond_stage_model.visual.model.proj"][:, :768]
    return pack.module("colorize_core.host.family.checkpoint").load_tensors(tensors, "narrow-v2.safetensors")


@pytest.fixture(scope="session")
def wide_vae(host: SimpleNamespace) -> Any:
    """A VAE of 16 latent channels, as Stable Diffusion 3 and Flux have, with made-up weights."""
    import comfy.sd
    from comfy.ldm.models.autoencoder import AutoencoderKL

    sizes = {"double_z": True, "z_channels": 16, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 32}
    sizes |= {"ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0}
    config = {"embed_dim": 16, "ddconfig": sizes}
    generator = host.torch.Generator().manual_seed(1)
    weights = {
        k: host.torch.randn(v.shape, generator=generator) / max(v[0].numel(), 8) ** 0.5
        for k, v in AutoencoderKL(**config).state_dict().items()
    }
    return comfy.sd.VAE(sd=weights, config={"params": config})


@pytest.fixture(scope="session")
def dino_tower(host: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An image tower without a projection."""
    import comfy.clip_vision

    config = {
        "model_type": "dinov2", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28,
        "patch_size": 14, "layer_norm_eps": 1e-6, "intermediate_size": 64, "hidden_act": "gelu", "num_channels": 3,
        "use_swiglu_ffn": False,
    }  # fmt: skip
    path = tmp_path_factory.mktemp("dino") / "config.json"
    path.write_text(json.dumps(config))
    return comfy.clip_vision.ClipVisionModel(str(path))


# --- the golden data ---


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collects errors against the published implementation, and prints them when the module is done."""
    collected = Table()
    yield collected
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n\nrelative error against the published implementation")
        for name, error, tolerance in collected.rows:
            print(f"  {name:<44} {error:9.1e}   (allowed {tolerance:.0e})")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """tests/golden."""
    return GOLDEN


@pytest.fixture(scope="session")
def golden_xl(golden: Any) -> Any:
    """tests/golden/xl.safetensors."""
    return type(golden)(GOLDEN / "xl.safetensors")


@pytest.fixture(scope="session")
def load_xl(pack: Any, tiny_xl_checkpoint: Callable[[str], Path]) -> Any:
    """Return a function that loads one of XL's tiny checkpoints, "base" or "v2", with the image encoders inside it."""
    return functools.cache(lambda model: pack.run("ColorizeCheckpointLoader", ckpt_name=tiny_xl_checkpoint(model).name))


@pytest.fixture(scope="session")
def load_v1(pack: Any, base_directory: Path, golden_keys: Any, golden_weights: Any) -> Any:
    """Return a function that loads the tiny checkpoint of version 1 ("mult") or 1.5 ("switch"), for v or eps."""
    from safetensors.torch import save_file

    @functools.cache
    def load(version: str, prediction: str = "v") -> Any:
        path = base_directory / "models" / "checkpoints" / f"tiny-{version}.safetensors"
        if not path.is_file():
            save_file(golden_weights(golden_keys(f"{version}-tiny"), 0), str(path))
        return pack.run("ColorizeCheckpointLoader", ckpt_name=path.name, prediction=prediction)

    return load


@pytest.fixture(scope="session")
def studios_xl(host: SimpleNamespace, pack: Any, load_xl: Any) -> Callable[[str], Studio]:
    """Return a function that gives the studio of one of XL's tiny checkpoints, "base" or "v2"."""
    return functools.cache(lambda model: Studio(host, pack, load_xl(model)))


@pytest.fixture(scope="session", params=[pytest.param("base", marks=pytest.mark.thorough), "v2"])
def studio_xl(request: pytest.FixtureRequest, studios_xl: Callable[[str], Studio]) -> Studio:
    """XL's base model, then its v2-style one."""
    return studios_xl(request.param)


@pytest.fixture(scope="session")
def studio_xl_v2(studios_xl: Callable[[str], Studio]) -> Studio:
    """XL's v2-style model."""
    return studios_xl("v2")
