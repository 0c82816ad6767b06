"""A real ComfyUI in this process, the pack loaded by ComfyUI's own loader, and the golden data.

`host` is ComfyUI, `pack` runs nodes the way its executor does, `golden` reads tests/golden, `tiny_checkpoint` is a
file in models/checkpoints, `tiny_xl_checkpoint("v2")` one of XL. Tests of the mathematics alone need none of these:
they import `colorizediffusion.colorize_core...` from a bare package that stands for the checkout, which is never on
sys.path (ComfyUI has modules named `nodes` and `server` of its own).

The host runs in float32 on the CPU; `--host-args="--cpu"` gives it other arguments. Tests marked `default_dtypes`
are left out of an ordinary run and come in with `-m default_dtypes --host-args=--cpu`, in a process of their own.

Tests marked `thorough` say the same of more cases. `--run` chooses: `first` leaves them out, `rest` takes nothing else,
`all` (unless told) takes both.
"""

import functools
import importlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from host_and_pack import GOLDEN, Golden, Pack, fill_of, keys_of, load_pack, start_host, xl_tensors
from hypothesis import HealthCheck, settings
from module_files import load_file

ROOT = Path(__file__).resolve().parent.parent
COMFYUI = Path(os.environ.get("COMFYUI_PATH") or ROOT / ".host" / "ComfyUI").resolve()
PACK_FOLDER = "colorizediffusion"
FLOAT32 = "--cpu --fp32-unet --fp32-vae --fp32-text-enc"
TINY_CHECKPOINT = "tiny-v2.safetensors"

#: Drawn examples are the same in every run, and no machine is too slow for them.
settings.register_profile(
    "everywhere", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("everywhere")

#: Folders of tests in the order in which workers take their files: what takes long must not come last.
LONGEST_FIRST = ("mixing", "browser", "fuzz", "faults", "farm", "live_server", "demo", "benchmarks", "install", "graph")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--host-args", default=FLOAT32, help=f"arguments of the in-process ComfyUI (default: {FLOAT32})")
    parser.addoption("--run", choices=("first", "rest", "all"), default="all", help="see tests/conftest.py")
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")
    parser.addoption("--fuzz", type=int, default=40, metavar="N", help="examples that a fuzz test draws (default: 40)")
    parser.addoption(
        "--write-contract", action="store_true", help="write tests/graph/contract.json as the nodes are now"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the bare package, refuse folder names that would hide a module of ComfyUI, and share the processor."""
    bare = ModuleType("colorizediffusion")
    bare.__path__ = [str(ROOT)]
    sys.modules["colorizediffusion"] = bare
    for folder in (ROOT / "tests").iterdir():
        if folder.is_dir() and ((COMFYUI / folder.name).is_dir() or (COMFYUI / f"{folder.name}.py").is_file()):
            raise pytest.UsageError(f"tests/{folder.name} would hide ComfyUI's module '{folder.name}': rename it.")
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:  # PyTorch here and in the servers that are started takes all cores unless told
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for, and put long files first."""
    run, wanted = config.getoption("--run"), "default_dtypes" in (config.option.markexpr or "")
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))

    def stays(item: pytest.Item) -> bool:
        thorough = item.get_closest_marker("thorough") is not None
        asked = run == "all" or (run == "rest") == thorough
        return asked and (wanted or not item.get_closest_marker("default_dtypes"))

    config.hook.pytest_deselected(items=[item for item in items if not stays(item)])
    items[:] = [item for item in items if stays(item)]
    order = {folder: place for place, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(ROOT / "tests").parts[0], len(order)))


@pytest.fixture(scope="session")
def comfyui_path() -> Path:
    """The folder of the ComfyUI that the tests use."""
    if not (COMFYUI / "main.py").is_file():
        pytest.fail(f"No ComfyUI in {COMFYUI}: run 'make setup', or set COMFYUI_PATH to yours.", pytrace=False)
    return COMFYUI


