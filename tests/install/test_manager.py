"""Installed, updated and removed by ComfyUI-Manager's own program, from a git URL, in a fresh ComfyUI."""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from module_files import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
PACK = "colorizediffusion"
LANGUAGES = ("en", "ja", "zh")
NOT_OF_THE_PACK = shutil.ignore_patterns(
    ".git", ".venv", ".host", ".*_cache", ".hypothesis", ".state", "__pycache__", "artefacts", "output"
)
NOT_OF_COMFYUI = {".git", ".venv", "venv", "custom_nodes", "models", "input", "output", "temp", "user"}


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_arguments: object) -> None:
        pass


def git(*arguments: str, folder: Path) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The pack as a repository of its own: `.url` on the loopback, `.publish()` after a change in `.folder`.

    It holds what the checkout holds now and its .gitignore lets through, whether committed or not.
    """
    if not shutil.which("git"):
        pytest.skip("git is not installed: ComfyUI-Manager cannot clone")
    place = tmp_path_factory.mktemp("repository")
    folder, served = place / PACK, place / "served"
    shutil.copytree(ROOT, folder, ignore=NOT_OF_THE_PACK)
    git("init", "--quiet", folder=folder)
    served.mkdir()
    bare = served / f"{PACK}.git"

    def publish(message: str) -> str:
        git("add", "--all", folder=folder)
        git("commit", "--quiet", "--message", message, folder=folder)
        if not bare.is_dir():
            git("clone", "--quiet", "--bare", str(folder), str(bare), folder=place)
        git("push", "--quiet", str(bare), "HEAD:main", folder=folder)
        git("update-server-info", folder=bare)
        return git("rev-parse", "HEAD", folder=folder)

    publish("Everything")
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield SimpleNamespace(
        url=f"http://127.0.0.1:{http.server_address[1]}/{PACK}.git", folder=folder, bare=bare, publish=publish
    )
    http.shutdown()
    http.server_close()


@pytest.fixture(scope="module")
def fresh_comfyui(comfyui_path, comfyui_server, tmp_path_factory):
    """A copy of the host without any custom node or model."""
    target = tmp_path_factory.mktemp("fresh") / "ComfyUI"

    def leave_out(folder: str, names: list[str]) -> set[str]:
        return NOT_OF_COMFYUI & set(names) if Path(folder) == comfyui_path else {"__pycache__"} & set(names)

    shutil.copytree(comfyui_path, target, ignore=leave_out)
    for folder in comfyui_server.FOLDERS:
        (target / folder).mkdir(parents=True, exist_ok=True)
    return target


@pytest.fixture(scope="module")
def manager(fresh_comfyui):
    """Return a function that calls cm-cli on the fresh ComfyUI and returns what it said."""
    if not importlib.util.find_spec("cm_cli"):
        pytest.fail("ComfyUI-Manager is not installed: run 'make setup'.", pytrace=False)

    def call(*arguments: str) -> str:
        environment = {**os.environ, "COMFYUI_PATH": str(fresh_comfyui), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "cm_cli", *arguments]
        done = subprocess.run(command, cwd=fresh_comfyui, env=environment, capture_output=True, text=True, timeout=300)
        said = done.stdout + done.stderr
        assert not done.returncode, said
        return said

    return call


@pytest.fixture(scope="module")
def story(repository, manager, fresh_comfyui, comfyui_server):
    """What happened, in order: installed, started, updated, removed."""
    installed = fresh_comfyui / "custom_nodes" / PACK
    seen = SimpleNamespace(said=[manager("install", repository.url)])
    seen.files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if ".git" not in path.parts}
    with comfyui_server.Server(fresh_comfyui, fresh_comfyui, ["--cpu"]) as server:
        seen.object_info = server.get("/object_info")
        seen.templates = server.get("/workflow_templates")
        seen.template_files = [
            server.get(f"/api/workflow_templates/{PACK}/{name}.json") for name in seen.templates[PACK]
        ]
        to_prompt = load_file(ROOT / "scripts" / "workflow_prompt.py", "workflow_prompt").to_prompt
        first = server.get(f"/api/workflow_templates/{PACK}/try_it.json")
        run = server.run(to_prompt(first, seen.object_info))
        seen.shown = [image for node in run.outputs.values() for image in node.get("images", [])]
        seen.written = [
            path for folder in ("input", "output", "models") for path in (fresh_comfyui / folder).rglob("*.*")
        ]
        seen.blueprints = [entry["name"] for entry in server.get("/api/global_subgraphs").values()]
        seen.i18n = server.get("/i18n")
        with urllib.request.urlopen(f"{server.url}/extensions/{PACK}/docs/ColorizeApply.md") as answer:
            seen.help_page = answer.read().decode()
        with urllib.request.urlopen(f"{server.url}/extensions/{PACK}/docs/img/apply.svg") as answer:
            seen.picture_type = answer.headers["Content-Type"]
        seen.log = server.log_file.read_text(errors="replace")
    (repository.folder / "CHANGELOG.md").write_text("A newer one.\n")
    seen.newer = repository.publish("Newer")
    seen.said.append(manager("update", PACK))
    seen.updated = git("rev-parse", "HEAD", folder=installed)
    seen.changelog = (installed / "CHANGELOG.md").read_text()
    seen.said.append(manager("uninstall", PACK))
    seen.left = sorted(path.name for path in (fresh_comfyui / "custom_nodes").iterdir() if path.is_dir())
    return seen


def test_manager_installs_from_a_git_url(story):
    assert "[INSTALLED]" in story.said[0]
    assert {"__init__.py", "pyproject.toml", "requirements.txt", "nodes/__init__.py"} <= story.files
    assert not [line for line in story.log.splitlines() if "IMPORT FAILED" in line and PACK in line]


def test_every_node_is_there(story, pack):
    ids = {node.define_schema().node_id for node in pack.module("nodes").offered_nodes()}
    assert ids <= set(story.object_info)
    assert all(story.object_info[name]["python_module"] == f"custom_nodes.{PACK}" for name in ids)


def test_every_template_is_there(story):
    assert set(story.templates[PACK]) == {path.stem for path in (ROOT / "workflows").glob("*.json")}
    assert all(file["nodes"] for file in story.template_files)


def test_the_first_template_runs_with_nothing_put_anywhere(story):
    """The drawing, the reference, the background and the result are shown; no folder of the user's has a new file."""
    assert len(story.shown) == 4 and all(image["type"] == "temp" for image in story.shown)
    assert story.written == []


def test_every_blueprint_is_there(story):
    assert {path.stem for path in (ROOT / "subgraphs").glob("*.json")} <= set(story.blueprints)


def test_every_language_is_there(story, pack):
    ids = {node.define_schema().node_id for node in pack.module("nodes").NODES}
    for language in LANGUAGES:
        assert ids <= set(story.i18n[language]["nodeDefs"]), language


def test_help_and_its_pictures_are_served(story):
    assert story.help_page == (ROOT / "web" / "docs" / "ColorizeApply.md").read_text(encoding="utf-8")
    assert story.picture_type.startswith("image/svg")


def test_manager_updates(story):
    assert story.updated == story.newer
    assert story.changelog == "A newer one.\n"


def test_manager_uninstalls(story):
    assert "[UNINSTALLED]" in story.said[2]
    assert story.left == []
