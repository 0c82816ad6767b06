"""Colour a chunk of a shot's frames through the session's ComfyUI, leaving out those that are already done."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comfyui_client import run_again, saved_file
from job_log import log, progress, status
from job_task import given_path, run_task, task_parser
from shot_files import (
    ShotError,
    check_carrier,
    copy_frames,
    copy_inputs,
    digest,
    named_for,
    parse_frames,
    runs,
    stamp_of,
    stamped,
    write_whole,
)
from shot_prompt import (
    find_frames,
    for_frames,
    hash_of,
    input_files,
    read_workflow,
    saver,
    use_carrier,
    without_masks,
)

#: Enters every frame's hash; raised when frames come out differently from the same inputs.
RECIPE = b"colorize_shot 1"
SAMPLERS = ("ColorizeSampleSequence", "KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")


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
        self.number, self.drawings, self.masks = find_frames(self.prompt, job.frames, job.drawings, job.masks)
        self.frames = list(self.drawings)
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
        self._shared = hash_of(self.prompt, self.inputs).encode()

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
        copy_inputs(self.inputs, target)
        folder = target / f"frames-{frames[0]}-{digest(*(self.stamp(f).encode() for f in frames))[:16]}"
        for kind, files in (("drawings", self.drawings), ("masks", self.masks)):
            if files:
                copy_frames({frame: files[frame] for frame in frames}, folder / kind)
        return folder

    def colour(self, frames: list[int], on_step: Callable[[float], None]) -> None:
        """Colour consecutive frames and write them."""
        folder = self.stage(frames)
        masks = f"{folder.name}/masks" if self.masks else None
        prompt = for_frames(self.prompt, frames[0], f"{folder.name}/drawings", masks)

        def on_node(node: str, part: float) -> None:
            if prompt.get(node, {}).get("class_type") in SAMPLERS:
                on_step(part)

        told = run_again(self.job.session, prompt, on_node).get(saver(prompt), {}).get("images", [])
        pictures = [saved_file(self.job.session, picture) for picture in told]
        if len(pictures) != len(frames):
            raise ShotError(
                f"The workflow saved {len(pictures)} pictures for {len(frames)} frames. Wire the frame count of Load "
                "Frames to batch_size of Empty Latent Image."
            )
        self.job.output.mkdir(parents=True, exist_ok=True)
        for frame, picture in zip(frames, pictures, strict=True):
            write_whole(self.target(frame), stamped(picture.read_bytes(), self.stamp(frame)))
            log.info("wrote frame %d: %s", frame, self.target(frame))
        for picture in pictures:
            picture.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


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
    parser = task_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--carrier", type=given_path)
    given = vars(parser.parse_args())
    given["frames"] = parse_frames(given["frames"])
    given["overwrite"] = given["overwrite"] == "yes"
    return Job(**given)


if __name__ == "__main__":
    run_task(parse_job, colour_frames)
