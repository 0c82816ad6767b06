"""Every input that names a file or a folder: no name leads out of ComfyUI's folders, to read or to write.

The inputs are found by putting a file into each folder and looking where it is offered, so a new one is noticed.
"""

import shutil
from pathlib import Path

import pytest
import torch
from painted_regions import painted
from PIL import Image

#: (node, input) -> the folder, below ComfyUI's base directory, that its names are looked up in.
FILE_INPUTS = {
    ("ColorizeCheckpointLoader", "ckpt_name"): "models/checkpoints",
    ("ColorizeSegmenterLoader", "model_name"): "models/colorize_segmenters",
    ("ColorizeLineExtractorLoader", "model_name"): "models/colorize_line_extractors",
    ("ColorizeLoadFrames", "folder"): "input",
    ("ColorizeLoadCarrier", "file"): "input",
    ("ColorizeLoadPalette", "file"): "input",
    ("ColorizeSaveCarrier", "filename_prefix"): "output",
    ("ColorizeSavePalette", "filename_prefix"): "output",
    ("ColorizeSaveCels", "filename_prefix"): "output",
    ("ColorizeSaveLayers", "filename_prefix"): "output",
}
#: Text that names no file: numbers, a colour's code, a palette's lines.
NO_NAMES = {"frame_numbers", "color", "text"}
#: Nodes that write.
SAVERS = sorted(node for node, name in FILE_INPUTS if name == "filename_prefix")
#: Ways out of a folder. {outside} is a folder beside ComfyUI's, {up} leads from the folder to it.
WAYS_OUT = (
    "{up}/{name}",
    "{outside}/{name}",
    "x/../{up}/{name}",
    "./{up}/{name}",
    "..\\..\\..\\outside\\{name}",
    "C:\\outside\\{name}",
    "\\\\host\\share\\{name}",
    "//host/share/{name}",
    "file://{outside}/{name}",
    "~/{name}",
    "{up}/{name}\0",
    "\0{up}/{name}",
    "{up}/{name} [output]",
    "{up}/{name} [input]",
    "{up}/{name} [temp]",
    "\ud800/{name}",
    "{up}/" + "x" * 300 + "/../{name}",
    "x" * 5000,
    "",
    " ",
    "..",
    "/",
)
NAMES = {
    "ColorizeLoadFrames": "shot",
    "ColorizeLoadCarrier": "hero.carrier.safetensors",
    "ColorizeLoadPalette": "hero.gpl",
}
#: Files that inputs offer in the folders where they look for them.
MARKED = ("marked.carrier.safetensors", "marked.gpl", "marked/marked.png")


@pytest.fixture(scope="module")
def outside(studio, pack, base_directory, tiny_checkpoint):
    """A folder beside ComfyUI's that holds what every file input looks for, and a link to it from the models."""
    folder = base_directory / "outside"
    (folder / "shot").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "shot" / "ink_1.png")
    pack.module("colorize_core.carrier.carrier_file").write_carrier(
        studio.carrier(), folder / "hero.carrier.safetensors"
    )
    (folder / "hero.gpl").write_text("GIMP Palette\n1 2 3 black\n")
    shutil.copy(tiny_checkpoint, folder / "model.safetensors")
    link = base_directory / "models" / "checkpoints" / "linked folder"
    link.symlink_to(folder)
    yield folder
    link.unlink()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def to_save(studio, pack):
    """What each saver is given."""
    regions = painted(*(pack.module(f"colorize_core.finish.{name}") for name in ("regions", "palette")))
    return {
        "ColorizeSaveCarrier": {"carrier": studio.carrier()},
        "ColorizeSaveCels": {"regions": regions},
        "ColorizeSavePalette": {"palette": regions.palette},
        "ColorizeSaveLayers": {"drawing": torch.ones(1, 4, 4, 3), "format": "ora"},
    }


def way(node_id, pattern, base_directory, outside):
    folder = base_directory / FILE_INPUTS[node_id, next(name for node, name in FILE_INPUTS if node == node_id)]
    up = "/".join([".."] * len(folder.relative_to(base_directory).parts)) + "/outside"
    return pattern.format(up=up, outside=outside, name=NAMES.get(node_id, "model.safetensors"))


