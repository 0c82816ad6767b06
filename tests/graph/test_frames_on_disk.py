"""Numbered drawings as a batch."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(host):
    """input/shot with frames 8 to 12, each of a grey of its own; frame 10 is half transparent."""
    path = Path(host.folder_paths.get_input_directory()) / "shot"
    path.mkdir()
    for number in range(8, 13):
        picture = Image.new("RGBA", (30, 20), (number * 10,) * 3 + (255,))
        if number == 10:
            picture.paste((0, 0, 0, 0), (0, 0, 15, 20))
        picture.save(path / f"sc2_ink_{number:04}.png")
    (path / "notes.txt").write_text("no frame 3")
    yield path
    shutil.rmtree(path)


def load(pack, **inputs):
    return pack.run("ColorizeLoadFrames", folder="shot", **inputs)


def test_all_frames_in_the_order_of_their_numbers(pack, folder):
    image, mask, first, count = load(pack)
    assert image.shape == (5, 20, 30, 3) and mask.shape == (5, 20, 30) and (first, count) == (8, 5)
    greys = (image[:, 0, -1, 0] * 255).round().int().tolist()
    assert greys == [80, 90, 100, 110, 120]
    assert mask[2, :, :15].min() == 1 and mask[2, :, 15:].max() == 0 and mask[1].max() == 0


def test_a_stretch(pack, folder):
    image, _, first, count = load(pack, first_frame=9, frame_count=2)
    assert (first, count) == (9, 2) and round(float(image[0, 0, 0, 0]) * 255) == 90
    assert load(pack, first_frame=11)[3] == 2


@pytest.mark.parametrize(("first", "count"), [(5, 2), (11, 3), (13, 0), (1, 0)])
def test_frames_that_are_not_there(pack, folder, first, count):
    with pytest.raises(pack.Error, match="has frames 8 to 12"):
        load(pack, first_frame=first, frame_count=count)
    assert "8 to 12" in pack.node("ColorizeLoadFrames").validate_inputs("shot", first, count)


def test_a_hole(pack, folder):
    (folder / "sc2_ink_0010.png").unlink()
    with pytest.raises(pack.Error, match="first: 10"):
        load(pack)
    assert load(pack, first_frame=11)[3] == 2


def test_a_date_in_a_name_is_a_number_far_away(pack, folder):
    (folder / "sc2_ink_0012.png").rename(folder / "sc2_ink_20240131120000.png")
    with pytest.raises(pack.Error, match=r"8 to 20240131120000.*20240131119988 are missing \(first: 12\)"):
        load(pack)
    assert load(pack, first_frame=8, frame_count=4)[3] == 4


def test_one_number_twice(pack, folder):
    shutil.copy(folder / "sc2_ink_0010.png", folder / "old_10.png")
    with pytest.raises(pack.Error, match="both frame 10"):
        load(pack)


def test_frames_of_two_sizes(pack, folder):
    Image.new("RGB", (31, 20)).save(folder / "sc2_ink_0011.png")
    with pytest.raises(pack.Error, match=r"30×20.*31×20.*one size\. Export"):
        load(pack)


def test_what_is_no_picture(pack, folder):
    (folder / "sc2_ink_0011.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(pack.Error, match="sc2_ink_0011"):
        load(pack)


def test_sixteen_bit_grey(pack, folder):
    values = np.full((20, 30), 65535 // 2, dtype=np.uint16)
    Image.fromarray(values).save(folder / "sc2_ink_0012.png")
    assert abs(float(load(pack)[0][4].mean()) - 0.5) < 0.01


@pytest.mark.parametrize("name", ["", "..", "../output", "/tmp", "none", "shot/../..", "linked", "no\0thing"])
def test_folders_outside_the_input_folder(pack, host, folder, name):
    link = Path(host.folder_paths.get_input_directory()) / "linked"
    if not link.is_symlink():
        link.symlink_to(host.folder_paths.get_output_directory())
    with pytest.raises(pack.Error, match="folder"):
        pack.run("ColorizeLoadFrames", folder=name)
    link.unlink()


def test_links_to_files_outside(pack, host, folder, tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "secret.png")
    (folder / "ink_0013.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(pack.Error, match="outside"):
        load(pack)


def test_fingerprint_follows_the_files(pack, folder):
    node = pack.node("ColorizeLoadFrames")
    before = node.fingerprint_inputs("shot", 8, 3)
    assert node.fingerprint_inputs("shot", 8, 2) != before
    os.utime(folder / "sc2_ink_0012.png", (1, 1))
    assert node.fingerprint_inputs("shot", 8, 3) == before, "another frame was touched"
    os.utime(folder / "sc2_ink_0009.png", (1, 1))
    assert node.fingerprint_inputs("shot", 8, 3) != before


def test_folders_are_offered(pack, folder):
    assert "shot" in str(pack.node("ColorizeLoadFrames").INPUT_TYPES()["required"]["folder"])


def test_wired_numbers_are_checked_when_they_are_known(pack, folder):
    """A hole elsewhere in the folder is no mistake of a node whose stretch is not known yet."""
    (folder / "sc2_ink_0009.png").unlink()
    node = pack.node("ColorizeLoadFrames")
    assert node.validate_inputs("shot") is True and node.fingerprint_inputs("shot")
    assert node.validate_inputs() is True and node.fingerprint_inputs() == ""
    assert "first: 9" in node.validate_inputs("shot", 8, 3)
    assert "folder" in node.validate_inputs("../output")
