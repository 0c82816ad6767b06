"""A ComfyUI server started for one purpose, and its HTTP API.

Example:
    >>> with Server(comfyui, base_directory, ["--cpu"]) as server:
    ...     server.upload_image(Path("drawing.png"))
    ...     run = server.run(prompt)
    ...     png = server.fetch_images(run)[0]
"""

import asyncio
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

START_SECONDS = 240
LOG_LINES = 40
PREVIEW_MESSAGE = 1  # of the binary messages: then the picture's format and its file
TEXT_MESSAGE = 3  # then the length of the node's id, the id, and a text for the node to show
FOLDERS = ("custom_nodes", "input", "output", "temp", "user", "models/checkpoints", "models/clip_vision")

Prompt = dict[str, Any]


class ServerError(RuntimeError):
    """The server refused or failed; the message ends with the last lines of its log."""


@dataclass
class Run:
    """A finished prompt: its id, each node's UI output, and which nodes really ran (the others came from the cache).

    `seconds` passed between the server's start with it and its end; None where the server does not tell.
    """

    prompt_id: str
    seconds: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)


def make_base_directory(path: Path, pack: Path, name: str) -> Path:
    """Make the folders that --base-directory expects, with the pack linked into custom_nodes."""
    for folder in FOLDERS:
        (path / folder).mkdir(parents=True, exist_ok=True)
    link = path / "custom_nodes" / name
    if not link.is_symlink():
        link.symlink_to(pack, target_is_directory=True)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def seconds_of(status: dict[str, Any]) -> float | None:
    """Return the seconds between start and success in a prompt's history; its times are in milliseconds."""
    times = {name: data.get("timestamp") for name, data in status.get("messages", [])}
    start, end = times.get("execution_start"), times.get("execution_success")
    return None if start is None or end is None else (end - start) / 1000


class Client:
    """Speaks to a ComfyUI that runs.

    Args:
        url: where, such as http://127.0.0.1:8188.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client_id = uuid.uuid4().hex

    def get(self, path: str) -> Any:
        """Return the JSON that a GET of this path answers."""
        return asyncio.run(self._get(path, as_json=True))

    def upload_image(self, path: Path, name: str | None = None, subfolder: str = "") -> str:
        """Put a picture into the input folder, or a folder in it; return the name that LoadImage knows it by."""

        async def upload() -> str:
            form = aiohttp.FormData()
            form.add_field("image", path.read_bytes(), filename=name or path.name, content_type="image/png")
            form.add_field("overwrite", "true")
            form.add_field("subfolder", subfolder)
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{self.url}/upload/image", data=form) as answer,
            ):
                answer.raise_for_status()
                stored = (await answer.json())["name"]
                return f"{subfolder}/{stored}" if subfolder else str(stored)

        return asyncio.run(upload())

    def run(
        self,
        prompt: Prompt,
        on_step: Callable[[str, int, int], None] | None = None,
        on_preview: Callable[[bytes], None] | None = None,
        on_text: Callable[[str, str], None] | None = None,
    ) -> Run:
        """Queue a prompt in API format and wait for its end.

        Args:
            prompt: {node id: {"class_type": ..., "inputs": ...}}.
            on_step: called with (node id, steps done, steps in all) as nodes report progress.
            on_preview: called with a picture file for each preview that the server sends while it samples.
            on_text: called with (node id, text) for each text that a node shows.
        """
        (run,) = asyncio.run(self._run([prompt], on_step, on_preview, on_text))
        if isinstance(run, ServerError):
            raise run
        return run

    def run_all(self, prompts: list[Prompt]) -> list["Run | ServerError"]:
        """Queue prompts all at once and wait for their ends; an error stands for a prompt that failed."""
        return asyncio.run(self._run(prompts, None, None, None))

    def fetch_images(self, run: Run) -> list[bytes]:
        """Return the picture files that the run has saved, in the order of the node ids."""
        images = [image for node in sorted(run.outputs) for image in run.outputs[node].get("images", [])]
        paths = [
            "/view?filename={filename}&subfolder={subfolder}&type={type}".format(**image)
            for image in images
            if image["type"] == "output"
        ]
        return [asyncio.run(self._get(path, as_json=False)) for path in paths]

    async def _get(self, path: str, as_json: bool) -> Any:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            answer.raise_for_status()
            return await (answer.json() if as_json else answer.read())

    async def _run(
        self,
        prompts: list[Prompt],
        on_step: Callable[[str, int, int], None] | None,
        on_preview: Callable[[bytes], None] | None,
        on_text: Callable[[str, str], None] | None,
    ) -> list["Run | ServerError"]:
        runs: list[Run | ServerError] = []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.url}/ws?clientId={self._client_id}", max_msg_size=0) as events,
        ):
            queued = [await self._queue(session, prompt) for prompt in prompts]
            for run in queued:
                try:
                    await self._follow(events, run, on_step, on_preview, on_text)
                except ServerError as error:
                    runs.append(error)
                    continue
                history = await self._get(f"/history/{run.prompt_id}", as_json=True)
                run.outputs = history[run.prompt_id]["outputs"]
                run.seconds = seconds_of(history[run.prompt_id].get("status") or {})
                runs.append(run)
        return runs

    async def _queue(self, session: aiohttp.ClientSession, prompt: Prompt) -> Run:
        request = {"prompt": prompt, "client_id": self._client_id}
        async with session.post(f"{self.url}/prompt", json=request) as answer:
            if answer.status != 200:
                raise ServerError(f"ComfyUI refused the prompt: {await answer.text()}")
            return Run((await answer.json())["prompt_id"])

    async def _follow(
        self,
        events: aiohttp.ClientWebSocketResponse,
        run: Run,
        on_step: Callable[[str, int, int], None] | None,
        on_preview: Callable[[bytes], None] | None,
        on_text: Callable[[str, str], None] | None,
    ) -> None:
        """Read the server's messages until the prompt has ended."""
        async for message in events:
            if message.type is aiohttp.WSMsgType.BINARY:
                kind, number = struct.unpack(">II", message.data[:8])
                if kind == PREVIEW_MESSAGE and on_preview:
                    on_preview(message.data[8:])
                if kind == TEXT_MESSAGE and on_text:
                    on_text(message.data[8 : 8 + number].decode(), message.data[8 + number :].decode())
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            data = event.get("data", {})
            if data.get("prompt_id") != run.prompt_id:
                continue
            match event["type"]:
                case "executing" if data.get("node"):
                    run.executed.append(data["node"])
                case "progress" if on_step:
                    on_step(data["node"], data["value"], data["max"])
                case "executing":  # no node: the prompt has ended and its history is written
                    return
                case "execution_error":
                    raise self._error(f"{data['node_type']} failed: {data['exception_message']}")
                case "execution_interrupted":
                    raise self._error("the prompt was interrupted")
        raise self._error("ComfyUI closed the connection before the prompt had ended")

    def _error(self, text: str) -> ServerError:
        return ServerError(text)


