"""Make the flats of a coloured shot through the session's ComfyUI: cels, palette, perhaps layers, of all its frames."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfyui_client import run_again, saved_file
from flats_folder import put_files, read_book, why_anew
from flats_prompt import (
    FlatsProgress,
    Prompt,
    for_shot,
    of_class,
    read_flats_workflow,
    saver_of_cels,
    saver_of_layers,
    titled,
    use_anchor,
    use_palette,
    with_layers,
    without_masks,
)
from job_log import log, progress, status
from job_task import given_path, run_task, task_parser
from shot_files import ShotError, copy_frames, copy_inputs, digest, named_for, number_in, parse_frames
from shot_prompt import find_frames, hash_of, input_files, read_prompt

#: Enters the shot's hash; raised when flats come out differently from the same inputs.
RECIPE = b"colorize_shot flats 1"
PALETTE, OVERVIEW, LAYERS = "palette.gpl", "tracks.png", "layers"


@dataclass(frozen=True)
class Job:
    """What the task was asked to do.

    Attributes:
        colour_workflow: the one that has coloured the frames; it says how the drawings are numbered.
        coloured: folder of the coloured frames. palette, anchor: files. anchor_frame: a number, or empty for the one in
            the anchor's name. output: None for no flats at all. layers: psd, ora, or no for none.
    """

    session: Path
    frames: list[int]
    drawings: Path
    masks: Path | None
    references: Path | None
    colour_workflow: Path
    workflow: Path
    coloured: Path
    palette: Path | None
    anchor: Path | None
    anchor_frame: str
    output: Path | None
    layers: str
    overwrite: bool


class Shot:
    """The frames of the job: their files, their prompt, and the hash of all that goes into their flats."""

    def __init__(self, job: Job, output: Path):
        self.job, self.output = job, output
        numbering = read_prompt(job.colour_workflow)
        self.number, self.drawings, self.masks = find_frames(numbering, job.frames, job.drawings, job.masks)
        if not self.drawings:
            raise ShotError(f"{job.drawings} has none of the job's frames.")
        self.names = {frame: named_for(frame, path, self.number) for frame, path in self.drawings.items()}
        self.colours = self._coloured()
        taken = [folder.resolve() for folder in (job.drawings, job.masks, job.coloured, job.references) if folder]
        if output.resolve() in taken:
            raise ShotError(
                "FlatsFolder is the folder of the drawings, masks, references or coloured frames; expected one of its "
                "own, for the cels have the drawings' names."
            )
        self.prompt = read_flats_workflow(job.workflow)
        # Copied into ComfyUI's input folder: {name there: file}.
        self.inputs = input_files(self.prompt, job.references)
        self.prompt = with_layers(self.prompt if self.masks else without_masks(self.prompt), job.layers)
        if job.palette:
            self.prompt = use_palette(self.prompt, self._given("palette", job.palette, ".gpl"))
        if job.anchor:
            file = self._given("anchor", job.anchor, job.anchor.suffix)
            self.prompt = use_anchor(self.prompt, file, self._anchor_index(job.anchor))

    def _coloured(self) -> dict[int, Path]:
        """Find the coloured frame of every drawing: it has the drawing's name."""
        files = {frame: self.job.coloured / f"{name}.png" for frame, name in self.names.items()}
        lacking = [frame for frame, path in files.items() if not path.is_file()]
        if lacking:
            raise ShotError(
                f"{self.job.coloured} lacks {len(lacking)} of the job's coloured frames, first {lacking[0]} "
                f"({files[lacking[0]].name}). Run the step Colour first."
            )
        return files

    def _given(self, what: str, file: Path, suffix: str) -> str:
        """Take a file of the job; return its name in ComfyUI's input folder."""
        if not file.is_file():
            raise ShotError(f"The job's {what} {file} is no file on this worker.")
        name = f"job-{what}-{digest(file)[:16]}{suffix.lower()}"
        self.inputs[name] = file
        return name

    def _anchor_index(self, anchor: Path) -> int:
        """Return which of the job's frames the anchor shows, from 0."""
        told = self.job.anchor_frame.strip()
        match = None if told else number_in(anchor, self.number)
        try:
            return list(self.drawings).index(int(match[0] if match else told))
        except ValueError:
            given = repr(told) if told else f"empty, and {anchor.name} has {match[0] if match else 'no number'}"
            raise ShotError(
                f"AnchorFrame is {given}; expected the number of one of the job's frames, from {min(self.drawings)} to "
                f"{max(self.drawings)}: the frame that AnchorFile shows."
            ) from None

    def stamp(self) -> str:
        """Hash everything that the flats are made from."""
        parts: list[bytes | Path] = [RECIPE, hash_of(self.prompt, self.inputs).encode()]
        for frame, name in self.names.items():
            mask = self.masks.get(frame, b"")
            parts += [str(frame).encode(), name.encode(), self.drawings[frame], self.colours[frame], mask]
        return digest(*parts)

    def make(self, stamp: str) -> None:
        """Make the flats and write them."""
        place = f"flats-{stamp[:16]}"
        with self._staged(place) as folders:
            prompt = for_shot(self.prompt, folders, place, next(iter(self.drawings)))
            steps = FlatsProgress(prompt)
            told = run_again(self.job.session, prompt, steps.after)
            status("writing the flats")
            put_files(self.output, self._results(prompt, told), stamp)

    @contextmanager
    def _staged(self, place: str) -> Iterator[dict[str, str]]:
        """Copy the shot's files into a folder of ComfyUI's input folder for a while: {title: subfolder}.

        After a failure they stay, with what ComfyUI has saved, until the session ends.
        """
        inputs = self.job.session / "input"
        copy_inputs(self.inputs, inputs)
        kinds = {"Drawings": self.drawings, "Colour": self.colours, "Masks": self.masks}
        staged = {title: files for title, files in kinds.items() if files}
        for title, files in staged.items():
            copy_frames(files, inputs / place / title.lower())
        yield {title: f"{place}/{title.lower()}" for title in staged}
        for folder in (inputs, self.job.session / "output"):
            shutil.rmtree(folder / place, ignore_errors=True)

    def _results(self, prompt: Prompt, told: dict[str, dict[str, Any]]) -> dict[str, Path]:
        """Return what was saved, as it is to lie below the folder: {name: file}."""
        saved = told.get(saver_of_cels(prompt), {})
        cels = self._files(saved.get("cels") or saved.get("images", []))  # TGA are no pictures that the page shows
        results = self._named(cels, "cels")
        (results[PALETTE],) = cels[0].parent.glob("*.gpl")
        if of_class(prompt, "ColorizeSaveLayers"):
            layers = self._files(told.get(saver_of_layers(prompt), {}).get("layers", []))
            results |= {f"{LAYERS}/{name}": path for name, path in self._named(layers, "layered files").items()}
        overview = titled(prompt, "SaveImage", "Tracks")
        pictures = self._files(told.get(overview or "", {}).get("images", []))
        if pictures:
            results[OVERVIEW] = pictures[0]
        return results

    def _files(self, told: list[dict[str, str]]) -> list[Path]:
        return [saved_file(self.job.session, file) for file in told]

    def _named(self, files: list[Path], what: str) -> dict[str, Path]:
        """Name a file of each frame like its drawing."""
        if len(files) != len(self.names):
            raise ShotError(
                f"The workflow saved {len(files)} {what} for {len(self.names)} frames. Wire the regions of all frames "
                "of Drawings to the node that saves them."
            )
        return {f"{name}{file.suffix}": file for name, file in zip(self.names.values(), files, strict=True)}


