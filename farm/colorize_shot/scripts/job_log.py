"""What a job tells its scheduler: lines on standard output, some of which Open Job Description understands."""

import logging
import sys

log = logging.getLogger("colorize_shot")


def start_logging() -> None:
    """Send messages to standard output at once, bare, as `openjd_progress: 50` has to stand at a line's start."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)


def progress(done: float, total: float) -> None:
    """Report the part of a task that is done."""
    log.info("openjd_progress: %.1f", 100.0 * done / total if total else 100.0)


def status(text: str) -> None:
    """Report what a task is doing."""
    log.info("openjd_status: %s", text)


def fail(text: str) -> None:
    """End the action with a sentence that the scheduler shows."""
    log.info("openjd_fail: %s", text.replace("\n", " | "))
    raise SystemExit(1)
