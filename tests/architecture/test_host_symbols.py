"""The list of ComfyUI's names: it is true, one room alone uses them, and what upstream takes away is noticed."""

import subprocess
import sys
from pathlib import Path

import pytest
from module_files import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "scripts" / "check_host_symbols.py"


@pytest.fixture(scope="module")
def script():
    return load_file(SCRIPT, "check_host_symbols")


def test_all_names_are_there_and_listed(comfyui_path):
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_room_alone_uses_them(script):
    scan = script.scan_pack(script.Pack())
    assert len(scan.references) > 50 and not scan.unparseable
    assert {Path(reference.file).parts[:2] for reference in scan.references} == {("colorize_core", "host")}


COMFYUI = "def load(path, safe=True): ...\n"
CODE = {
    "import comfy.utils\ncomfy.utils.load('a', safe=False)\n": None,
    "import comfy.utils\nload = getattr(comfy.utils, 'load_fast', None)\n": None,
    "import comfy.gone\n": "comfy.gone is not in",
    "from comfy.utils import save\n": "comfy.utils.save is not in",
    "import comfy.utils as u\nu.save()\n": "comfy.utils.save is not in",
    "import comfy.utils\ncomfy.utils.load('a', quick=True)\n": "does not take this call",
    "import comfy.utils\ndef mine(path): ...\ncomfy.utils.load = mine\n": "replaces comfy.utils.load",
    "def broken(:\n": "not to be read",
}


@pytest.mark.parametrize("code", CODE)
def test_what_does_not_fit_is_named(script, tmp_path, code):
    comfyui, pack = tmp_path / "ComfyUI", tmp_path / "pack"
    for folder in (comfyui / "comfy", pack / "nodes", pack / "colorize_core"):
        folder.mkdir(parents=True)
    (comfyui / "comfy" / "utils.py").write_text(COMFYUI)
    (pack / "__init__.py").write_text(code)
    found, expected = script.complaints(script.scan_pack(script.Pack(pack)), comfyui), CODE[code]
    assert found == [] if expected is None else expected in " ".join(found)
