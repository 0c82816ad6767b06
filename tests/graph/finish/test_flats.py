"""Line Regions and Flats through the graph: shots, one palette, what does not go together, and all of the chapter."""

import sys
from pathlib import Path

import moving_boxes
import numpy as np
import pytest
from PIL import Image

DEMO = Path(__file__).resolve().parents[3] / "demo"
COLORS = ((210, 80, 80), (80, 120, 200))
#: Pixels that the boxes move from frame to frame.
STEP = 4


@pytest.fixture
def drawings(host):
    """Three drawings [3, 60, 80, 3] of two boxes that move to the right."""
    return moving_boxes.drawings(3, STEP)


@pytest.fixture
def pictures(drawings):
    """Their colours, the boxes' lines drawn; the third frame is a little darker."""
    darker = [[level - 2 for level in color] for color in COLORS]
    return moving_boxes.colored(drawings, STEP, [COLORS, COLORS, darker])


def regions_of(pack, drawing, **inputs):
    return pack.run("ColorizeLineRegions", drawing=drawing, **inputs)[0]


def colors_at(image, frame, shift):
    return [tuple((image[frame, 30, left + shift] * 255).round().int().tolist()) for left in (20, 50)]


def test_every_frame_of_a_shot_has_its_own_regions(pack, drawings, progress):
    (regions, ink, preview), ui = pack.run_ui("ColorizeLineRegions", drawing=drawings)
    assert progress[-1] == (3, 3) and len(ui["images"]) == 3
    assert len(regions) == 3 and ink.shape == (3, 60, 80) and preview.shape == (3, 60, 80, 3)
    assert ((ink == 1) == (drawings[..., 0] == 0)).all()
    for frame in range(3):
        alone, own_ink, own_preview = pack.run("ColorizeLineRegions", drawing=drawings[frame, None])
        assert (alone.filled[0] == regions.filled[frame]).all() and (own_ink[0] == ink[frame]).all()
        assert (own_preview[0] == preview[frame]).all()


def test_lines_on_transparency(pack, host, drawings):
    """Load Image gives black where a file is transparent, and the mask beside it; four channels say it themselves."""
    clear = drawings[:1, ..., 0]
    expected = regions_of(pack, drawings[:1])
    found = regions_of(pack, drawings[:1] * 0, transparency=clear)
    assert (found.filled == expected.filled).all() and (found.ink == expected.ink).all()
    four = host.torch.cat([drawings[:1] * 0, 1 - clear[..., None]], dim=-1)
    assert (regions_of(pack, four).filled == expected.filled).all()


def test_a_mask_for_each_frame_or_one_for_all(pack, host, drawings):
    mask = host.torch.zeros(1, 60, 80)
    mask[:, :, :40] = 1
    one = regions_of(pack, drawings, within=mask)
    each = regions_of(pack, drawings, within=mask.expand(3, -1, -1))
    assert (one.filled == each.filled).all() and one.filled[0, 30, 75] == 0 and one.filled[0, 30, 20] > 0
    with pytest.raises(pack.Error, match="`within`"):
        regions_of(pack, drawings, within=mask.expand(2, -1, -1))


def test_a_shot_s_flats_have_one_palette(pack, drawings, pictures, progress):
    """Frames that differ a little get the same swatches, and each frame alone gets what it gets in the shot."""
    regions = regions_of(pack, drawings)
    (flats, done, unsure), ui = pack.run_ui("ColorizeFlats", image=pictures, regions=regions)
    assert progress[-1] == (3, 3) and len(ui["images"]) == 3
    assert colors_at(flats, 0, 0) == colors_at(flats, 1, 4) == colors_at(flats, 2, 8)
    assert len(done.palette) == 2 and unsure.shape == (3, 60, 80) and unsure.max() == 0
    for frame in range(3):
        inputs = {"image": pictures[frame, None], "regions": regions.frame(frame), "palette": done.palette}
        alone, own, _ = pack.run("ColorizeFlats", **inputs)
        assert (alone[0] == flats[frame]).all() and (own.paint[0] == done.paint[frame]).all()


def test_one_drawing_for_several_pictures_and_the_other_way(pack, drawings, pictures):
    few, done, _ = pack.run("ColorizeFlats", image=pictures, regions=regions_of(pack, drawings[:1]))
    assert len(few) == len(done) == 3 and done.size == (60, 80)
    many, done, _ = pack.run("ColorizeFlats", image=pictures[:1], regions=regions_of(pack, drawings))
    assert len(many) == len(done) == len(done.tables) == 3


def test_pictures_of_any_kind(pack, drawings, pictures):
    regions = regions_of(pack, drawings)
    before = pictures.bfloat16()
    small = before[:, ::2, ::2]
    flats, *_ = pack.run("ColorizeFlats", image=small, regions=regions, corrections=pictures[:1].half())
    assert flats.shape == drawings.shape and str(flats.dtype) == "torch.float32"
    assert (before == pictures.bfloat16()).all() and regions.paint is None and regions.palette is None


