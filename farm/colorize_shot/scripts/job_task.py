"""What all tasks of the job have in common: inputs, signals, and how a failure is told."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from comfyui_client import PromptFailed
from comfyui_session import SessionError, keep_alive
from job_log import fail, start_logging
from shot_files import ShotError


class InSession(Protocol):
    """What a task was asked to do, and the session that it runs in."""

    @property
    def session(self) -> Path: ...


Job = TypeVar("Job", bound=InSession)


def given_path(text: str) -> Path | None:
    """Read a path that may be left out: an empty one was not given."""
    return Path(text) if text else None


def task_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the arguments that every task has."""
    parser = argparse.ArgumentParser(description=description)
    for name in ("session", "drawings", "workflow"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("masks", "references"):
        parser.add_argument(f"--{name}", type=given_path)
    parser.add_argument("--frames", required=True)
    parser.add_argument("--overwrite", choices=("yes", "no"), default="no")
    return parser


def run_task(parse: Callable[[], Job], work: Callable[[Job], None]) -> None:
    """Run a task; what goes wrong is told to the scheduler in a sentence."""
    start_logging()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a cancelled task, which leaves its prompt on the way out
    try:
        job = parse()
        keep_alive(job.session)
        work(job)
    except (ShotError, SessionError, PromptFailed, OSError) as error:
        fail(str(error))