def make_flats(job: Job) -> None:
    """Make the flats of the shot, unless they are there already."""
    if job.output is None:
        log.info("FlatsFolder is empty: the job makes no flats")
        return
    shot = Shot(job, job.output)
    stamp = shot.stamp()
    why = "Overwrite is yes" if job.overwrite else why_anew(job.output, stamp)
    if not why:
        log.info("all %d files of the flats are already there: %s", len(read_book(job.output).files), job.output)
        progress(1, 1)
        return
    log.info("flats are made: %s", why)
    status(f"making flats of {len(shot.drawings)} frames")
    progress(0, 1)
    shot.make(stamp)
    progress(1, 1)


def parse_job() -> Job:
    """Read the command line; an empty path is one that was not given."""
    parser = task_parser(__doc__)
    for name in ("colour-workflow", "coloured"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("palette", "anchor", "output"):
        parser.add_argument(f"--{name}", type=given_path)
    parser.add_argument("--anchor-frame", default="")
    parser.add_argument("--layers", choices=("no", "psd", "ora"), default="no")
    given = vars(parser.parse_args())
    given["frames"] = parse_frames(given["frames"])
    given["overwrite"] = given["overwrite"] == "yes"
    return Job(**given)


if __name__ == "__main__":
    run_task(parse_job, make_flats)
