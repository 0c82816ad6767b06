"""Saving and loading carriers through the nodes, inside ComfyUI's folders and never outside."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

PREFIX = "carriers/test"


@pytest.fixture
def output(host):
    """The output folder; its carriers are taken away after the test."""
    folder = Path(host.folder_paths.get_output_directory())
    yield folder
    shutil.rmtree(folder / "carriers", ignore_errors=True)


@pytest.fixture
def load_node(pack):
    return pack.node("ColorizeLoadCarrier")


def save(pack, carrier, prefix=PREFIX):
    return pack.run("ColorizeSaveCarrier", carrier=carrier, filename_prefix=prefix)[0]


def choices(pack):
    return pack.node("ColorizeLoadCarrier").INPUT_TYPES()["required"]["file"]


def test_a_loaded_carrier_colours_the_same(studio, pack, output):
    carrier = studio.carrier(background="background_image", style=True)
    (carrier,) = pack.run("ColorizeAddRegion", carrier=carrier, region=studio.carrier(), mask=studio.mask("top"))
    name = save(pack, carrier)
    (loaded,) = pack.run("ColorizeLoadCarrier", file=name, colorizer=studio.colorizer)
    results = []
    for one in (carrier, loaded):
        model, positive, negative = studio.apply(one, studio.mask())
        results.append(studio.sample(model, *studio.sketch(positive, negative)))
    assert studio.torch.equal(*results)


def test_names_count_up_and_are_offered(studio, pack, output):
    carrier = studio.carrier()
    first, second = save(pack, carrier), save(pack, carrier)
    assert first == "carriers/test_00001_.carrier.safetensors [output]"
    assert second == "carriers/test_00002_.carrier.safetensors [output]"
    deeper = save(pack, carrier, "carriers/episode 1/hero")
    offered = str(choices(pack))
    assert all(name in offered for name in (first, second, deeper))
    _, ui = pack.run_ui("ColorizeSaveCarrier", carrier=carrier, filename_prefix=PREFIX)
    assert ui["carriers"] == [
        {"filename": "test_00003_.carrier.safetensors", "subfolder": "carriers", "type": "output"}
    ]


def test_a_file_moved_to_the_input_folder(studio, pack, host, output):
    name = save(pack, studio.carrier())
    target = Path(host.folder_paths.get_input_directory()) / "hero.carrier.safetensors"
    shutil.move(output / name.removesuffix(" [output]"), target)
    try:
        assert "hero.carrier.safetensors" in str(choices(pack))
        (loaded,) = pack.run("ColorizeLoadCarrier", file=target.name)
        assert studio.torch.equal(loaded.tokens, studio.carrier().tokens)
    finally:
        target.unlink()


def test_another_checkpoint_is_refused(studio, pack, output):
    foreign = replace(studio.carrier(background="background_image"), checkpoint="f" * 16)
    name = save(pack, foreign)
    with pytest.raises(pack.Error, match="another checkpoint"):
        pack.run("ColorizeLoadCarrier", file=name, colorizer=studio.colorizer)
    (loaded,) = pack.run("ColorizeLoadCarrier", file=name)
    with pytest.raises(pack.Error, match="another checkpoint"):
        studio.apply(loaded)


def test_tokens_of_another_width_are_refused(studio, pack, output):
    carrier = studio.carrier()
    name = save(pack, replace(carrier, tokens=carrier.tokens[..., :8], class_token=carrier.class_token[..., :8]))
    with pytest.raises(pack.Error, match="channels"):
        pack.run("ColorizeLoadCarrier", file=name, colorizer=studio.colorizer)


def test_fingerprint_follows_the_contents(studio, pack, output, load_node):
    name = save(pack, studio.carrier())
    path = output / name.removesuffix(" [output]")
    before = load_node.fingerprint_inputs(file=name)
    os.utime(path, (1, 1))
    assert load_node.fingerprint_inputs(file=name) == before
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert load_node.fingerprint_inputs(file=name) != before
    with pytest.raises(pack.Error, match="checksum"):
        pack.run("ColorizeLoadCarrier", file=name)


OUTSIDE = [
    "../{name}",
    "../{name} [output]",
    "carriers/../../{name} [output]",
    "{outside}/{name}",
    "{outside}/{name} [output]",
    "linked.carrier.safetensors [output]",
    "linked/{name} [output]",
    "{name} [temp]",
    "..\\{name}",
    "",
    " [output]",
    "carriers [output]",
    "no\0thing.carrier.safetensors",
]


@pytest.mark.parametrize("written", OUTSIDE)
def test_paths_that_leave_the_folders(studio, pack, output, load_node, written):
    name = save(pack, studio.carrier()).removesuffix(" [output]")
    outside = output.parent / "outside"
    outside.mkdir(exist_ok=True)
    for folder in (outside, output.parent):
        shutil.copy(output / name, folder / Path(name).name)
    for link, target in (("linked.carrier.safetensors", outside / Path(name).name), ("linked", outside)):
        if not (output / link).is_symlink():
            (output / link).symlink_to(target)
    assert "linked" not in str(choices(pack))
    written = written.format(name=Path(name).name, outside=outside)
    with pytest.raises(pack.Error, match="file"):
        pack.run("ColorizeLoadCarrier", file=written)
    assert load_node.validate_inputs(file=written) is not True


@pytest.mark.parametrize("prefix", ["../x", "/tmp/x", "carriers/../../x", "", "  ", "no\0thing/x", "linked/x"])
def test_prefixes_that_leave_the_output_folder(studio, pack, output, prefix):
    outside = output.parent / "elsewhere"
    outside.mkdir(exist_ok=True)
    if not (output / "linked").is_symlink():
        (output / "linked").symlink_to(outside)
    before = sorted(output.parent.rglob("*"))
    with pytest.raises(pack.Error, match="filename_prefix"):
        save(pack, studio.carrier(), prefix)
    assert sorted(output.parent.rglob("*")) == before


def test_a_file_that_is_gone(pack, output, load_node):
    assert "no such carrier file" in load_node.validate_inputs(file="gone.carrier.safetensors [output]")
    assert load_node.validate_inputs() is True
