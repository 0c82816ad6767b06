"""Measure how steady the demonstration model's colours are over moving shots: python demo/evaluate_shots.py

Each shot is coloured from one carrier: a reference that shows another character in the right colours, and a picture of
the first frame's scenery. The anchor is the first frame as the model has coloured it. Intervals: 95 %, bootstrap
over shots.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from comfy_path import EXAMPLES
from flicker import COLUMNS, MovingShot, scores
from measure import bootstrap
from moving_scenes import SHOTS
from pipeline import Features, Pipeline, to_image

#: Seed of the noise; the anchor is noised with the same.
SEED = 0
SIZE = {"width": 128, "height": 128}
FEATURES = Features(split=True, injection=1.0)


class ShotPipeline:
    """Colours shots through the nodes of the pack.

    Args:
        pipeline: with the demonstration model loaded.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.run = pipeline, pipeline.run

    def prepare(self, shot: MovingShot) -> tuple[Any, Any, Any]:
        """Return model, positive and negative for all frames, of one carrier."""
        reference, scenery = (
            to_image([picture]) for picture in (shot.reference, shot.scenes[0].paint_background(shot.seed))
        )
        return self.pipeline.prepared(self.drawings(shot), reference, scenery, self.masks(shot), FEATURES, SIZE)

    def drawings(self, shot: MovingShot) -> Tensor:
        """Return the drawings of all frames."""
        return to_image([np.repeat(scene.drawing()[..., None], 3, axis=2) for scene in shot.scenes])

    def lines(self, shot: MovingShot) -> Tensor:
        """Return the line maps of all frames."""
        return self.run("ColorizePrepareSketch", image=self.drawings(shot), **SIZE)[0]

    def masks(self, shot: MovingShot) -> Tensor:
        """Return the characters' masks of all frames."""
        return to_image([scene.mask() for scene in shot.scenes])

    def anchored(self, model: Any, picture: Tensor, fidelity: float = 0.5, **own: Any) -> Any:
        """Return a model whose self-attentions look at a picture [1, 128, 128, 3]."""
        pipeline = self.pipeline
        inputs = {"fidelity": fidelity, "sketch_fidelity": 1.0 if own else 0.0, "start_percent": 0.0, "seed": SEED}
        return self.run(
            "ColorizeAttentionInjection",
            model=model,
            control_net=pipeline.sketch,
            vae=pipeline.vae,
            image=picture,
            **SIZE,
            **inputs,
            **own,
        )[0]

    def sample(self, shot: MovingShot, model: Any, positive: Any, negative: Any, seed_rule: str) -> Tensor:
        """Colour all frames: [N, 128, 128, 3] in [0, 1]."""
        prepared, settings = (model, positive, negative), {"seed_rule": seed_rule, "chunk_size": 0}
        return self.pipeline.sampled("ColorizeSampleSequence", prepared, shot.frames, SIZE, SEED, **settings)

    # --- the rows of the table ---

    def limit(self, shot: MovingShot) -> Tensor:
        """Encode and decode the right answers."""
        return self.pipeline.roundtrip(to_image([scene.paint(shot.seed, shot.seed) for scene in shot.scenes]))

    def per_frame(self, shot: MovingShot) -> Tensor:
        """Start every frame from another noise."""
        return self.sample(shot, *self.prepare(shot), "seed_per_frame")

    def same_noise(self, shot: MovingShot) -> Tensor:
        """Start every frame from the same noise."""
        return self.sample(shot, *self.prepare(shot), "same_noise")

    def anchor(self, shot: MovingShot, first: Tensor) -> Tensor:
        """Let every frame look at the first one, which has its own mask and lines."""
        own = {"reference_mask": self.masks(shot)[:1], "reference_lines": self.lines(shot)[:1]}
        model, *conditionings = self.prepare(shot)
        return self.sample(shot, self.anchored(model, first, **own), *conditionings, "same_noise")

    def bare_anchor(self, shot: MovingShot, first: Tensor) -> Tensor:
        """Let every frame look at the first one, whose mask and lines are not told."""
        model, *conditionings = self.prepare(shot)
        return self.sample(shot, self.anchored(model, first), *conditionings, "same_noise")