@pytest.fixture(scope="session")
def comfyui_server() -> ModuleType:
    """The module scripts/comfyui_server.py: a server of ComfyUI and its API."""
    return load_file(ROOT / "scripts" / "comfyui_server.py", "comfyui_server")


@pytest.fixture(scope="session")
def new_base_directory(tmp_path_factory: pytest.TempPathFactory, comfyui_server: ModuleType) -> Callable[[], Path]:
    """Return a function that makes a fresh folder for --base-directory with the pack linked into custom_nodes."""

    def new() -> Path:
        path: Path = comfyui_server.make_base_directory(tmp_path_factory.mktemp("comfyui"), ROOT, PACK_FOLDER)
        return path

    return new


@pytest.fixture(scope="session")
def base_directory(new_base_directory: Callable[[], Path]) -> Path:
    """The in-process host's own models, input, output and custom_nodes folders."""
    return new_base_directory()


@pytest.fixture(scope="session")
def host(pytestconfig: pytest.Config, comfyui_path: Path, base_directory: Path) -> SimpleNamespace:
    """Import the real ComfyUI into this process; `.nodes`, `.execution`, `.folder_paths`, `.torch` are its modules."""
    if "comfy" in sys.modules:
        pytest.fail("comfy was imported before the host fixture: import it inside tests only.", pytrace=False)
    return start_host(comfyui_path, base_directory, shlex.split(pytestconfig.getoption("--host-args")))


@pytest.fixture(scope="session")
def pack(host: SimpleNamespace, base_directory: Path) -> Pack:
    """Load the pack with ComfyUI's own loader from a link in custom_nodes."""
    try:
        return load_pack(host, base_directory / "custom_nodes" / PACK_FOLDER)
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def progress(host: SimpleNamespace) -> Iterator[list[tuple[int, int]]]:
    """What the page is told while the test works: (done, in all) each time.

    The first and the last come always; newer hosts leave out what follows the one before too soon.
    """
    utils = importlib.import_module("comfy.utils")
    told: list[tuple[int, int]] = []
    usual = utils.PROGRESS_BAR_HOOK
    utils.set_progress_bar_global_hook(lambda done, whole, *_, **__: told.append((done, whole)))
    yield told
    utils.set_progress_bar_global_hook(usual)


@pytest.fixture(scope="session")
def golden() -> Golden:
    """tests/golden/pipeline.safetensors."""
    return Golden(GOLDEN / "pipeline.safetensors")


@pytest.fixture(scope="session")
def golden_extras() -> Golden:
    """tests/golden/extras.safetensors."""
    return Golden(GOLDEN / "extras.safetensors")


@pytest.fixture(scope="session")
def golden_keys() -> Callable[[str], dict[str, list[int]]]:
    """Return a function: `golden_keys("tiny")` reads tests/golden/keys-tiny.json, {tensor name: shape}."""
    return keys_of


@pytest.fixture(scope="session")
def golden_weights() -> Callable[..., dict[str, Any]]:
    """Return `fill(shapes, seed=0)` of tests/golden/weights.py, which makes the golden data's weights."""
    return fill_of()


@pytest.fixture(scope="session")
def tiny_checkpoint(
    base_directory: Path, golden_keys: Callable[[str], Any], golden_weights: Callable[..., Any]
) -> Path:
    """The golden data's checkpoint with image tower and VAE, in models/checkpoints; `.name` is its ckpt_name."""
    from safetensors.torch import save_file

    path = base_directory / "models" / "checkpoints" / TINY_CHECKPOINT
    save_file(golden_weights(golden_keys("tiny"), seed=0), str(path))
    return path


@pytest.fixture(scope="session")
def tiny_xl_checkpoint(base_directory: Path) -> Callable[[str], Path]:
    """Return a function that writes one of XL's, "base" or "v2", into models/checkpoints, its image encoders inside."""
    from safetensors.torch import save_file

    @functools.cache
    def write(model: str) -> Path:
        path = base_directory / "models" / "checkpoints" / f"tiny-xl-{model}.safetensors"
        save_file(xl_tensors(model), str(path))
        return path

    return write
