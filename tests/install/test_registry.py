"""The pack's entry in the Comfy registry: what `comfy node validate` and the registry's standards ask for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COMFY_CLI = "comfy-cli==1.23.0"
ACCELERATORS = {"NVIDIA CUDA", "AMD ROCm", "Intel Arc", "Apple Metal"}


@pytest.fixture(scope="module")
def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_project_table(pyproject):
    project = pyproject["project"]
    assert re.fullmatch(r"[a-z][a-z0-9._-]{0,98}", project["name"]) and "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert (ROOT / project["license"]["file"]).is_file() and (ROOT / project["readme"]).is_file()
    assert project["dependencies"] == [], "requirements.txt and pyproject.toml say the same"
    assert "Operating System :: OS Independent" in project["classifiers"]
    gpus = {line.rpartition(" :: ")[2] for line in project["classifiers"] if line.startswith("Environment :: ")}
    assert gpus and gpus <= ACCELERATORS


def test_latest_release_in_the_changelog_is_this_version(pyproject):
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert releases[0] == pyproject["project"]["version"]


@pytest.mark.parametrize("name", ["Icon", "Banner"])
def test_pictures_lie_in_the_repository_and_have_the_right_shape(name, pyproject):
    from PIL import Image

    owner_and_name = pyproject["project"]["urls"]["Repository"].removeprefix("https://github.com/")
    start = f"https://raw.githubusercontent.com/{owner_and_name}/main/"
    url = pyproject["tool"]["comfy"][name]
    assert url.startswith(start)
    width, height = Image.open(ROOT / url.removeprefix(start)).size
    assert (width == height <= 400) if name == "Icon" else (width * 9 == height * 21)


def test_registry_asks_for_the_comfyui_that_the_pack_asks_for(pyproject, pack):
    oldest = ".".join(str(part) for part in pack.module("colorize_core.host.version").OLDEST)
    assert pyproject["tool"]["comfy"]["requires-comfyui"] == f">={oldest}"


def test_package_has_what_runs_and_is_small():
    """What .comfyignore leaves: the nodes, and all that a new user opens."""
    ignored = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    top = [path for path in ROOT.iterdir() if path.name not in ignored and f"{path.name}/" not in ignored]
    packed = {path.name: path for path in top if not path.name.startswith(".")}
    assert {"__init__.py", "nodes", "colorize_core", "web", "locales", "workflows", "subgraphs", "samples"} <= set(
        packed
    )
    assert not {"demo", "tests", "scripts", "benchmarks"} & set(packed)
    files = [file for path in packed.values() for file in ([path] if path.is_file() else path.rglob("*"))]
    assert sum(file.stat().st_size for file in files if file.is_file() and "__pycache__" not in file.parts) < 30_000_000


@pytest.mark.slow
def test_comfy_cli_finds_nothing_wrong(tmp_path):
    """Installs comfy-cli into an environment of its own, which takes a minute."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", COMFY_CLI], check=True)
    command = [programs / "comfy", "--skip-prompt", "--no-enable-telemetry", "node", "validate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert not done.returncode and "All validation checks passed" in said, said
    assert "Warning" not in said, said
