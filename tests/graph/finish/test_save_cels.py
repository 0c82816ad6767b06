"""Cels through the node: takes in folders of their own, and Load Frames reads them again."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_regions import HAIR, drawing
from PIL import Image


def save(pack, regions, **inputs):
    return pack.run_ui("ColorizeSaveCels", regions=regions, **inputs)[1]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_take_is_a_folder_and_another_one_the_next(pack, painted, output):
    told = save(pack, painted(3), drawing=drawing(), first_frame=9)
    save(pack, painted(1), format="tga")
    assert files(output / "cels") == [
        "shot_00001/shot.gpl", "shot_00001/shot_0009.png", "shot_00001/shot_0010.png", "shot_00001/shot_0011.png",
        "shot_00002/shot.gpl", "shot_00002/shot_0001.tga",
    ]  # fmt: skip
    assert told["images"][1] == {"filename": "shot_0010.png", "subfolder": "cels/shot_00001", "type": "output"}
    assert "hair & 髪" in (output / "cels/shot_00001/shot.gpl").read_text(encoding="utf-8")


def test_load_frames_reads_them_again(pack, host, painted, output):
    save(pack, painted(2), format="tga", filename_prefix="cels/sc12", first_frame=-1)
    shot = Path(host.folder_paths.get_input_directory()) / "cels of a test"
    shutil.copytree(output / "cels/sc12_00001", shot)
    try:
        frames, mask, first, count, numbers = pack.run("ColorizeLoadFrames", folder=shot.name)
    finally:
        shutil.rmtree(shot)
    assert (first, count, numbers) == (-1, 2, "-1,0")
    assert torch.equal(mask, (painted(2).paint < 0).float())
    assert torch.equal(frames[1, 10, 30], torch.tensor(HAIR) / 255)


def test_the_page_shows_tga_files_too(pack, host, painted, output):
    told = save(pack, painted(1), format="tga")
    (shown,) = told["images"]
    picture = Path(host.folder_paths.get_temp_directory()) / shown["subfolder"] / shown["filename"]
    cel = Image.open(output / "cels/shot_00001/shot_0001.tga")
    assert shown["type"] == "temp" and np.array_equal(np.asarray(Image.open(picture)), np.asarray(cel))


def test_what_breaks_off_leaves_no_half_take(pack, host, painted, output, monkeypatch):
    """Cancelled at the second frame, or a full disk."""
    import comfy.model_management as management

    cels = pack.module("colorize_core.host.finish.cel_folder")
    write, written = cels.write_cel, []

    def cancelling(*args):
        written.append(write(*args))
        management.interrupt_current_processing()

    monkeypatch.setattr(cels, "write_cel", cancelling)
    with pytest.raises(management.InterruptProcessingException):
        save(pack, painted(3))
    assert len(written) == 1 and list((output / "cels").iterdir()) == []

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cels, "write_cel", full)
    with pytest.raises(pack.Error, match=r"filename_prefix.*No space"):
        save(pack, painted(3))
    assert list((output / "cels").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("prefix", ["../out", "/tmp/out", "", "x" * 300])
def test_nothing_is_saved_elsewhere(pack, painted, output, prefix):
    before = files(output.parent / "output")
    with pytest.raises(pack.Error, match="filename_prefix"):
        save(pack, painted(1), filename_prefix=prefix)
    assert files(output.parent / "output") == before


def test_what_does_not_go_together_is_told(pack, painted):
    with pytest.raises(pack.Error, match=r"`drawing` is 20×10.*40×24"):
        save(pack, painted(1), drawing=torch.ones(1, 10, 20, 3))
    with pytest.raises(pack.Error, match=r"`regions` 3, `drawing` 2"):
        save(pack, painted(3), drawing=drawing(2))
    with pytest.raises(pack.Error, match="Flats"):
        save(pack, replace(painted(1), paint=None))
