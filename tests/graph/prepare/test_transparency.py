"""Pictures cut out on transparency: each node that looks at a picture sees it on blank paper."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

SAME = 2e-5
#: Crop to Box hands a finished picture on, and Manipulate Reference by Text only draws on it. What comes after the
#: sampler has coloured pictures, which are whole; Ink Over's input is its drawing's. Extract Palette has a mask, which
#: leaves out whatever is not wanted.
WITHOUT = {
    "ColorizeCropToBox", "ColorizeManipulateTokens", "ColorizeExtractPalette", "ColorizeInkOver", "ColorizeSaveLayers",
    "ColorizeMakeLayers", "ColorizeMeasure", "ColorizeFlats", "ColorizeTrackRegions",
}  # fmt: skip
PICTURES = {
    "Prepare Sketch", "Extract Lines", "Segment Character", "Bleach Region", "Preview Regions", "Encode Reference",
    "Encode Background", "Encode Style", "Attention Injection",
}  # fmt: skip


@pytest.fixture(scope="module")
def networks(pack, base_directory, golden_keys, golden_weights):
    """The golden data's segmenter and line extractor, by the kind of their node."""
    loaded = {}
    for node, folder, keys in (
        ("ColorizeSegmenterLoader", "colorize_segmenters", "isnet"),
        ("ColorizeLineExtractorLoader", "colorize_line_extractors", "sketch-keras"),
    ):
        file = base_directory / "models" / folder / f"transparency-{keys}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(golden_weights(golden_keys(keys)), str(file))
        (loaded[keys],) = pack.run(node, model_name=file.name)
    return loaded


@pytest.fixture(scope="module")
def looks(studio, networks):
    """Node name to a function of its picture inputs, which gives a tensor that depends on all of the picture."""
    size = {"width": 64, "height": 96}
    carrier, mask = studio.carrier(), studio.mask("middle", (40, 50))
    encoders = {"colorizer": studio.colorizer, "vae": studio.vae, "clip_vision": studio.clip_vision, **size}

    def run(node, **inputs):
        return studio.pack.run(node, **inputs)[0]

    def injected(**picture):
        inputs = {"control_net": studio.control_net, "vae": studio.vae, **size, **picture}
        model, *both = studio.apply(carrier)
        return studio.sample(run("ColorizeAttentionInjection", model=model, **inputs), *both, steps=1)

    return {
        "Prepare Sketch": lambda **picture: run("ColorizePrepareSketch", **size, **picture),
        "Extract Lines": lambda **picture: run(
            "ColorizeExtractLines", line_extractor=networks["sketch-keras"], **picture
        ),
        "Segment Character": lambda **picture: run(
            "ColorizeSegmentCharacter", segmenter=networks["isnet"], resolution=64, grow=0, **picture
        ),
        "Bleach Region": lambda **picture: run("ColorizeBleach", mask=mask, **picture),
        "Preview Regions": lambda **picture: run("ColorizePreviewRegions", mask=mask, **size, **picture),
        "Encode Reference": lambda **picture: (
            run("ColorizeEncodeReference", clip_vision=studio.clip_vision, **picture).tokens
        ),
        "Encode Background": lambda **picture: run(
            "ColorizeEncodeBackground", carrier=carrier, **encoders, **picture
        ).background_features[-1],
        "Encode Style": lambda **picture: run("ColorizeEncodeStyle", carrier=carrier, **encoders, **picture).style[-1],
        "Attention Injection": injected,
    }


@pytest.fixture(scope="module")
def cut_out(pack, base_directory, studio):
    """A file with a soft edge and colours below what is transparent, by Load Image; and on paper, by Pillow.

    Returns:
        (image [1, H, W, 3], mask [1, H, W], on paper [1, H, W, 3]).
    """
    levels = (studio.picture("cut out") * 255).byte()[0].numpy()
    slope = np.linspace(-200, 455, 50).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(np.dstack([levels, np.broadcast_to(slope, (40, 50))]), "RGBA")
    picture.save(base_directory / "input" / "cut-out.png")
    paper = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return (*pack.run("LoadImage", image="cut-out.png"), torch.from_numpy(np.array(paper) / 255).float()[None])


@pytest.mark.parametrize("node", sorted(PICTURES))
def test_a_cut_out_picture_is_seen_on_white_paper(looks, cut_out, studio, node):
    image, mask, _ = cut_out
    alone = looks[node](image=image)
    expected = looks[node](image=image * (1 - mask[..., None]) + mask[..., None])
    assert studio.difference(looks[node](image=image, transparency=mask), expected) < SAME
    rgba = torch.cat([image, 1 - mask[..., None]], -1)
    assert studio.difference(looks[node](image=rgba), expected) < SAME, "a picture with four channels"
    assert studio.difference(alone, expected) > 1e-3, "the node does not look at what is below the transparent parts"


@pytest.mark.parametrize("node", sorted(PICTURES))
def test_a_picture_that_is_nowhere_transparent_is_seen_bit_for_bit(looks, studio, node):
    """Load Image gives 64×64 zeros with a picture that has no alpha."""
    image = studio.picture()
    assert torch.equal(looks[node](image=image, transparency=torch.zeros(1, 64, 64)), looks[node](image=image))


def test_soft_edges_are_mixed_as_pillow_mixes_them(pack, cut_out):
    """Load Image's colours are straight; a mask of twice the size and one for each picture do as well."""
    image, mask, paper = cut_out
    as_rgb = pack.module("colorize_core.prepare.pictures").as_rgb
    assert (as_rgb(image, transparency=mask) - paper).abs().max() <= 1 / 255
    double = torch.nn.functional.interpolate(mask[None], scale_factor=2, mode="nearest")[0]
    assert (as_rgb(image, transparency=double) - paper).abs().max() <= 2 / 255
    batch = as_rgb(image.expand(2, -1, -1, -1), transparency=torch.cat([mask, 0 * mask]))
    assert torch.equal(batch[1], image[0]) and (batch[0] - paper[0]).abs().max() <= 1 / 255


def test_masks_that_do_not_go_with_the_pictures_are_counted(pack, looks, studio):
    for batch in (1, 2):  # one picture does not become as many as there are masks
        with pytest.raises(pack.Error, match=rf"`image` holds {batch} and `transparency` 3"):
            looks["Encode Reference"](image=studio.picture(batch=batch), transparency=torch.zeros(3, 8, 8))


def test_every_node_that_looks_at_a_picture_takes_its_transparency(pack):
    taking = set()
    for node in pack.module("nodes").NODES:
        schema = node.define_schema()
        kinds = {declared.id: declared.io_type for declared in schema.inputs}
        if kinds.get("image") == "IMAGE" and schema.node_id not in WITHOUT:
            assert kinds.get("transparency") == "MASK", schema.node_id
            taking.add(schema.display_name)
    assert taking == PICTURES
