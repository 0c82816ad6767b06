"""Layered files through the node, and ComfyUI's own layers."""

import os
import zipfile

import numpy as np
import pytest
import torch
from painted_regions import drawing, flat_picture
from PIL import Image


def save(pack, **inputs):
    (image,), told = pack.run_ui("ColorizeSaveLayers", **inputs)
    return image, told


def merged(path):
    if path.suffix == ".psd":
        return Image.open(path).convert("RGB")
    with zipfile.ZipFile(path) as archive, archive.open("mergedimage.png") as file:
        seen = Image.open(file).convert("RGBA")
    paper = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(paper, seen).convert("RGB")


@pytest.mark.parametrize("kind", ["psd", "ora"])
def test_a_file_a_frame_and_the_picture_that_it_shows(pack, painted, output, kind):
    regions = painted(2)
    image, told = save(pack, regions=regions, drawing=drawing(2), format=kind)
    names = [f"picture_00001_.{kind}", f"picture_00002_.{kind}"]
    assert told["layers"] == [{"filename": name, "subfolder": "layers", "type": "output"} for name in names]
    assert sorted(os.listdir(output / "layers")) == names and len(told["images"]) == 2
    assert (image - flat_picture(regions) * drawing(2)).abs().max() <= 1 / 255
    for frame, name in zip(image, names, strict=True):
        apart = np.asarray(merged(output / "layers" / name)).astype(int) - (frame * 255).round().numpy()
        assert frame.shape == (24, 40, 3) and np.abs(apart).max() <= 1
    save(pack, drawing=drawing(), format=kind)
    assert len(os.listdir(output / "layers")) == 3


def test_pictures_of_other_sizes_come_to_the_regions_size(pack, painted, output):
    """In half precision and with alpha, one for both frames."""
    picture = torch.full((1, 50, 70, 4), 0.5, dtype=torch.float16)
    image, _ = save(pack, image=picture, background=picture[:, :9, :9], mask=torch.ones(5, 6), regions=painted(2))
    assert image.shape == (2, 24, 40, 3) and (image - 0.75).abs().max() < 2 / 255


def test_what_does_not_go_together_is_told(pack, painted, output):
    with pytest.raises(pack.Error, match=r"None of `image`, `regions`, `drawing` and `background`"):
        save(pack, mask=torch.ones(1, 8, 8))
    with pytest.raises(pack.Error, match=r"`drawing` is 20×10"):
        save(pack, regions=painted(), drawing=torch.ones(1, 10, 20, 3))
    with pytest.raises(pack.Error, match=r"`image` 3, `mask` 2"):
        save(pack, image=torch.ones(3, 8, 8, 3), mask=torch.ones(2, 8, 8))
    with pytest.raises(pack.Error, match="filename_prefix"):
        save(pack, drawing=drawing(), filename_prefix="../out")
    assert not (output / "layers").exists()


def test_cancel_leaves_whole_files_alone(pack, painted, output, monkeypatch):
    import comfy.model_management as management

    files = pack.module("colorize_core.host.finish.layer_files")

    def cancelling(document, file, stop):
        file.write(b"half")
        management.interrupt_current_processing()
        stop()

    monkeypatch.setitem(files.FORMATS, "ora", cancelling)
    with pytest.raises(management.InterruptProcessingException):
        save(pack, drawing=drawing(2), format="ora")
    assert os.listdir(output / "layers") == []


def test_comfyuis_own_layers_show_the_same(pack, host, painted):
    """Through its own compositor, where this version has one."""
    from comfy_api.latest import io

    make = pack.module("nodes").ColorizeMakeLayers
    offered = "ColorizeMakeLayers" in host.nodes.NODE_CLASS_MAPPINGS
    assert offered == hasattr(io, "Layers") == (make in pack.module("nodes").offered_nodes())
    regions = painted()
    generator = torch.Generator().manual_seed(3)
    picture = (flat_picture(regions) * (0.4 + 0.9 * torch.rand(1, 24, 40, 1, generator=generator))).clamp(0, 1)
    layers = make.execute(image=picture, regions=regions).args[0]
    assert layers["canvas"] == (40, 24) and [layer["name"] for layer in layers["layers"]] == [
        "background", "肌", "hair & 髪", "shading", "highlights",
    ]  # fmt: skip
    with pytest.raises(pack.Error, match="2 frames"):
        make.execute(drawing=drawing(2))
    if not offered:
        pytest.skip("this ComfyUI has no layers of its own")
    seen = pack.run("ImageCompositor", layers=layers)[0]
    assert (seen[..., :3] - picture).abs().max() <= 2 / 255
