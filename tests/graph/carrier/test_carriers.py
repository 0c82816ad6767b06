"""Saving and loading carriers through the nodes, inside ComfyUI's folders and never outside."""

import os
import shutil
import time
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
    written = written.format(name=Path(name).name, outside=outside)
    with pytest.raises(pack.Error, match="file"):
        pack.run("ColorizeLoadCarrier", file=written)
    assert load_node.validate_inputs(file=written) is not True


@pytest.mark.parametrize("prefix", ["../x", "/tmp/x", "carriers/../../x", "", "  ", "no\0thing/x", "..\\x", "."])
def test_prefixes_that_leave_the_output_folder(studio, pack, output, prefix):
    before = sorted(output.parent.rglob("*"))
    with pytest.raises(pack.Error, match="filename_prefix"):
        save(pack, studio.carrier(), prefix)
    assert sorted(output.parent.rglob("*")) == before


@pytest.fixture
def elsewhere(output, tmp_path):
    """A folder elsewhere that output/carriers is a link to."""
    (output / "carriers").symlink_to(tmp_path)
    yield tmp_path
    (output / "carriers").unlink()


def test_a_linked_carriers_folder_is_taken_where_save_image_takes_it(studio, pack, output, elsewhere, load_node):
    """With the default prefix: saved, offered and loaded, or refused by the link's name."""
    prefix = "carriers/carrier"
    try:
        pack.run_ui("SaveImage", images=studio.picture(), filename_prefix=prefix)
    except Exception:
        with pytest.raises(pack.Error, match=rf"`filename_prefix` is .*; carriers is a link to {elsewhere}, outside"):
            save(pack, studio.carrier(), prefix)
        (elsewhere / "hero.carrier.safetensors").write_bytes(b"")
        assert "hero" not in str(choices(pack)) and not [*elsewhere.glob("carrier_*")]
        told = load_node.validate_inputs(file="carriers/hero.carrier.safetensors [output]")
        assert f"carriers is a link to {elsewhere}" in told
    else:
        name = save(pack, studio.carrier(), prefix)
        assert name in str(choices(pack)) and [*elsewhere.glob("carrier_0000?_.carrier.safetensors")]
        assert studio.torch.equal(pack.run("ColorizeLoadCarrier", file=name)[0].tokens, studio.carrier().tokens)


def test_a_link_within_the_output_folder(studio, pack, output):
    (output / "carriers").mkdir()
    (output / "show").mkdir()
    (output / "carriers" / "show").symlink_to(output / "show")
    name = save(pack, studio.carrier(), "carriers/show/hero")
    assert name in str(choices(pack)) and pack.run("ColorizeLoadCarrier", file=name)
    shutil.rmtree(output / "show")


def test_a_backslash_parts_folders(studio, pack, output):
    name = save(pack, studio.carrier(), "carriers\\show\\hero")
    assert name == "carriers/show/hero_00001_.carrier.safetensors [output]" and name in str(choices(pack))
    assert pack.run("ColorizeLoadCarrier", file=name.replace("/", "\\"))


@pytest.mark.parametrize(
    ("prefix", "written"),
    [
        ("hero_%date:yyyy-MM-dd%", "hero_2026-03-07"),
        ("%date:yy%/%date:hh_mm_ss%", "26/09_05_04"),
        ("%date:d.M.yyyy h-m-s%", "7.3.2026 9-5-4"),
        ("%year%-%month%-%day%_%hour%%minute%%second%", "2026-03-07_090504"),
        ("%date:yyy%_%date:%_%KSampler.seed%_100%", "yyy_%date:%_%KSampler.seed%_100%"),
    ],
)
def test_the_time_in_a_name(pack, prefix, written):
    """What ComfyUI's page makes of %date:…% in Save Image, and its server of the rest."""
    now = time.strptime("2026-03-07 09:05:04", "%Y-%m-%d %H:%M:%S")
    assert pack.module("colorize_core.host.saved_place").filled_in(prefix, now) == written


def test_a_date_is_a_folder_of_its_own(studio, pack, output):
    """Through the API too, where no page fills it in for Save Image either."""
    name = save(pack, studio.carrier(), "carriers/%date:yyyy%/hero_%month%")
    now = time.localtime()
    assert name == f"carriers/{now.tm_year}/hero_{now.tm_mon:02}_00001_.carrier.safetensors [output]"
    with pytest.raises(pack.Error, match="filename_prefix"):
        save(pack, studio.carrier(), "%date:../../x%")


def test_a_file_that_is_gone(pack, output, load_node):
    assert "no such carrier file" in load_node.validate_inputs(file="gone.carrier.safetensors [output]")
    assert load_node.validate_inputs() is True
