"""One headless ComfyUI for a worker session, started again when it dies.

    start      begins a supervisor in the background, waits until ComfyUI answers, hands its port on with openjd_env
    supervise  runs ComfyUI and starts it again when it ends; ends with the session
    stop       ends both

What they know of one another stands in the session's folder: `state.json`; `stop`, which ends the supervisor; and
`alive`, which every running task touches.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from job_log import fail, log, start_logging

START_SECONDS = 900
STOP_SECONDS = 60
TOUCH_SECONDS = 0.5
#: ComfyUI is given up when it has ended so often without ever having answered.
VAIN_STARTS = 3


class SessionError(RuntimeError):
    """ComfyUI cannot be run in this session."""


# --- for tasks ---


def read_state(session: Path) -> dict[str, Any]:
    """Return what the supervisor has written last: port, pids, starts; `ended` with the reason, once it has."""
    try:
        state: dict[str, Any] = json.loads((session / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state


def wait_for_comfyui(session: Path, seconds: float = START_SECONDS) -> str:
    """Wait until ComfyUI answers; return its address."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = read_state(session)
        if state.get("ended"):
            raise SessionError(state["ended"])
        if state and answers(state["port"]):
            return f"http://127.0.0.1:{state['port']}"
        time.sleep(0.3)
    raise SessionError(f"ComfyUI does not answer after {seconds:.0f} s.\n{log_tail(session)}")


def keep_alive(session: Path) -> None:
    """Tell the supervisor that the session is in use, and end when who started this process is gone.

    A worker that was killed leaves its task behind, which would colour frames that the next run colours too.
    """
    parent = os.getppid()

    def touch() -> None:
        while os.getppid() == parent:
            with contextlib.suppress(OSError):
                (session / "alive").touch()
            time.sleep(TOUCH_SECONDS)
        os._exit(1)

    threading.Thread(target=touch, daemon=True).start()


def answers(port: int) -> bool:
    """Tell whether a ComfyUI answers on a port of the loopback."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/system_stats", timeout=10) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def log_tail(session: Path, lines: int = 30) -> str:
    """Return the last lines that ComfyUI has written."""
    try:
        text = (session / "comfyui.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(ComfyUI has written nothing)"
    return "\n".join(text.splitlines()[-lines:])


# --- the environment's actions ---


def start(session: Path, comfyui: str, arguments: str, idle_seconds: float) -> None:
    """Start the supervisor and wait for ComfyUI."""
    folder = Path(comfyui or os.environ.get("COMFYUI_PATH") or "").expanduser()
    if not (folder / "main.py").is_file():
        fail(
            f"ComfyUI is looked for in {str(folder)!r}, but there is no main.py in it. Set the job's parameter "
            "ComfyUI, or COMFYUI_PATH on the worker."
        )
    for name in ("input", "output", "temp", "user"):
        (session / name).mkdir(parents=True, exist_ok=True)
    (session / "stop").unlink(missing_ok=True)
    (session / "alive").touch()
    command = [sys.executable, __file__, "supervise", f"--session={session}", f"--comfyui={folder}"]
    command += [f"--arguments={arguments}", f"--idle-seconds={idle_seconds}"]
    if sys.platform == "win32":
        detached: dict[str, Any] = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    else:
        detached = {"start_new_session": True}
    with (session / "supervisor.log").open("ab") as output:
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **detached)
    keep_alive(session)
    try:
        url = wait_for_comfyui(session)
    except SessionError as error:
        fail(str(error))
    log.info("ComfyUI answers on %s", url)
    log.info("openjd_env: COLORIZE_COMFYUI_PORT=%d", read_state(session)["port"])


def stop(session: Path) -> None:
    """End the supervisor and ComfyUI."""
    (session / "stop").touch()
    deadline = time.monotonic() + STOP_SECONDS
    while not read_state(session).get("ended") and time.monotonic() < deadline:
        time.sleep(0.2)
    state = read_state(session)
    log.info("ComfyUI: %s; it was started %d times", state.get("ended", "did not end"), state.get("starts", 0))


# --- the supervisor ---


def supervise(session: Path, folder: Path, arguments: str, idle_seconds: float) -> None:
    """Run ComfyUI until the session ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port, starts, in_vain = free_port(), 0, 0
    command = [sys.executable, str(folder / "main.py"), "--port", str(port), "--disable-auto-launch"]
    command += ["--database-url", "sqlite:///:memory:", *shlex.split(arguments)]
    for name in ("input", "output", "temp", "user"):
        command += [f"--{name}-directory", str(session / name)]
    state: dict[str, Any] = {"port": port, "supervisor": os.getpid()}
    reason = "the supervisor was ended"
    try:
        while in_vain < VAIN_STARTS:
            starts += 1
            answered, reason = run_once(session, folder, command, {**state, "starts": starts}, idle_seconds)
            if reason:
                return
            in_vain = 0 if answered else in_vain + 1
        reason = f"ComfyUI ended {in_vain} times before it answered.\n{log_tail(session)}"
    finally:
        write_state(session, {**state, "starts": starts, "ended": reason or "ended"})


def run_once(
    session: Path, folder: Path, command: list[str], state: dict[str, Any], idle_seconds: float
) -> tuple[bool, str]:
    """Run ComfyUI once; return whether it has answered, and why it should not be started again, if so."""
    with (session / "comfyui.log").open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    answered = False
    try:
        write_state(session, {**state, "comfyui": process.pid})
        while process.poll() is None:
            if reason := reason_to_end(session, idle_seconds):
                return answered, reason
            answered = answered or answers(state["port"])
            time.sleep(0.3)
        return answered, ""
    finally:
        end_process(process)


def reason_to_end(session: Path, idle_seconds: float) -> str:
    """Say why the supervisor has to end; nothing while it has not."""
    if (session / "stop").exists():
        return "ended with the session"
    try:
        idle = time.time() - (session / "alive").stat().st_mtime
    except OSError:
        return "the session's folder is gone"
    return f"no task for {idle_seconds:.0f} s" if idle > idle_seconds else ""


def end_process(process: subprocess.Popen) -> None:
    """Ask a process to end, then make it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write_state(session: Path, state: dict[str, Any]) -> None:
    """Write what tasks should know, whole or not at all."""
    part = session / "state.part"
    with contextlib.suppress(OSError):  # the session's folder may be gone
        part.write_text(json.dumps(state), encoding="utf-8")
        part.replace(session / "state.json")


def free_port() -> int:
    """Find a port of the loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Run one of the three actions."""
    start_logging()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=("start", "supervise", "stop"))
    parser.add_argument("--session", type=Path, required=True)
    parser.add_argument("--comfyui", default="")
    parser.add_argument("--arguments", default="")
    parser.add_argument("--idle-seconds", type=float, default=1800.0)
    given = parser.parse_args()
    if given.action == "start":
        start(given.session, given.comfyui, given.arguments, given.idle_seconds)
    elif given.action == "supervise":
        supervise(given.session, Path(given.comfyui), given.arguments, given.idle_seconds)
    else:
        stop(given.session)


if __name__ == "__main__":
    main()
