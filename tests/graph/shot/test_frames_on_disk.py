"""Numbered drawings as a batch."""

import asyncio
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
    image, mask, first, count, numbers = load(pack)
    assert image.shape == (5, 20, 30, 3) and mask.shape == (5, 20, 30) and (first, count, numbers) == (8, 5, "8-12")
    greys = (image[:, 0, -1, 0] * 255).round().int().tolist()
    assert greys == [80, 90, 100, 110, 120]
    assert mask[2, :, :15].min() == 1 and mask[2, :, 15:].max() == 0 and mask[1].max() == 0


def test_a_stretch(pack, folder):
    image, _, first, count, _ = load(pack, first_frame=9, frame_count=2)
    assert (first, count) == (9, 2) and round(float(image[0, 0, 0, 0]) * 255) == 90
    assert load(pack, first_frame=11)[3] == 2


@pytest.mark.parametrize(("first", "count"), [(5, 2), (11, 3), (13, 0), (1, 0)])
def test_frames_that_are_not_there(pack, folder, first, count):
    with pytest.raises(pack.Error, match="has frames 8 to 12"):
        load(pack, first_frame=first, frame_count=count)


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


def test_drawings_on_twos(pack, folder):
    """Held: a frame for each number, the drawing before it again. Skipped: the drawings alone, with their numbers."""
    for number in (9, 11):
        (folder / f"sc2_ink_{number:04}.png").unlink()
    image, mask, first, count, numbers = load(pack, missing="hold", first_frame=9, frame_count=5)
    assert (image[:, 0, -1, 0] * 255).round().int().tolist() == [80, 100, 100, 120, 120]
    assert mask[:, 0, 0].tolist() == [0, 1, 1, 0, 0] and (first, count, numbers) == (9, 5, "9-13")
    image, _, first, count, numbers = load(pack, missing="skip")
    assert (image[:, 0, -1, 0] * 255).round().int().tolist() == [80, 100, 120]
    assert (first, count, numbers) == (8, 3, "8-12:2")


def test_masks_of_the_drawings_own_frames(pack, folder):
    """Masks with other gaps, or none, are loaded for the frames that the drawings have."""
    image, _, _, _, numbers = load(pack, frame_numbers="8,11-12", first_frame=3)
    assert (image[:, 0, -1, 0] * 255).round().int().tolist() == [80, 110, 120] and numbers == "8,11,12"
    (folder / "sc2_ink_0011.png").unlink()
    with pytest.raises(pack.Error, match="first: 11"):
        load(pack, frame_numbers=numbers)
    held = load(pack, frame_numbers=numbers, missing="hold")
    assert (held[0][:, 0, -1, 0] * 255).round().int().tolist() == [80, 100, 120] and held[4] == numbers


def test_a_version_behind_the_number(pack, folder):
    for path in folder.glob("*.png"):
        path.rename(path.with_stem(f"{path.stem}_v2"))
    with pytest.raises(pack.Error, match=r"both frame 2.*`number`"):
        load(pack)
    assert load(pack, number="second_last")[4] == "8-12"


@pytest.mark.parametrize("name", ["", "..", "../output", "/tmp", "none", "shot/../..", "..\\output", "no\0thing"])
def test_folders_outside_the_input_folder(pack, host, folder, name):
    with pytest.raises(pack.Error, match="folder"):
        pack.run("ColorizeLoadFrames", folder=name)


def test_a_backslash_parts_folders(pack, folder):
    (folder / "ink").mkdir()
    (folder / "sc2_ink_0008.png").rename(folder / "ink" / "f_8.png")
    assert pack.run("ColorizeLoadFrames", folder="shot\\ink")[2] == 8


@pytest.fixture
def linked(host, folder, tmp_path):
    """input/shot/nas, a link to a folder elsewhere with cut/f_8.png, and one back to input in it."""
    (tmp_path / "cut" / "ink" / "deep").mkdir(parents=True)
    (tmp_path / "back").symlink_to(host.folder_paths.get_input_directory())
    Image.new("RGB", (30, 20)).save(tmp_path / "cut" / "f_8.png")
    (folder / "nas").symlink_to(tmp_path)
    (folder / "gone").symlink_to(tmp_path / "gone")
    return tmp_path