def listing(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def test_every_file_input_is_in_the_list(pack, base_directory):
    """A file put into every folder is offered by these inputs and by no others; every text is one of them."""
    marked = []
    for place in ("models/checkpoints", "models/colorize_segmenters", "models/colorize_line_extractors"):
        marked.append(base_directory / place / "marked.safetensors")
    for place in ("input", "output", "temp", "user"):
        marked += [base_directory / place / name for name in MARKED]
    for path in marked:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    try:
        found = set()
        for node in pack.module("nodes").NODES:
            declared = node.INPUT_TYPES()
            for name, (kind, *options) in (declared["required"] | declared.get("optional", {})).items():
                choices = kind if isinstance(kind, list) else options[0].get("options", ())
                if (kind == "STRING" and name not in NO_NAMES) or any("marked" in str(choice) for choice in choices):
                    found.add((node.GET_SCHEMA().node_id, name))
    finally:
        for path in marked:
            path.unlink()
            if path.parent.name == "marked":
                path.parent.rmdir()
    assert found == set(FILE_INPUTS)


@pytest.mark.parametrize("pattern", WAYS_OUT, ids=[repr(way)[:30] for way in WAYS_OUT])
@pytest.mark.parametrize("node_id", sorted({node for node, name in FILE_INPUTS} - set(SAVERS)))
def test_no_name_leads_out(pack, base_directory, outside, node_id, pattern):
    name = next(name for node, name in FILE_INPUTS if node == node_id)
    value = way(node_id, pattern, base_directory, outside)
    with pytest.raises(pack.Error) as caught:
        pack.run(node_id, **{name: value})
    assert f"`{name}` is " in str(caught.value) and len(str(caught.value)) < 700
    validate = pack.node(node_id).validate_inputs
    if name in validate.__code__.co_varnames:
        assert validate(**{name: value}) is not True


@pytest.mark.parametrize("pattern", WAYS_OUT, ids=[repr(way)[:30] for way in WAYS_OUT])
@pytest.mark.parametrize("node_id", SAVERS)
def test_nothing_is_saved_outside(pack, to_save, base_directory, outside, node_id, pattern):
    """A prefix is refused, or what is saved lies in the output folder; never is there anything new elsewhere."""
    output = base_directory / "output"

    def elsewhere():  # previews for the page lie in temp
        places = tuple(f"{base_directory / name}/" for name in ("output", "temp"))
        return [path for path in listing(base_directory) if not path.startswith(places)]

    before, had = elsewhere(), listing(output)
    value = way(node_id, pattern, base_directory, outside)
    try:
        pack.run(node_id, **to_save[node_id], filename_prefix=value)
    except pack.Error as error:
        assert "`filename_prefix` is " in str(error)
        assert [path for path in listing(output) if path not in had and not Path(path).is_dir()] == []
    else:
        saved = [Path(path) for path in listing(output) if path not in had and not Path(path).is_dir()]
        assert saved and all(path.resolve().is_relative_to(output.resolve()) for path in saved)
        for path in saved:
            path.unlink()
    assert elsewhere() == before


def test_a_full_disk_is_told(pack, studio, base_directory):
    """The folder is one that nothing can be written to."""
    place = base_directory / "output" / "closed"
    place.write_text("a file where a folder would have to be")
    try:
        with pytest.raises(pack.Error, match=r"`filename_prefix` is 'closed/hero', but no carrier can be saved there"):
            pack.run("ColorizeSaveCarrier", carrier=studio.carrier(), filename_prefix="closed/hero")
    finally:
        place.unlink()


def test_a_linked_model_folder_is_offered_and_loaded(pack, base_directory, outside):
    """Models that lie on another disk are linked to; what their owner has put there may be chosen."""
    name = "linked folder/model.safetensors"
    options = pack.node("ColorizeCheckpointLoader").INPUT_TYPES()["required"]["ckpt_name"]
    assert name in str(options)
    assert pack.run("ColorizeCheckpointLoader", ckpt_name=name)[0] is not None
