"""Character segmentation through the nodes, on the published layouts."""

import os
import runpy

import pytest
import torch
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def segmenter_files(base_directory, golden_keys, golden_weights):
    """The golden data's segmenter under the published file's name, and as an older file with prefixed names."""
    folder = base_directory / "models" / "colorize_segmenters"
    folder.mkdir(parents=True, exist_ok=True)
    weights = golden_weights(golden_keys("isnet"))
    save_file(weights, str(folder / "isnetis.safetensors"))
    save_file({f"module.{k}": v.half() for k, v in weights.items()}, str(folder / "sketch-segment.safetensors"))
    yield folder
    for file in folder.glob("*.safetensors"):
        file.unlink()


@pytest.fixture(scope="module")
def segmenter(pack, segmenter_files):
    (segmenter,) = pack.run("ColorizeSegmenterLoader", model_name="isnetis.safetensors")
    return segmenter


def relative_error(ours, golden):
    return float((ours - golden).norm() / golden.norm())


def test_the_network_is_the_published_one(pack, segmenter, golden_extras):
    image = 1 - (golden_extras["isnet/in/image"] + 1) / 2
    network = segmenter.patcher.model
    with torch.no_grad():
        raw = network(torch.nn.functional.interpolate(image, size=(192, 192), mode="bicubic"))
    error = relative_error(raw, golden_extras["isnet/out/raw"])
    print(f"isnet/out/raw: relative error {error:.1e}")
    assert error <= 1e-4


def test_a_colour_picture_gives_the_published_mask(pack, segmenter, golden_extras):
    image = (golden_extras["isnet/in/image"].movedim(1, -1) + 1) / 2
    (mask,) = pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=image, resolution=192)
    error = relative_error(mask, golden_extras["isnet/out/proceed_color"][:, 0])
    print(f"isnet/out/proceed_color: relative error {error:.1e}")
    assert error <= 1e-4


def test_a_drawing_gives_the_published_mask(pack, segmenter, golden_extras):
    """The golden mask is of another size than its picture, which is what the box is for."""
    drawing = (golden_extras["isnet/in/image"].movedim(1, -1) + 1) / 2
    expected = golden_extras["isnet/out/proceed_sketch"][:, 0]
    _, box = pack.run("ColorizePrepareSketch", image=drawing, width=100, height=120)
    settings = {"segmenter": segmenter, "grow": 0, "resolution": 192, "box": box}
    (mask,) = pack.run("ColorizeSegmentCharacter", image=drawing, kind="drawing", **settings)
    (from_line_map,) = pack.run("ColorizeSegmentCharacter", image=1 - drawing, kind="line_map", **settings)
    error = relative_error(mask, expected)
    print(f"isnet/out/proceed_sketch: relative error {error:.1e}")
    assert error <= 1e-4
    assert relative_error(from_line_map, expected) <= 1e-4


def test_the_box_places_the_mask_like_the_line_map(pack, segmenter):
    drawing = torch.rand(1, 40, 80, 3)
    _, box = pack.run("ColorizePrepareSketch", image=drawing, width=128, height=128)
    settings = {"segmenter": segmenter, "image": drawing, "kind": "drawing", "grow": 0, "resolution": 64}
    (mask,) = pack.run("ColorizeSegmentCharacter", **settings, box=box)
    assert mask.shape == (1, 128, 128)
    assert mask[:, :32].max() == 0 and mask[:, 96:].max() == 0 and mask[:, 32:96].min() > 0
    with pytest.raises(pack.Error, match=r"box.*proportions"):
        pack.run("ColorizeSegmentCharacter", **{**settings, "image": drawing.movedim(1, 2)}, box=box)


@pytest.mark.parametrize("kind", ["color", "drawing", "line_map"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 3, 200, 1), (2, 50, 30, 4)])
def test_sizes_batches_and_channels(pack, segmenter, kind, shape):
    (mask,) = pack.run(
        "ColorizeSegmentCharacter", segmenter=segmenter, image=torch.rand(shape), kind=kind, resolution=96
    )
    assert mask.shape == shape[:3]
    assert mask.min() >= 0 and mask.max() <= 1


def test_frames_do_not_depend_on_one_another(pack, segmenter):
    frames = torch.rand(3, 30, 40, 3)
    (together,) = pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=frames, resolution=96)
    (alone,) = pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=frames[1:2], resolution=96)
    assert torch.equal(together[1:2], alone)


