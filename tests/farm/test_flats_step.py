"""The farm's second step with openjd-cli and real ComfyUI servers: flats of a whole shot, stopped and begun anew."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw
from shot_run import BUNDLE, FRAMES, SIZE

pytestmark = pytest.mark.thorough

#: No drawing has the number 8.
DRAWN = [frame for frame in FRAMES if frame != 8]
NAMES = [f"sc3_{frame:04}_v2.png" for frame in DRAWN]
#: Of the drawings; coloured frames are smaller.
WIDTH, HEIGHT = 480, 360
#: Beside the cels.
OTHERS = [".colorize_flats.json", "palette.gpl", "tracks.png"]
GPL = "GIMP Palette\nName: hero\nColumns: 0\n#\n200  72  60 jumper\n136 192 232 hair\n 60 160  80 shoes\n"


@pytest.fixture(scope="module")
def gaps(shot, tmp_path_factory):
    """A shot that lacks a drawing, whose names go on after the number: parameters of the job."""
    folder = tmp_path_factory.mktemp("gaps")
    for kind, ground in (("drawings", 255), ("masks", 0)):
        (folder / kind).mkdir()
        for frame, name in zip(DRAWN, NAMES, strict=True):
            draw_figure(frame, kind, ground).save(folder / kind / name)
    workflow = json.loads((shot / "v2.json").read_text(encoding="utf-8"))
    for node in workflow.values():
        if node["class_type"] == "ColorizeLoadFrames":
            node["inputs"] |= {"missing": "skip", "number": "second_last"}
    (folder / "workflow.json").write_text(json.dumps(workflow), encoding="utf-8")
    return {
        "DrawingsFolder": folder / "drawings",
        "MasksFolder": folder / "masks",
        "Workflow": folder / "workflow.json",
        "FlatsFolder": folder / "flats",
        "output": folder / "colour",
        "chunk": 12,
    }


def draw_figure(frame, kind, ground):
    """A head on a body, walking to the right."""
    picture = Image.new("L", (WIDTH, HEIGHT), ground)
    line = {"outline": 0, "width": 4} if kind == "drawings" else {"fill": 255}
    left = 60 + 12 * frame
    ImageDraw.Draw(picture).rectangle((left, 170, left + 120, 330), **line)
    ImageDraw.Draw(picture).ellipse((left + 10, 30, left + 110, 150), **line)
    return picture


def is_making_flats(run):
    return bool(re.search(r"making flats of 11 frames.*?openjd_progress: [1-9]", run.log, re.S))


def read_gpl(path):
    return [tuple(map(int, line.split()[:3])) for line in path.read_text().splitlines() if re.match(r" *\d", line)]


def test_stopped_twice_and_begun_anew(job, gaps):
    """Colour and flats in one run; a second one goes on where the first was killed, the third has other inputs."""
    flats = gaps["FlatsFolder"]
    killed = job(step=None, **gaps)
    killed.wait_for(lambda: is_making_flats(killed))
    killed.process.kill()
    killed.process.wait()
    assert sorted(killed.written) == DRAWN
    assert not flats.exists() or not list(flats.iterdir()), "the flats were written before the run was killed"

    run = job(step=None, **gaps)
    run.wait_for(lambda: is_making_flats(run))
    os.kill(run.state["comfyui"], signal.SIGKILL)
    run.finish()
    assert not run.written and run.log.count("is already there") == len(DRAWN)
    assert "it was started 2 times" in run.log
    assert sorted(path.name for path in flats.iterdir()) == sorted(NAMES + OTHERS)
    assert re.findall(r"wrote \S*/flats/(\S+)", run.log) == [*NAMES, "palette.gpl", "tracks.png"]
    check_cels(flats, read_gpl(flats / "palette.gpl"))
    check_nothing_is_done_again(gaps)
    check_changed_inputs(job, gaps)


def check_cels(flats, palette):
    """Each cel shows its own drawing, in colours of the palette and black lines, without soft edges."""
    masks = [np.asarray(draw_figure(frame, "masks", 0)) > 0 for frame in DRAWN]
    painted = []
    for name, mask in zip(NAMES, masks, strict=True):
        cel = np.asarray(Image.open(flats / name).convert("RGBA"))
        assert cel.shape == (HEIGHT, WIDTH, 4)
        painted.append(cel[..., 3] == 255)
        assert {tuple(color) for color in cel[painted[-1]][:, :3].tolist()} <= {*palette, (0, 0, 0)}
        assert set(np.unique(cel[..., 3])) == {0, 255} and (painted[-1] != mask).mean() < 0.01
    assert all((a != b).any() for a, b in itertools.pairwise(painted))


def check_nothing_is_done_again(gaps):
    """The task alone needs no ComfyUI to find that all is there."""
    flats = gaps["FlatsFolder"]
    before = {path: path.stat().st_mtime_ns for path in flats.iterdir()}
    command = [sys.executable, BUNDLE / "scripts" / "make_flats.py", "--session=/nowhere", "--frames=1-12"]
    command += [f"--drawings={gaps['DrawingsFolder']}", f"--masks={gaps['MasksFolder']}"]
    command += [f"--coloured={gaps['output']}", f"--output={flats}"]
    command += [f"--colour-workflow={gaps['Workflow']}", f"--workflow={BUNDLE / 'flats_workflow.json'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and f"all {len(NAMES) + 2} files of the flats are already there" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in flats.iterdir()} == before


def check_changed_inputs(job, gaps):
    """Another drawing, palette and anchor; a cel was painted over by hand, and another one deleted."""
    flats, shot = gaps["FlatsFolder"], gaps["DrawingsFolder"].parent
    draw_figure(7.5, "drawings", 255).save(gaps["DrawingsFolder"] / NAMES[6])
    (shot / "hero.gpl").write_text(GPL)
    anchor = Image.new("RGB", (WIDTH, HEIGHT), "white")
    ImageDraw.Draw(anchor).rectangle((0, 160, WIDTH, HEIGHT), fill=(200, 72, 60))
    ImageDraw.Draw(anchor).rectangle((0, 0, WIDTH, 160), fill=(136, 192, 232))
    anchor.save(shot / "right_0003_v2.png")
    by_hand = Image.new("RGB", (WIDTH, HEIGHT), "red")
    by_hand.save(flats / NAMES[0])
    (flats / NAMES[1]).unlink()
    given = {"PaletteFile": shot / "hero.gpl", "AnchorFile": shot / "right_0003_v2.png", "Layers": "ora"}
    run = job(step=None, **gaps, **given).finish()
    assert run.written == [7] and "flats are made: a drawing, a coloured frame or another input" in run.log
    assert "openjd_progress: 100.0" in run.log
    found = {path.relative_to(flats).as_posix() for path in flats.rglob("*") if path.is_file()}
    layers = {f"layers/{name.replace('.png', '.ora')}" for name in NAMES}
    assert found == {*NAMES, *OTHERS, *layers, f"replaced/{NAMES[0]}"}
    assert (np.asarray(Image.open(flats / "replaced" / NAMES[0])) == np.asarray(by_hand)).all()
    palette = read_gpl(shot / "hero.gpl")
    assert read_gpl(flats / "palette.gpl") == palette
    for frame, name in zip(DRAWN, NAMES, strict=True):
        cel = Image.open(flats / name).convert("RGB")
        assert cel.getpixel((120 + 12 * frame, 250)) == palette[0], name
        assert cel.getpixel((120 + 12 * frame, 90)) == palette[1], name
    assert Image.open(gaps["output"] / NAMES[0]).size[0] == SIZE
