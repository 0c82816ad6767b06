"""Palettes through the nodes: from pictures, from text, to files and back."""

from pathlib import Path

import pytest


@pytest.fixture
def drawing(host):
    """Two sheets of one character: red with a shadow, and blue, on white paper."""
    torch = host.torch
    image = torch.ones(2, 128, 128, 3)
    image[0, 20:100, 20:100] = torch.tensor([200, 40, 40]) / 255
    image[0, 20:100, 70:100] = torch.tensor([140, 25, 35]) / 255
    image[1, 30:90, 30:90] = torch.tensor([30, 60, 220]) / 255
    return image


def test_a_reference_s_colours_and_their_sheet(pack, drawing, progress):
    (palette, sheet), ui = pack.run_ui("ColorizeExtractPalette", image=drawing)
    assert [(swatch.name, swatch.hex) for swatch in palette.swatches] == [
        ("red 1", "#c82828"),
        ("red 1 shadow", "#8c1923"),
        ("blue 1", "#1e3cdc"),
    ]
    assert sheet.shape[0] == 1 and sheet.shape[-1] == 3 and sheet.min() >= 0 and sheet.max() <= 1
    shown = {tuple(color) for color in (sheet[0, :, ::20].reshape(-1, 3) * 255).round().int().tolist()}
    assert {swatch.color for swatch in palette.swatches} <= shown
    assert progress[0][1] == 2 and progress[-1] == (2, 2) and len(ui["images"]) == 1


def test_a_shot_of_sheets_can_be_cancelled(pack, drawing, host):
    import comfy.model_management

    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        pack.run("ColorizeExtractPalette", image=drawing)


def test_an_empty_palette_has_a_sheet_that_says_so(pack, host):
    palette, sheet = pack.run("ColorizeExtractPalette", image=host.torch.ones(1, 64, 64, 3))
    _, other = pack.run("ColorizePalette", text="// nothing yet")
    assert len(palette) == 0 and sheet.std() > 0.01
    assert other.std() > 0.01 and not host.torch.equal(sheet, other)


def test_text_changes_a_palette(pack, drawing):
    (palette, _) = pack.run("ColorizeExtractPalette", image=drawing)
    changed, _ = pack.run("ColorizePalette", text="red 1 #111111\n靴 #222222", palette=palette)
    assert [swatch.hex for swatch in changed.swatches] == ["#111111", "#8c1923", "#1e3cdc", "#222222"]
    with pytest.raises(pack.Error, match="`text`, line 2"):
        pack.run("ColorizePalette", text="a #111111\nb", palette=palette)


def test_saved_palettes_are_offered_and_come_back(pack, output):
    palette, _ = pack.run("ColorizePalette", text="髪 #7d4f9e shadow #5a3578")
    for number in (1, 2):
        _, ui = pack.run_ui("ColorizeSavePalette", palette=palette, filename_prefix="palettes/episode 1/hero")
        saved = {"filename": f"hero_0000{number}_.gpl", "subfolder": "palettes/episode 1", "type": "output"}
        assert [{**one, "subfolder": one["subfolder"].replace("\\", "/")} for one in ui["palettes"]] == [saved]
    name = "palettes/episode 1/hero_00002_.gpl [output]"
    assert name in str(pack.node("ColorizeLoadPalette").INPUT_TYPES()["required"]["file"])
    loaded, sheet = pack.run("ColorizeLoadPalette", file=name)
    assert loaded == palette and sheet.ndim == 4


def test_a_file_in_the_input_folder_that_changes(pack, host):
    node, path = pack.node("ColorizeLoadPalette"), Path(host.folder_paths.get_input_directory()) / "hero.GPL"
    path.write_text("GIMP Palette\n1 2 3 a\n")
    try:
        assert "hero.GPL" in str(node.INPUT_TYPES()["required"]["file"])
        assert node.validate_inputs(file="hero.GPL") is True
        before = node.fingerprint_inputs(file="hero.GPL")
        path.write_text("GIMP Palette\n1 2 300 a\n")
        assert node.fingerprint_inputs(file="hero.GPL") != before
        with pytest.raises(pack.Error, match=r"`file` 'hero.GPL' has '1 2 300 a' in line 2"):
            pack.run("ColorizeLoadPalette", file="hero.GPL")
    finally:
        path.unlink()


@pytest.mark.parametrize("written", ["../x.gpl", "/etc/x.gpl", "x.gpl [temp]", "palettes", "", "no\0thing.gpl"])
def test_names_that_are_no_palette_of_the_folders(pack, written):
    assert "`file`" in pack.node("ColorizeLoadPalette").validate_inputs(file=written)
    with pytest.raises(pack.Error, match="`file`"):
        pack.run("ColorizeLoadPalette", file=written)


@pytest.mark.parametrize("prefix", ["../x", "/tmp/x", ""])
def test_prefixes_that_leave_the_output_folder(pack, output, prefix):
    palette, _ = pack.run("ColorizePalette", text="a #fff")
    before = sorted(output.parent.rglob("*"))
    with pytest.raises(pack.Error, match="filename_prefix"):
        pack.run("ColorizeSavePalette", palette=palette, filename_prefix=prefix)
    assert sorted(output.parent.rglob("*")) == before


def test_colours_picked_on_the_node_come_behind_those_of_the_text(pack):
    picked = ["#FF0000", "#00f", "#ff0000", "#123456"]
    palette, _ = pack.run("ColorizePalette", text="coat #0000ff\nred 1 #aa0011", colors=picked)
    assert [(s.name, s.hex) for s in palette.swatches] == [
        ("coat", "#0000ff"),
        ("red 1", "#aa0011"),
        ("red 2", "#ff0000"),
        ("dark blue 1", "#123456"),
    ]
    assert len(pack.run("ColorizePalette", text="", colors=picked)[0]) == 3
    assert len(pack.run("ColorizePalette", text="", colors=[])[0]) == 0
    for wrong in ("#ff0000", ["red"], [1]):
        with pytest.raises(pack.Error, match="`colors` is"):
            pack.run("ColorizePalette", text="", colors=wrong)