class Server(Client):
    """Runs `main.py` of a ComfyUI on a free port of the loopback as long as the `with` block lasts.

    Args:
        comfyui: folder of the ComfyUI.
        base_directory: its models, input, output and custom_nodes (see make_base_directory); its log goes there too.
        arguments: further command line arguments.
        python: interpreter; this process's own unless given.
        environment: variables beside those of this process.
        log_file: where its log goes; `server.log` in the base directory unless given.
    """

    def __init__(
        self,
        comfyui: Path,
        base_directory: Path,
        arguments: list[str],
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        log_file: Path | None = None,
    ) -> None:
        self.base_directory = base_directory
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.log_file = log_file or base_directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._comfyui = comfyui
        self._environment = {**os.environ, **(environment or {})}
        self._command = [str(python), str(comfyui / "main.py"), "--port", str(self.port), "--disable-auto-launch"]
        self._command += ["--base-directory", str(base_directory), "--database-url", "sqlite:///:memory:"]
        self._command += ["--disable-api-nodes", *arguments]

    def __enter__(self) -> "Server":
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._comfyui,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._error(f"ComfyUI ended with exit code {self._process.returncode} while it started")
            try:
                self.get("/system_stats")
                return self
            except aiohttp.ClientError:
                time.sleep(0.3)
        self.__exit__()
        raise self._error(f"ComfyUI did not answer on {self.url} within {START_SECONDS} s")

    def __exit__(self, *_exception: object) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def process_id(self) -> int:
        """The server's process, while it runs."""
        assert self._process
        return self._process.pid

    def log_tail(self) -> str:
        """Return the last lines of the server's log."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    def post(self, path: str, data: dict[str, Any] | None = None) -> None:
        """POST JSON to this path; may be called while a prompt is followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, json.dumps(data or {}), {"Content-Type": "application/json"})
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != 200:
            raise self._error(f"ComfyUI answered {status} to {path}")

    def _error(self, text: str) -> ServerError:
        return ServerError(f"{text}\n--- last lines of {self.log_file} ---\n{self.log_tail()}")