def test_what_does_not_go_together_is_told(pack, drawings, pictures):
    regions, empty = regions_of(pack, drawings), pack.run("ColorizePalette", text="")[0]
    with pytest.raises(pack.Error, match=r"`image` 2, `regions` 3"):
        pack.run("ColorizeFlats", image=pictures[:2], regions=regions)
    with pytest.raises(pack.Error, match=r"`corrections` 2"):
        pack.run("ColorizeFlats", image=pictures, regions=regions, corrections=pictures[:2])
    with pytest.raises(pack.Error, match=r"`palette` has no swatches.*leave `palette` open"):
        pack.run("ColorizeFlats", image=pictures, regions=regions, palette=empty)
    with pytest.raises(pack.Error, match=r"`corrections`"):
        pack.run("ColorizeFlats", image=pictures, regions=regions, corrections=pictures[..., 0])
    with pytest.raises(pack.Error, match=r"`drawing`"):
        regions_of(pack, drawings[..., 0])


def test_saved_flats_with_a_dot_on_them_come_back_by_load_image(pack, host, drawings, pictures, base_directory):
    """The way a person goes: flats, a file, a dot in a paint program, Load Image."""
    regions = regions_of(pack, drawings[:1])
    palette, _ = pack.run("ColorizePalette", text="red #d25050\nblue #5078c8\ngreen #3c9646\nblack #000000")
    flats, done, _ = pack.run("ColorizeFlats", image=pictures[:1], regions=regions, palette=palette)
    inked, _ = pack.run("ColorizeInkOver", image=flats, drawing=drawings[:1], regions=done)
    page = (inked[0] * 255).round().byte().numpy()
    page[28:32, 18:22] = (60, 150, 70)
    Image.fromarray(page).save(base_directory / "input" / "dotted.png")
    dotted, _ = pack.run("LoadImage", image="dotted.png")
    inputs = {"image": pictures[:1], "regions": regions, "palette": palette, "corrections": dotted}
    assert colors_at(pack.run("ColorizeFlats", **inputs)[0], 0, 0) == [(60, 150, 70), (80, 120, 200)]


# --- the whole chapter ---


@pytest.fixture(scope="module")
def scene():
    """A character of the demonstration: a drawing with gaps, a colourizer's picture as it might be, the right one."""
    sys.path.append(str(DEMO))
    try:
        from flat_scenes import flat_scene

        yield flat_scene(5, 384, "8 px")
    finally:
        sys.path.remove(str(DEMO))


def as_image(host, picture):
    picture = picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)
    return host.torch.from_numpy(picture)[None] / 255


def test_from_drawing_and_picture_to_files(pack, host, scene, output):
    """Cels hold the palette's colours alone, the lines' and nothing; layers one swatch each."""
    drawing, picture = as_image(host, scene.drawing), as_image(host, scene.picture)
    regions, ink, _ = pack.run("ColorizeLineRegions", drawing=drawing)
    palette, _ = pack.run("ColorizeExtractPalette", image=as_image(host, scene.right))
    flats, done, _ = pack.run("ColorizeFlats", image=picture, regions=regions, palette=palette)
    swatches = {swatch.color for swatch in palette.swatches}
    assert colors_of(flats) <= swatches | {(255, 255, 255)} and len(colors_of(flats)) >= 5
    inked, _ = pack.run("ColorizeInkOver", image=flats, drawing=drawing, regions=done, line_color="black")
    assert (inked[ink == 1] == 0).all() and (inked[ink == 0] == flats[ink == 0]).all()

    takes = set((output / "cels").glob("shot_*"))
    pack.run("ColorizeSaveCels", regions=done, drawing=drawing, format="png")
    [take] = set((output / "cels").glob("shot_*")) - takes
    cel = np.asarray(Image.open(take / "shot_0001.png"))
    assert set(np.unique(cel[..., 3])) == {0, 255}
    assert {tuple(color) for color in cel[cel[..., 3] == 255][:, :3].tolist()} <= swatches | {(0, 0, 0)}
    assert cel[2, 2, 3] == 0, "paper around the character is nothing"

    before = set((output / "layers").rglob("*.ora"))
    merged, *_ = pack.run("ColorizeSaveLayers", image=flats, regions=done, drawing=drawing, format="ora")
    assert (merged - inked).abs().max() <= 2 / 255
    assert len(set((output / "layers").rglob("*.ora")) - before) == 1

    right = host.torch.from_numpy(scene.right.astype(np.float32))[None] / 255
    near = (flats - right).abs().amax(dim=-1) < 0.02
    assert float(near[ink == 0].float().mean()) > 0.85, "shadows aside, the right colours"


def colors_of(image):
    return {tuple(color) for color in np.unique((image * 255).round().byte().reshape(-1, 3).numpy(), axis=0).tolist()}
