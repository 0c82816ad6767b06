"""The pack together with the rest of ComfyUI: real nodes, real classes, tiny weights.

The studio is that of tests/graph, the pictures are those of tests/live_server. The files that are mixed in (LoRAs,
ControlNets, another checkpoint) are made here, for the tests in this process and for those on a server.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from module_files import fixtures_of

#: Relative difference that another order of the same sums makes in float32, over three steps.
SAME = 2e-5
#: Relative difference that a feature must make at least.
NOTICED = 1e-3

#: Rank, alpha and strength of the LoRAs.
RANK, ALPHA, STRENGTH = 4, 2.0, 0.7
#: How each kind of LoRA ends its names: (down, up).
LORA_ENDINGS = {
    "kohya": (".lora_down.weight", ".lora_up.weight"),
    "diffusers": ("_lora.down.weight", "_lora.up.weight"),
    "original": (".lora_down.weight", ".lora_up.weight"),
}
LORA_STARTS = {
    "kohya": ("lora_unet_down_blocks_", "lora_unet_mid_block_", "lora_unet_up_blocks_"),
    "diffusers": ("unet.down_blocks.", "unet.mid_block.", "unet.up_blocks."),
    "original": ("lora_unet_input_blocks_", "lora_unet_middle_block_", "lora_unet_output_blocks_"),
}


_graph, _live_server = fixtures_of("graph"), fixtures_of("live_server")
studio, load_v1, tiny_tensors = _graph.studio, _graph.load_v1, _graph.tiny_tensors
load_xl, studios_xl, studio_xl_v2 = _graph.load_xl, _graph.studios_xl, _graph.studio_xl_v2
pictures, pixels, workflow_scripts = _live_server.pictures, _live_server.pixels, _live_server.workflow_scripts
same_prompt = _live_server.same_prompt


@pytest.fixture(scope="session")
def everything(studio: Any) -> Any:
    """A carrier with background and style."""
    return studio.carrier("background_image", style=True)


class Colour:
    """Colours with everything on: split, background, style, line map.

    Example:
        >>> latent = colour(before=lambda model: freeu(model))
        >>> latent = colour(after=lambda model: freeu(model), steps=1)
    """

    def __init__(self, studio: Any, everything: Any) -> None:
        self.studio, self.carrier = studio, everything

    def patched(self, before: Any = None, after: Any = None, mask: Any = None, carrier: Any = None, **settings: Any):
        """Return (model, positive, negative); `before` and `after` change the MODEL around Apply Colorization."""
        model = self.studio.model if before is None else before(self.studio.model)
        mask = self.studio.mask() if mask is None else mask
        model, positive, negative = self.studio.apply(carrier or self.carrier, mask, model, **settings)
        return (model if after is None else after(model)), *self.studio.sketch(positive, negative)

    def __call__(self, before: Any = None, after: Any = None, noise: Any = None, **settings: Any):
        """Return the latent."""
        sampling = {name: settings.pop(name) for name in ("steps", "cfg", "sampler_name") if name in settings}
        latent = self.studio.sample(*self.patched(before, after, **settings), noise=noise, **sampling)
        assert latent.isfinite().all()
        return latent


@pytest.fixture(scope="session")
def colour(studio: Any, everything: Any) -> Colour:
    """Colour with everything on."""
    return Colour(studio, everything)


@pytest.fixture(scope="session")
def plain(colour: Colour) -> Any:
    """The latent with everything on and nothing mixed in."""
    return colour()


# --- files ---


def _lora_names(kind: str, model: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """{start of the name in the file: UNet weight} for the linear layers of all transformers, and all shapes."""
    import comfy.lora

    shapes = {name: tensor.shape for name, tensor in model.model.state_dict().items()}
    found = {}
    for name, weight in comfy.lora.model_lora_keys_unet(model.model, {}).items():
        in_transformer = ".transformer_blocks." in weight or ".proj_" in weight
        if name.startswith(LORA_STARTS[kind]) and in_transformer and len(shapes[weight]) == 2:
            found[name] = weight
    return found, shapes


@pytest.fixture(scope="session")
def deltas(host: SimpleNamespace, studio: Any) -> dict[str, tuple[Any, Any]]:
    """{UNet weight: (down, up)}, the same for all kinds of LoRA."""
    generator = host.torch.Generator().manual_seed(3)
    names, shapes = _lora_names("original", studio.model)

    def random(*shape: int) -> Any:
        return host.torch.randn(*shape, generator=generator)

    return {
        weight: (random(RANK, shapes[weight][1]) / shapes[weight][1] ** 0.5, random(shapes[weight][0], RANK) * 0.05)
        for weight in sorted(names.values())
    }


@pytest.fixture(scope="session")
def lora_file(
    host: SimpleNamespace, studio: Any, deltas: dict[str, tuple[Any, Any]], base_directory: Path
) -> Callable[[str], str]:
    """A function that writes a LoRA of one kind into models/loras and returns its name."""
    from safetensors.torch import save_file

    def write(kind: str) -> str:
        names, _ = _lora_names(kind, studio.model)
        assert set(names.values()) == set(deltas), "a weight of the transformers has no name of this kind"
        tensors = {}
        for name, weight in names.items():
            for ending, tensor in zip(LORA_ENDINGS[kind], deltas[weight], strict=True):
                tensors[name + ending] = tensor
            tensors[name + ".alpha"] = host.torch.tensor(ALPHA)
        folder = base_directory / "models" / "loras"
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, str(folder / f"{kind}.safetensors"))
        return f"{kind}.safetensors"

    return write


@pytest.fixture(scope="session", params=LORA_ENDINGS)
def lora_name(request: pytest.FixtureRequest, lora_file: Callable[[str], str]) -> str:
    """The name of a LoRA file, of each kind in turn."""
    return lora_file(request.param)


@pytest.fixture(scope="session")
def checkpoint_with_lora(
    deltas: dict[str, tuple[Any, Any]], tiny_tensors: dict[str, Any], tiny_checkpoint: Path
) -> str:
    """The name of the tiny checkpoint with the LoRA at STRENGTH added to its UNet by hand."""
    from safetensors.torch import save_file

    merged = dict(tiny_tensors)
    for weight, (down, up) in deltas.items():
        name = f"model.{weight}"
        delta = (STRENGTH * ALPHA / RANK * up @ down).view_as(merged[name])  # 1×1 convolutions in the file
        merged[name] = merged[name] + delta
    path = tiny_checkpoint.with_name("tiny-merged.safetensors")
    save_file(merged, str(path))
    return path.name


def _randomised(torch: Any, module: Any, scale: float) -> dict[str, Any]:
    """The weights of a module, all of them drawn anew, so that zero convolutions are none."""
    generator = torch.Generator().manual_seed(5)
    tensors = {}
    for name, weight in module.state_dict().items():
        fan_in = weight[0].numel() if weight.ndim > 1 else 1
        drawn = torch.randn(weight.shape, generator=generator) * scale
        is_norm = weight.ndim == 1 and name.endswith("weight")
        tensors[name] = drawn / fan_in**0.5 if weight.ndim > 1 else (1 + drawn * 0.1 if is_norm else drawn * 0.1)
    return tensors


@pytest.fixture(scope="session")
def control_files(host: SimpleNamespace, studio: Any, base_directory: Path) -> dict[str, str]:
    """{"controlnet", "t2i_adapter": the name of a file in models/controlnet}."""
    import comfy.cldm.cldm
    import comfy.ops
    import comfy.t2i_adapter.adapter
    from safetensors.torch import save_file

    config = dict(studio.model.model.model_config.unet_config)
    config.pop("out_channels")
    config |= {"hint_channels": 3, "operations": comfy.ops.manual_cast, "dtype": host.torch.float32}
    channels = studio.model.model.diffusion_model.model_channels
    sizes = [channels, 2 * channels, 4 * channels, 4 * channels]
    modules = {
        "controlnet": comfy.cldm.cldm.ControlNet(**config),
        "t2i_adapter": comfy.t2i_adapter.adapter.Adapter(
            cin=3 * 64, channels=sizes, nums_rb=2, ksize=1, sk=True, use_conv=False, xl=False
        ),
    }
    folder = base_directory / "models" / "controlnet"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, module in modules.items():
        save_file(_randomised(host.torch, module, 0.7), str(folder / f"tiny-{kind}.safetensors"))
    return {kind: f"tiny-{kind}.safetensors" for kind in modules}


@pytest.fixture(scope="session")
def second_checkpoint(
    golden_keys: Callable[[str], Any], golden_weights: Callable[..., Any], tiny_checkpoint: Path
) -> str:
    """The name of another checkpoint of the tiny one's layout."""
    from safetensors.torch import save_file

    path = tiny_checkpoint.with_name("tiny-second.safetensors")
    save_file(golden_weights(golden_keys("tiny"), seed=1), str(path))
    return path.name
