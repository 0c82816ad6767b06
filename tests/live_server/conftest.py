"""A real ComfyUI server with the pack and the tiny checkpoint, and pictures to colour."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WRITTEN_ON = "0.3.75"
#: The published name, which the templates have.
TAGGER = "wd-v1-4-swinv2-tagger-v2.safetensors"


@pytest.fixture(scope="session")
def server(
    comfyui_path: Path,
    new_base_directory: Callable[[], Path],
    tiny_checkpoint: Path,
    golden_keys: Callable[[str], Any],
    golden_weights: Callable[..., Any],
    comfyui_server: ModuleType,
) -> Iterator[Any]:
    """One server for all tests here, in float32 on the CPU, with made-up weights for every loader."""
    from safetensors.torch import save_file

    base = new_base_directory()
    (base / "models" / "checkpoints" / tiny_checkpoint.name).symlink_to(tiny_checkpoint)
    segmenters = base / "models" / "colorize_segmenters"
    segmenters.mkdir()
    for seed, name in enumerate(("isnetis.safetensors", "sketch-segment.safetensors")):
        save_file(golden_weights(golden_keys("isnet"), seed=seed), str(segmenters / name))
    flags = ["--cpu", "--fp32-unet", "--fp32-vae", "--fp32-text-enc"]
    with comfyui_server.Server(comfyui_path, base, flags) as running:
        yield running


@pytest.fixture(scope="session")
def tiny_xl(server: Any, golden_keys: Callable[[str], Any], golden_weights: Callable[..., Any]) -> dict[str, str]:
    """XL's tiny checkpoints on the server, {"base" or "v2": ckpt_name}, the tower inside, the tagger beside them."""
    from safetensors.torch import save_file

    models, files = server.base_directory / "models", {}
    tower = {f"cond_stage_model.{key}": value for key, value in golden_weights(golden_keys("xl-clip-tiny"), 0).items()}
    weights = golden_weights(golden_keys("xl-v2-tiny"), 0)  # the base has the same numbers under the same names
    for model in ("base", "v2"):
        files[model] = f"tiny-xl-{model}.safetensors"
        tensors = {key: weights[key] for key in golden_keys(f"xl-{model}-tiny")} | tower
        save_file(tensors, str(models / "checkpoints" / files[model]))
    (models / "colorize_taggers").mkdir()
    save_file(golden_weights(golden_keys("xl-tagger-tiny"), 0), str(models / "colorize_taggers" / TAGGER))
    return files


@pytest.fixture(scope="session")
def object_info(server: Any) -> dict[str, Any]:
    """What the server tells of every node."""
    info: dict[str, Any] = server.get("/object_info")
    return info


@pytest.fixture(scope="session")
def workflow_scripts() -> Iterator[Any]:
    """The scripts folder's modules `build_workflows` and `workflow_prompt`, as their own programs import them."""
    sys.path.append(str(ROOT / "scripts"))
    try:
        import build_workflows
        import workflow_prompt

        yield {"build": build_workflows, "prompt": workflow_prompt}
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="session")
def same_prompt() -> Callable[[Any, Any], None]:
    """Return a function that holds a prompt against the one that this host's nodes give.

    A newer node of ComfyUI's own may have inputs that the file does not know; those have their defaults there.
    """

    def compare(given: dict[str, Any], built: dict[str, Any]) -> None:
        assert given.keys() == built.keys()
        for number, node in given.items():
            other = built[number]
            assert (node["class_type"], node["_meta"]) == (other["class_type"], other["_meta"])
            more = other["inputs"].keys() - node["inputs"].keys()
            assert not more or not node["class_type"].startswith("Colorize"), (number, more)
            assert node["inputs"] == {name: value for name, value in other["inputs"].items() if name not in more}

    return compare


@pytest.fixture(scope="session")
def same_host() -> Callable[[Any], bool]:
    """Return a function that tells whether a server is of the version with which the workflows were written."""
    return lambda server: server.get("/system_stats")["system"]["comfyui_version"] == WRITTEN_ON


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A drawing and a reference with the character painted into the alpha channel, as the mask editor saves it."""
    from PIL import Image, ImageChops, ImageDraw

    folder = tmp_path_factory.mktemp("pictures")

    def save(name: str, image: Image.Image, character: tuple[int, int, int, int]) -> Path:
        mask = Image.new("L", image.size, 0)
        ImageDraw.Draw(mask).ellipse(character, fill=255)
        image.putalpha(ImageChops.invert(mask))
        image.save(folder / name)
        return folder / name

    drawing = Image.new("RGB", (256, 192), "white")
    pen = ImageDraw.Draw(drawing)
    pen.ellipse((90, 40, 170, 150), outline="black", width=3)
    pen.line((0, 160, 255, 150), fill="black", width=2)
    reference = Image.new("RGB", (200, 240), "#88c0e8")
    brush = ImageDraw.Draw(reference)
    brush.rectangle((0, 170, 200, 240), fill="#5a9a48")
    brush.ellipse((60, 50, 140, 200), fill="#c8483c")
    other_reference = reference.transpose(Image.Transpose.TRANSPOSE)
    return {
        "drawing": save("drawing.png", drawing, (90, 40, 170, 150)),
        "other_drawing": save("other_drawing.png", drawing, (10, 90, 70, 180)),
        "reference": save("reference.png", reference, (60, 50, 140, 200)),
        "other_reference": save("other_reference.png", other_reference, (50, 60, 200, 140)),
    }


@pytest.fixture(scope="session")
def pixels() -> Callable[[bytes], Any]:
    """Return a function that decodes a picture file to an array [H, W, 3] of bytes."""
    import numpy as np
    from PIL import Image

    return lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