LIMIT, PER_FRAME, SAME = "autoencoder alone, on the right answer", "another noise per frame", "same noise"
BARE, ANCHOR = "anchor without mask and lines", "anchor"
ROWS = (LIMIT, PER_FRAME, SAME, BARE, ANCHOR)


class Coloured:
    """A shot's pictures by rows of the table, each coloured when it is asked for.

    Args:
        folder: where pictures are kept between runs, or None.
    """

    def __init__(self, pipeline: ShotPipeline, shot: MovingShot, folder: Path | None = None) -> None:
        self.pipeline, self.shot, self.folder = pipeline, shot, folder
        self._done: dict[str, np.ndarray] = {}

    def __getitem__(self, row: str) -> np.ndarray:
        """Return the pictures [N, 128, 128, 3] in [0, 1] of a row."""
        path = self.folder and self.folder / f"{self.shot.seed}-{self.shot.frames}-{row}.npy"
        if row not in self._done and path and path.is_file():
            self._done[row] = np.load(path)
        if row not in self._done:
            self._done[row] = self._colour(row).float().numpy()
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, self._done[row])
        return self._done[row]

    def _colour(self, row: str) -> Tensor:
        pipeline, shot = self.pipeline, self.shot
        if row in (BARE, ANCHOR):
            anchor = torch.from_numpy(self[SAME][:1])
            return pipeline.anchor(shot, anchor) if row == ANCHOR else pipeline.bare_anchor(shot, anchor)
        ways = {LIMIT: pipeline.limit, PER_FRAME: pipeline.per_frame, SAME: pipeline.same_noise}
        return ways[row](shot)


def ratio_interval(values: np.ndarray, others: np.ndarray, draws: int = 10_000) -> tuple[float, float]:
    """Return the 95 % interval of the ratio of two means over the same shots [N], drawn with replacement."""
    picks = np.random.default_rng(0).integers(len(values), size=(draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1) / others[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def report(rows: dict[str, np.ndarray]) -> str:
    """Write the table, and what each row brings beside the one before."""
    lines = ["| | " + " | ".join(COLUMNS) + " | 95 % of flicker |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, values in rows.items():
        low, high = bootstrap(values[:, 0])
        means = " | ".join(f"{mean:.2f}" for mean in np.nanmean(values, axis=0))
        lines.append(f"| {name} | {means} | {low:.2f} … {high:.2f} |")
    lines += ["", "Flicker falls, shot by shot, by", ""]
    for before, after in ((PER_FRAME, SAME), (SAME, BARE), (SAME, ANCHOR), (BARE, ANCHOR)):
        if before in rows and after in rows:
            was, now = rows[before][:, 0], rows[after][:, 0]
            low, high = bootstrap(was - now)
            fall = f"{(was - now).mean():.2f} ({low:.2f} … {high:.2f})"
            low, high = ratio_interval(now, was)
            lines.append(
                f"- {before} to {after}: {fall}, to {now.mean() / was.mean():.2f} ({low:.2f} … {high:.2f}) of it"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=EXAMPLES / "colorize-demo.safetensors")
    parser.add_argument("--shots", type=int, default=32)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--first", type=int, default=SHOTS, help="seed of the first shot; choose settings on others")
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=ROWS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for the pictures, from which they are scored again")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipeline = ShotPipeline(Pipeline(arguments.checkpoint))
    found: dict[str, list[np.ndarray]] = {name: [] for name in arguments.rows}
    for seed in range(arguments.first, arguments.first + arguments.shots):
        shot = MovingShot(seed, arguments.frames)
        pictures = Coloured(pipeline, shot, arguments.keep)
        for name, of_row in found.items():
            of_row.append(scores(shot, pictures[name]))
        print(f"shot {seed - arguments.first + 1} of {arguments.shots}", flush=True)
    print(f"\n{arguments.shots} shots of {arguments.frames} frames\n")
    print(report({name: np.stack(values) for name, values in found.items()}))


if __name__ == "__main__":
    main()