def test_a_batch_reports_progress_and_can_be_cancelled(pack, segmenter, progress):
    import comfy.model_management

    frames, calls = torch.rand(5, 8, 8, 3), []

    def cancel_at_two(module, inputs):
        calls.append(len(inputs[0]))
        if len(calls) == 2:
            comfy.model_management.interrupt_current_processing()

    handle = segmenter.patcher.model.register_forward_pre_hook(cancel_at_two)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=frames, resolution=64)
    finally:
        handle.remove()
        comfy.model_management.interrupt_current_processing(False)
    assert progress == [(1, 5)] and calls == [1, 1]
    pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=frames, resolution=64)
    assert progress[-1] == (5, 5)


def test_a_single_frame_can_be_cancelled_midway(pack, segmenter):
    import comfy.model_management

    comfy.model_management.interrupt_current_processing(True)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            segmenter.patcher.model(torch.zeros(1, 3, 64, 64))
    finally:
        comfy.model_management.interrupt_current_processing(False)


def test_older_files_with_prefixed_names_load(pack, segmenter_files, segmenter):
    (older,) = pack.run("ColorizeSegmenterLoader", model_name="sketch-segment.safetensors")
    image = torch.rand(1, 40, 40, 3)
    (expected,) = pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=image, resolution=96)
    (mask,) = pack.run("ColorizeSegmentCharacter", segmenter=older, image=image, resolution=96)
    assert relative_error(mask, expected) < 1e-2


def test_comfyui_loads_and_frees_the_network(pack, segmenter):
    import comfy.model_management

    pack.run("ColorizeSegmentCharacter", segmenter=segmenter, image=torch.rand(1, 8, 8, 3), resolution=64)
    assert any(loaded.model is segmenter.patcher for loaded in comfy.model_management.current_loaded_models)
    comfy.model_management.unload_all_models()
    assert not any(loaded.model is segmenter.patcher for loaded in comfy.model_management.current_loaded_models)


def test_other_files_are_told_apart(pack, host, segmenter_files, golden_keys, golden_weights):
    save_file({"encoder.weight": torch.zeros(3), "bias": torch.zeros(1)}, str(segmenter_files / "other.safetensors"))
    with pytest.raises(pack.Error, match=r"other.safetensors is not an IS-Net.*encoder.weight.*isnetis"):
        pack.run("ColorizeSegmenterLoader", model_name="other.safetensors")
    weights = golden_weights(golden_keys("isnet"))
    del weights["stage3.rebnconv2.bn_s1.running_var"]
    save_file(weights, str(segmenter_files / "cut.safetensors"))
    with pytest.raises(pack.Error, match=r"cut.safetensors.*stage3.rebnconv2.bn_s1.running_var.*download"):
        pack.run("ColorizeSegmenterLoader", model_name="cut.safetensors")
    whole = (segmenter_files / "cut.safetensors").read_bytes()
    (segmenter_files / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(pack.Error, match=r"cut.safetensors cannot be read"):
        pack.run("ColorizeSegmenterLoader", model_name="cut.safetensors")


def test_extra_model_paths_work_before_and_after(pack, host, tmp_path):
    """A path from extra_model_paths.yaml is kept when it was there first, and added when it comes later."""
    load_extra_path_config = runpy.run_path(str(host.path / "utils" / "extra_config.py"))["load_extra_path_config"]
    folder_paths = host.folder_paths
    folders = pack.module("colorize_core.host.model_folders")
    saved = {
        name: folder_paths.folder_names_and_paths.pop(name) for name in (folders.SEGMENTERS, folders.LINE_EXTRACTORS)
    }
    try:
        for when in ("before", "after"):
            (tmp_path / when / "segmenters").mkdir(parents=True)
            (tmp_path / when / "segmenters" / f"{when}.safetensors").touch()
            (tmp_path / when / "segmenters" / "readme.txt").touch()
            (tmp_path / f"{when}.yaml").write_text(
                f"mine:\n  base_path: {tmp_path / when}\n  is_default: true\n  {folders.SEGMENTERS}: segmenters\n"
            )
        load_extra_path_config(str(tmp_path / "before.yaml"))
        folders.register_model_folders()
        load_extra_path_config(str(tmp_path / "after.yaml"))
        names = folder_paths.get_filename_list(folders.SEGMENTERS)
        assert {"before.safetensors", "after.safetensors"} <= set(names)
        assert "readme.txt" not in names
        paths = folder_paths.get_folder_paths(folders.SEGMENTERS)
        own = paths.index(os.path.join(folder_paths.models_dir, folders.SEGMENTERS))
        assert own == len(paths) - 1, "paths marked is_default come first"
    finally:
        folder_paths.folder_names_and_paths.update(saved)
        folder_paths.filename_list_cache.clear()
