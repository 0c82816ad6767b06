"""Draw the help pictures of Line Regions, Flats and Track Regions with the pack's own code, from the demonstration's
drawings.

python scripts/draw_flats_pictures.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "demo"))

from comfy_path import import_core  # noqa: E402
from draw_help_pictures import FOLDER, INK, PAPER  # noqa: E402
from flat_scenes import FlatScene, flat_scene  # noqa: E402
from moving_scenes import shot_poses  # noqa: E402

line_regions, flats = import_core("finish.line_regions"), import_core("finish.flats")
palettes = import_core("finish.palette")
shot_tracks, track_strip = import_core("finish.shot_tracks"), import_core("finish.track_strip")

SEED, DRAWN, GAPS = 5, 1024, "16 px"
#: Side of a picture, its margin, and the height of its name, in pixels.
SIDE, GAP, LABEL = 288, 14, 26
#: Colours of a help picture, so that its file is small.
COLORS = 128

#: A shot of so many frames, and those of them that are shown.
SHOT, FRAMES, SHOWN = 1_200_003, 16, (0, 5, 10, 15)

Tile = tuple[torch.Tensor, str]


def as_tensor(picture: np.ndarray) -> torch.Tensor:
    """Turn [N, N] or [N, N, 3] uint8 into [1, N, N, 3] in [0, 1]."""
    return torch.from_numpy(picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1))[None] / 255


def palette_of(scene: FlatScene) -> object:
    """The scene's palette, each colour with its shadow."""
    swatches = []
    for part, (base, shadow) in scene.palette.items():
        name = part.name.lower()
        swatches.append(palettes.Swatch(name, tuple(base.tolist())))
        swatches.append(palettes.Swatch(f"{name} shadow", tuple(shadow.tolist()), "shadow", name))
    return palettes.Palette(tuple(swatches))


def row(tiles: list[Tile], signs: str) -> Image.Image:
    """Set pictures [1, N, N, 3] side by side, each with its name below and a sign before the next."""
    sign = 3 * GAP
    width = 2 * GAP + len(tiles) * SIDE + len(signs) * sign
    canvas = Image.new("RGB", (width, SIDE + LABEL + 2 * GAP), PAPER)
    pen, x = ImageDraw.Draw(canvas), GAP
    for place, (picture, name) in enumerate(tiles):
        shown = Image.fromarray((picture[0] * 255).round().byte().numpy())
        canvas.paste(shown.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (x, GAP))
        pen.rectangle((x, GAP, x + SIDE - 1, GAP + SIDE - 1), outline=INK)
        pen.text((x + SIDE / 2, GAP + SIDE + 17), name, fill="#55535b", font=ImageFont.load_default(15), anchor="mm")
        if place < len(signs):
            middle = (x + SIDE + sign / 2, GAP + SIDE / 2)
            pen.text(middle, signs[place], fill=INK, font=ImageFont.load_default(30), anchor="mm")
        x += SIDE + sign
    return canvas.quantize(COLORS, dither=Image.Dither.NONE)


def tracked_frames() -> list[Tile]:
    """Draw frames of a shot with each track in a colour of its own."""
    scenes = [flat_scene(SHOT, DRAWN, "8 px", pose=pose, frame=i) for i, pose in enumerate(shot_poses(SHOT, FRAMES))]
    palette = palette_of(scenes[0])
    shot, frames = shot_tracks.ShotTracks(palette), []
    for scene in scenes:
        frames.append(line_regions.find_regions(as_tensor(scene.drawing), line_regions.RegionChoice(close_gap=40)))
        shot.add(as_tensor(scene.picture), frames[-1])
    found, tiles = shot.elected(), []
    tracks = 1 + max(int(frame.track.max()) for frame in found)
    for index in SHOWN:
        painted = shot_tracks.paint_tracks(frames[index], palette, found[index], shot.toned)
        nothing_new = np.zeros(len(found[index].track), dtype=bool)
        shown = track_strip.draw_tracks(painted, nothing_new, tracks, (SIDE, SIDE))
        tiles.append((shown, f"frame {index + 1}"))
    return tiles


def main() -> None:
    scene = flat_scene(SEED, DRAWN, GAPS)
    drawing, picture = as_tensor(scene.drawing), as_tensor(scene.picture)
    regions = line_regions.find_regions(drawing, line_regions.RegionChoice())
    shown = line_regions.draw_regions(regions)
    row([(drawing, "drawing"), (shown, "preview")], ">").save(FOLDER / "line_regions.png", optimize=True)
    tiles = [(picture, "image")]
    for shading in ("flat", "two_tones"):
        made = flats.make_flats(picture, regions, palette_of(scene), flats.FlatChoice(shading))
        tiles.append((made.image, shading))
    row(tiles, "> ").save(FOLDER / "flats.png", optimize=True)
    row(tracked_frames(), "   ").save(FOLDER / "track_regions.png", optimize=True)


if __name__ == "__main__":
    main()