def test_a_linked_folder_is_taken_where_load_image_takes_it(pack, host, folder, linked):
    """What is offered can be loaded; what is not, is refused by the link's name."""
    taken = pack.node("LoadImage").VALIDATE_INPUTS("shot/nas/cut/f_8.png") is True
    offered = {name for name in offered_folders(pack) if "nas" in name}
    if taken:
        assert offered == {"shot/nas", "shot/nas/cut", "shot/nas/cut/ink"}, "no deeper, and not round in circles"
        assert pack.run("ColorizeLoadFrames", folder="shot/nas/cut")[2] == 8
    else:
        assert offered == set()
        with pytest.raises(pack.Error, match=rf"`folder` is 'shot/nas/cut'; shot/nas is a link to {linked}, outside"):
            pack.run("ColorizeLoadFrames", folder="shot/nas/cut")
        assert "shot/nas is a link" in pack.node("ColorizeLoadFrames").validate_inputs("shot/nas/cut")


def test_a_linked_file_is_taken_where_load_image_takes_it(pack, folder, linked):
    (folder / "ink_0013.png").symlink_to(linked / "cut" / "f_8.png")
    if pack.node("LoadImage").VALIDATE_INPUTS("shot/ink_0013.png") is True:
        assert load(pack)[3] == 6
    else:
        with pytest.raises(pack.Error, match=r"shot/ink_0013\.png is a link to .*f_8\.png"):
            load(pack)


def offered_folders(pack):
    (options, *rest) = pack.node("ColorizeLoadFrames").INPUT_TYPES()["required"]["folder"]
    return options if isinstance(options, list) else rest[0]["options"]


def test_fingerprint_follows_the_files(pack, folder):
    def fingerprint(count, **choice):
        inputs = {"folder": "shot", "first_frame": 8, "frame_count": count, **choice}
        return pack.node("ColorizeLoadFrames").fingerprint_inputs(**inputs)

    before = fingerprint(3)
    assert fingerprint(2) != before
    os.utime(folder / "sc2_ink_0012.png", (1, 1))
    assert fingerprint(3) == before, "another frame was touched"
    os.utime(folder / "sc2_ink_0009.png", (1, 1))
    assert fingerprint(3) != before
    (folder / "sc2_ink_0009.png").unlink()
    held = fingerprint(3, missing="hold")
    os.utime(folder / "sc2_ink_0008.png", (1, 1))
    assert fingerprint(3, missing="hold") != held


def test_folders_are_offered(pack, folder):
    assert "shot" in offered_folders(pack)


def test_wired_inputs_are_checked_when_they_are_known(pack, folder):
    """A hole elsewhere in the folder is no mistake of a node whose stretch is not known yet, and any file of the
    folder may be one of it."""
    (folder / "sc2_ink_0009.png").unlink()
    node = pack.node("ColorizeLoadFrames")
    assert node.validate_inputs("shot") is True and node.validate_inputs() is True
    assert "folder" in node.validate_inputs("../output")
    before = node.fingerprint_inputs(folder="shot", first_frame=None, frame_count=None)
    assert before == node.fingerprint_inputs(folder="shot", first_frame=0, frame_count=0, frame_numbers=None)
    os.utime(folder / "sc2_ink_0012.png", (1, 1))
    assert before != node.fingerprint_inputs(folder="shot", first_frame=None, frame_count=None)
    for unknown in ({"folder": None}, {"folder": "shot", "number": None}, {"folder": "shot", "first_frame": 9}):
        told = node.fingerprint_inputs(**unknown)
        assert told != told, "not a number, which no cache takes for the same"


@pytest.mark.parametrize(
    ("inputs", "words"),
    [({"folder": "gone"}, "expected a subfolder"), ({"folder": "shot", "first_frame": 9}, "of which 3 are missing")],
)
def test_a_mistake_is_told_once(pack, host, folder, caplog, inputs, words):
    """By ComfyUI's check of a prompt or by the node, in the log or the answer, but not by each input of the node."""
    for number in (9, 10, 11):
        (folder / f"sc2_ink_{number:04}.png").unlink()
    inputs = {"first_frame": 0, "frame_count": 0, **inputs}
    prompt = {
        "1": {"class_type": "ColorizeLoadFrames", "inputs": inputs},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    caplog.set_level("INFO")
    answer = asyncio.run(host.execution.validate_prompt("test", prompt, None))
    told = [error["details"] for errors in answer[3].values() for error in errors["errors"]]
    if answer[0]:
        pack.node("ColorizeLoadFrames").fingerprint_inputs(**inputs)
        with pytest.raises(pack.Error) as caught:
            pack.run("ColorizeLoadFrames", **inputs)
        told.append(str(caught.value))
    told += [record.getMessage() for record in caplog.records if words in record.getMessage()]
    assert len(told) == 1 + (not answer[0]) and all(words in text for text in told)
