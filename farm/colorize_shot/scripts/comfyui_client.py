"""A prompt sent to a ComfyUI on this machine, followed to its end, and its pictures fetched."""

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp

Prompt = dict[str, Any]
#: Called with the part of the slowest node that is done, in [0, 1].
OnStep = Callable[[float], None]

SAMPLERS = ("ColorizeSampleSequence", "KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")


class PromptFailed(RuntimeError):
    """ComfyUI refused the prompt or a node failed; trying again would not help."""


class ComfyUIGone(ConnectionError):
    """ComfyUI has died or is being started."""


def run_prompt(url: str, prompt: Prompt, node: str, on_step: OnStep) -> list[tuple[dict[str, str], bytes]]:
    """Run a prompt; return (where ComfyUI has saved it, contents) of each picture that one of its nodes saves.

    Args:
        url: of ComfyUI. prompt: in API format. node: id of the node that saves the pictures.

    Raises:
        PromptFailed, ComfyUIGone
    """
    try:
        return asyncio.run(_run(url, prompt, node, on_step))
    except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError) as error:
        raise ComfyUIGone(f"{type(error).__name__}: {error}") from error


async def _run(url: str, prompt: Prompt, node: str, on_step: OnStep) -> list[tuple[dict[str, str], bytes]]:
    client = uuid.uuid4().hex
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=30)) as session:
        async with session.ws_connect(f"{url}/ws?clientId={client}", max_msg_size=0, heartbeat=60) as events:
            async with session.post(f"{url}/prompt", json={"prompt": prompt, "client_id": client}) as answer:
                if answer.status == 400:
                    raise PromptFailed(f"ComfyUI refuses the workflow: {await answer.text()}")
                answer.raise_for_status()
                prompt_id = (await answer.json())["prompt_id"]
            try:
                await _follow(events, prompt, prompt_id, on_step)
            except (PromptFailed, ComfyUIGone):
                raise
            except BaseException:  # the task was cancelled
                await _interrupt(session, url, prompt_id)
                raise
        async with session.get(f"{url}/history/{prompt_id}") as answer:
            answer.raise_for_status()
            outputs = (await answer.json())[prompt_id]["outputs"]
        saved = outputs.get(node, {}).get("images", [])
        return [(image, await _fetch(session, url, image)) for image in saved]


async def _follow(events: aiohttp.ClientWebSocketResponse, prompt: Prompt, prompt_id: str, on_step: OnStep) -> None:
    """Read ComfyUI's messages until the prompt has ended."""
    async for message in events:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        event = json.loads(message.data)
        kind, data = event["type"], event.get("data", {})
        if data.get("prompt_id") != prompt_id:
            continue
        if kind == "progress" and prompt.get(data.get("node"), {}).get("class_type") in SAMPLERS:
            on_step(data["value"] / max(1, data["max"]))
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


async def _fetch(session: aiohttp.ClientSession, url: str, image: dict[str, str]) -> bytes:
    async with session.get(f"{url}/view", params=image) as answer:
        answer.raise_for_status()
        return await answer.read()
