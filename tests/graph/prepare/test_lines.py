"""Line extraction through the nodes, on the published layout."""

import pytest
import torch
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def extractor_folder(base_directory, golden_keys, golden_weights):
    """The golden data's line extractor in its folder, as .safetensors and as a pickle with prefixed names."""
    folder = base_directory / "models" / "colorize_line_extractors"
    folder.mkdir(parents=True, exist_ok=True)
    weights = golden_weights(golden_keys("sketch-keras"))
    save_file(weights, str(folder / "sketch_keras.safetensors"))
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, folder / "model.pth")
    return folder


@pytest.fixture(scope="module")
def extractor(pack, extractor_folder):
    (extractor,) = pack.run("ColorizeLineExtractorLoader", model_name="sketch_keras.safetensors")
    return extractor


def relative_error(ours, golden):
    return float((ours - golden).norm() / golden.norm())


@pytest.mark.parametrize("file", ["sketch_keras.safetensors", "model.pth"])
def test_the_network_is_the_published_one(pack, extractor_folder, golden_extras, file):
    (extractor,) = pack.run("ColorizeLineExtractorLoader", model_name=file)
    with torch.no_grad():
        raw = extractor.patcher.model(golden_extras["sketch_keras/in/high_pass"])
    strength = pack.module("colorize_core.prepare.sketch_keras").line_strength(raw)
    errors = [
        relative_error(raw, golden_extras["sketch_keras/out/raw"]),
        relative_error(strength * 2 - 1, golden_extras["sketch_keras/out/thresholded"]),
    ]
    print("sketch_keras/out/raw, thresholded: relative errors", *(f"{error:.1e}" for error in errors))
    assert max(errors) <= 1e-4


def test_the_node_shows_the_network_each_channels_high_pass(pack, extractor):
    """The whole way, computed here step by step on a picture whose sides need no filling."""
    core = pack.module("colorize_core.prepare.sketch_keras")
    image = torch.rand(1, 64, 96, 3)
    (lines,) = pack.run("ColorizeExtractLines", line_extractor=extractor, image=image, longest_side=0)
    with torch.no_grad():
        raw = extractor.patcher.model(core.high_pass(image))
    expected = raw.amax(0)
    expected[expected < 0.1] = 0
    assert torch.allclose(lines, expected.clamp(max=1)[..., None].expand(-1, -1, -1, 3), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 3, 200, 1), (2, 50, 37, 4)])
@pytest.mark.parametrize("longest_side", [0, 32])
def test_sizes_batches_and_channels(pack, extractor, shape, longest_side):
    (lines,) = pack.run(
        "ColorizeExtractLines", line_extractor=extractor, image=torch.rand(shape), longest_side=longest_side
    )
    assert lines.shape == (*shape[:3], 3)
    assert lines.min() >= 0 and lines.max() <= 1


def test_frames_do_not_depend_on_one_another(pack, extractor):
    frames = torch.rand(3, 40, 40, 3) * torch.tensor([1, 0.5, 0.1])[:, None, None, None]
    (together,) = pack.run("ColorizeExtractLines", line_extractor=extractor, image=frames)
    (alone,) = pack.run("ColorizeExtractLines", line_extractor=extractor, image=frames[1:2])
    assert torch.equal(together[1:2], alone)


def test_lines_go_on_to_prepare_sketch(pack, extractor):
    (lines,) = pack.run("ColorizeExtractLines", line_extractor=extractor, image=torch.rand(1, 40, 80, 3))
    line_map, _ = pack.run("ColorizePrepareSketch", image=lines, width=128, height=128, lines="light_on_dark")
    assert line_map.shape == (1, 128, 128, 3)


def test_other_files_are_told_apart(pack, extractor_folder):
    save_file({"encoder.weight": torch.zeros(3)}, str(extractor_folder / "other.safetensors"))
    with pytest.raises(pack.Error, match=r"other.safetensors is not a sketchKeras.*models/colorize_line_extractors"):
        pack.run("ColorizeLineExtractorLoader", model_name="other.safetensors")


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (1, 8, 8, 9), (8, 8, 3)])
def test_bad_input_is_told_in_a_sentence(pack, extractor, shape):
    with pytest.raises(pack.Error, match=r"`image`"):
        pack.run("ColorizeExtractLines", line_extractor=extractor, image=torch.zeros(shape))
