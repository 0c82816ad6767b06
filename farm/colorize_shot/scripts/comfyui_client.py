"""A prompt sent to a ComfyUI on this machine, followed to its end, and the files that it has saved."""

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from comfyui_session import SessionError, wait_for_comfyui
from job_log import log

Prompt = dict[str, Any]
#: Called with a node's id and the part of its work that is done, in [0, 1].
OnStep = Callable[[str, float], None]

#: How often work is begun anew after ComfyUI has died.
TRIES = 3


class PromptFailed(RuntimeError):
    """ComfyUI refused the prompt or a node failed; trying again would not help."""


class ComfyUIGone(ConnectionError):
    """ComfyUI has died or is being started."""


def run_again(session: Path, prompt: Prompt, on_step: OnStep) -> dict[str, dict[str, Any]]:
    """Run a prompt, and once more on a ComfyUI that was started again when it has died; see `run_prompt`."""
    for attempt in range(1, TRIES + 1):
        url = wait_for_comfyui(session)
        try:
            return run_prompt(url, prompt, on_step)
        except ComfyUIGone as error:
            log.info("ComfyUI has died (%s); attempt %d of %d", error, attempt, TRIES)
    raise SessionError(f"ComfyUI has died {TRIES} times over these frames; its log is {session / 'comfyui.log'}.")


def run_prompt(url: str, prompt: Prompt, on_step: OnStep) -> dict[str, dict[str, Any]]:
    """Run a prompt; return what each node that saves or shows something tells of it, by the node's id.

    Args:
        url: of ComfyUI. prompt: in API format.

    Raises:
        PromptFailed, ComfyUIGone
    """
    try:
        return asyncio.run(_run(url, prompt, on_step))
    except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
        raise ComfyUIGone(f"{type(error).__name__}: {error}") from error


def saved_file(session: Path, told: dict[str, str]) -> Path:
    """Return the file that a node tells of; the session's ComfyUI saves into the session's own folder."""
    return session / told["type"] / told["subfolder"] / told["filename"]


async def _run(url: str, prompt: Prompt, on_step: OnStep) -> dict[str, dict[str, Any]]:
    client = uuid.uuid4().hex
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=30)) as session:
        async with session.ws_connect(f"{url}/ws?clientId={client}", max_msg_size=0, heartbeat=60) as events:
            async with session.post(f"{url}/prompt", json={"prompt": prompt, "client_id": client}) as answer:
                if answer.status == 400:
                    raise PromptFailed(f"ComfyUI refuses the workflow: {await answer.text()}")
                answer.raise_for_status()
                prompt_id = (await answer.json())["prompt_id"]
            try:
                await _follow(events, prompt_id, on_step)
            except (PromptFailed, ComfyUIGone):
                raise
            except BaseException:  # the task was cancelled
                await _interrupt(session, url, prompt_id)
                raise
        async with session.get(f"{url}/history/{prompt_id}") as answer:
            answer.raise_for_status()
            outputs: dict[str, dict[str, Any]] = (await answer.json())[prompt_id]["outputs"]
            return outputs


async def _follow(events: aiohttp.ClientWebSocketResponse, prompt_id: str, on_step: OnStep) -> None:
    """Read ComfyUI's messages until the prompt has ended."""
    async for message in events:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        event = json.loads(message.data)
        kind, data = event["type"], event.get("data", {})
        if data.get("prompt_id") != prompt_id:
            continue
        if kind == "progress" and data.get("node"):
            on_step(data["node"], data["value"] / max(1, data["max"]))
        elif kind == "executing" and data.get("node") is None:
            return
        elif kind == "execution_error":
            raise PromptFailed(f"{data['node_type']}: {data['exception_message']}")
        elif kind == "execution_interrupted":
            raise PromptFailed("the prompt was interrupted")
    raise ComfyUIGone("ComfyUI closed the connection before the frames were done")


async def _interrupt(session: aiohttp.ClientSession, url: str, prompt_id: str) -> None:
    """Make ComfyUI leave a prompt, as far as it still listens."""
    try:
        timeout = aiohttp.ClientTimeout(total=5)
        await session.post(f"{url}/queue", json={"delete": [prompt_id]}, timeout=timeout)
        await session.post(f"{url}/interrupt", timeout=timeout)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        return
