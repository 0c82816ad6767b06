"""Colour a chunk of a shot's frames through the session's ComfyUI, leaving out those that are already done."""

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfyui_client import ComfyUIGone, PromptFailed, run_prompt
from comfyui_session import SessionError, keep_alive, wait_for_comfyui
from job_log import fail, log, progress, start_logging, status
from shot_files import (
    ShotError,
    check_carrier,
    digest,
    named_for,
    numbered,
    parse_frames,
    runs,
    stamp_of,
    stamped,
    write_whole,
)
from shot_prompt import for_frames, input_files, read_workflow, reading, saver, use_carrier, without_masks

#: Enters every frame's hash; raised when frames come out differently from the same inputs.
RECIPE = b"colorize_shot 1"
#: How often a run of frames is begun anew after ComfyUI has died.
TRIES = 3


@dataclass(frozen=True)
class Job:
    """What a task was asked to do."""

    session: Path
    frames: list[int]
    drawings: Path
    masks: Path | None
    references: Path | None
    carrier: Path | None
    workflow: Path
    output: Path
    overwrite: bool


class Chunk:
    """The frames of a task: their files, their prompt, and the hash of all that goes into each."""

    def __init__(self, job: Job):
        self.job = job
        self.prompt = read_workflow(job.workflow)
        self.number, missing = reading(self.prompt, "Drawings")
        self.drawings = numbered(job.drawings, job.frames, self.number, missing)
        self.frames = list(self.drawings)
        self.masks = {}
        if job.masks:
            number, missing = reading(self.prompt, "Masks")
            # A mask that is missing cannot be skipped: its drawing is there.
            missing = "hold" if missing == "hold" else "refuse"
            self.masks = numbered(job.masks, self.frames, number, missing)
        if job.output.resolve() in [folder.resolve() for folder in (job.drawings, job.masks) if folder]:
            raise ShotError("OutputFolder is the folder of the drawings or masks: coloured frames would replace them.")
        # Copied into ComfyUI's input folder: {name there: file}.
        self.inputs = input_files(self.prompt, job.references)
        if job.carrier:
            check_carrier(job.carrier)
            name = f"job-{digest(job.carrier)[:16]}.carrier.safetensors"
            self.prompt, self.inputs = use_carrier(self.prompt, name), {**self.inputs, name: job.carrier}
        if not job.masks:
            self.prompt = without_masks(self.prompt)
        nodes = {key: {k: v for k, v in node.items() if k != "_meta"} for key, node in self.prompt.items()}
        shared = [json.dumps(nodes, sort_keys=True).encode()]
        shared += [part for name, path in sorted(self.inputs.items()) for part in (name.encode(), path.read_bytes())]
        self._shared = digest(*shared).encode()

    def stamp(self, frame: int) -> str:
        """Hash everything that a frame is made from."""
        mask = self.masks.get(frame, b"")
        return digest(RECIPE, self._shared, str(frame).encode(), self.drawings[frame], mask)

    def target(self, frame: int) -> Path:
        """Return the file of a coloured frame."""
        return self.job.output / f"{named_for(frame, self.drawings[frame], self.number)}.png"

    def is_done(self, frame: int) -> bool:
        """Tell whether a frame has been written from the very same inputs."""
        return not self.job.overwrite and stamp_of(self.target(frame)) == self.stamp(frame)

    def stage(self, frames: list[int]) -> Path:
        """Copy a run's files into ComfyUI's input folder; return the run's own folder in it."""
        target = self.job.session / "input"
        for name, path in self.inputs.items():
            if not (target / name).is_file() or digest(target / name) != digest(path):
                shutil.copyfile(path, target / name)
        folder = target / f"frames-{frames[0]}-{digest(*(self.stamp(f).encode() for f in frames))[:16]}"
        for kind, files in (("drawings", self.drawings), ("masks", self.masks)):
            for frame in frames if files else ():
                (folder / kind).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(files[frame], folder / kind / f"frame_{frame:08}{files[frame].suffix.lower()}")
        return folder

    def colour(self, frames: list[int], on_step: Callable[[float], None]) -> None:
        """Colour consecutive frames and write them."""
        folder = self.stage(frames)
        masks = f"{folder.name}/masks" if self.masks else None
        prompt = for_frames(self.prompt, frames[0], f"{folder.name}/drawings", masks)
        pictures = run_again(self.job.session, prompt, on_step)
        if len(pictures) != len(frames):
            raise ShotError(
                f"The workflow saved {len(pictures)} pictures for {len(frames)} frames. Wire the frame count of Load "
                "Frames to batch_size of Empty Latent Image."
            )
        self.job.output.mkdir(parents=True, exist_ok=True)
        for frame, (_, png) in zip(frames, pictures, strict=True):
            write_whole(self.target(frame), stamped(png, self.stamp(frame)))
            log.info("wrote frame %d: %s", frame, self.target(frame))
        for image, _ in pictures:
            (self.job.session / "output" / image["subfolder"] / image["filename"]).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def run_again(session: Path, prompt: dict[str, Any], on_step: Callable[[float], None]):
    """Run a prompt, and once more on a ComfyUI that was started again when it has died."""
    for attempt in range(1, TRIES + 1):
        url = wait_for_comfyui(session)
        try:
            return run_prompt(url, prompt, saver(prompt), on_step)
        except ComfyUIGone as error:
            log.info("ComfyUI has died (%s); attempt %d of %d", error, attempt, TRIES)
    raise SessionError(f"ComfyUI has died {TRIES} times over these frames; its log is {session / 'comfyui.log'}.")


def colour_frames(job: Job) -> None:
    """Colour the frames of a task that are not done yet."""
    chunk = Chunk(job)
    todo = [frame for frame in chunk.frames if not chunk.is_done(frame)]
    done, total = len(chunk.frames) - len(todo), len(chunk.frames)
    if len(chunk.frames) < len(job.frames):
        log.info("skipped %d frames that have no drawing", len(job.frames) - len(chunk.frames))
    for frame in sorted(set(chunk.frames) - set(todo)):
        log.info("frame %d is already there: %s", frame, chunk.target(frame))
    progress(done, total)
    for frames in runs(todo):
        status(f"colouring frames {frames[0]} to {frames[-1]}")

        def on_step(part: float, before: int = done, count: int = len(frames)) -> None:
            progress(before + part * count, total)

        chunk.colour(frames, on_step)
        done += len(frames)
        progress(done, total)


def parse_job() -> Job:
    """Read the command line; an empty path is one that was not given."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("session", "drawings", "workflow", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("masks", "references", "carrier"):
        parser.add_argument(f"--{name}", type=lambda text: Path(text) if text else None)
    parser.add_argument("--frames", required=True)
    parser.add_argument("--overwrite", choices=("yes", "no"), default="no")
    given = vars(parser.parse_args())
    given["frames"] = parse_frames(given["frames"])
    given["overwrite"] = given["overwrite"] == "yes"
    return Job(**given)


def main() -> None:
    """Run the task; what goes wrong is told to the scheduler in a sentence."""
    start_logging()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a cancelled task, which leaves its prompt on the way out
    try:
        job = parse_job()
        keep_alive(job.session)
        colour_frames(job)
    except (ShotError, SessionError, PromptFailed, OSError) as error:
        fail(str(error))


if __name__ == "__main__":
    main()
