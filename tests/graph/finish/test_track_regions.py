"""Track Regions through the graph: a shot from lines to cels, the anchor, and what does not go together."""

import moving_boxes
import numpy as np
import pytest
from PIL import Image

COLORS = ((210, 80, 80), (80, 120, 200))
FRAMES, STEP = 4, 3


@pytest.fixture
def drawings(host):
    """Drawings [4, 60, 80, 3] of two boxes that move to the right."""
    return moving_boxes.drawings(FRAMES, STEP)


@pytest.fixture
def pictures(drawings):
    """Their colours; in the third frame both have the first box's."""
    return moving_boxes.colored(drawings, STEP, [COLORS, COLORS, COLORS[:1] * 2, COLORS])


@pytest.fixture
def palette(pack):
    return pack.run("ColorizePalette", text="red #d25050\nblue #5078c8\ngreen #30a060")[0]


@pytest.fixture
def regions(pack, drawings):
    return pack.run("ColorizeLineRegions", drawing=drawings)[0]


def boxes(image):
    """The two boxes' colours in every frame."""
    return [
        [tuple((page[30, left + 3 * frame] * 255).round().int().tolist()) for left in (20, 50)]
        for frame, page in enumerate(image)
    ]


def test_from_drawings_to_cels(pack, host, drawings, pictures, palette, regions, output, progress):
    """Line Regions, Flats, Track Regions, Save Cels: what flickers in the flats does not in the cels."""
    flats, done, _ = pack.run("ColorizeFlats", image=pictures, regions=regions, palette=palette)
    assert boxes(flats)[2] == [COLORS[0]] * 2
    (tracked, strip, even), ui = pack.run_ui("ColorizeTrackRegions", regions=done, image=pictures)
    assert progress[-1] == (FRAMES, FRAMES) and len(ui["images"]) == 1
    assert boxes(even) == [list(COLORS)] * FRAMES and even.shape == drawings.shape
    assert strip.shape[0] == 1 and strip.shape[2] <= 2048
    assert (boxes(flats)[2] == [COLORS[0]] * 2) and done.tables[0].track.max() == -1, "the inputs are as they were"
    inked, _ = pack.run("ColorizeInkOver", image=even, drawing=drawings, regions=tracked)
    assert inked.shape == drawings.shape
    takes = set((output / "cels").glob("shot_*"))
    pack.run("ColorizeSaveCels", regions=tracked, format="png")
    [take] = set((output / "cels").glob("shot_*")) - takes
    cels = [np.asarray(Image.open(take / f"shot_{frame + 1:04}.png")) for frame in range(FRAMES)]
    assert all(tuple(cel[30, 50 + 3 * frame]) == (*COLORS[1], 255) for frame, cel in enumerate(cels))
    again, kept, _ = pack.run("ColorizeFlats", image=pictures, regions=tracked)
    assert (again == even).all() and (kept.paint == tracked.paint).all() and kept.palette == palette


def test_after_line_regions_without_a_palette(pack, host, pictures, regions):
    """The shot's own colours, from pictures of half the size and of another type."""
    small = pictures[:, ::2, ::2].half()
    tracked, _, flats = pack.run("ColorizeTrackRegions", regions=regions, image=small)
    assert str(flats.dtype) == "torch.float32" and len({tuple(pair) for pair in boxes(flats)}) == 1
    assert regions.paint is None and tracked.palette is not None and len(tracked.palette) == 2


def test_an_anchor_of_any_frame_wins(pack, host, pictures, palette, regions):
    inputs = {"regions": regions, "image": pictures, "palette": palette}
    flats, *_ = pack.run("ColorizeFlats", **inputs)
    right = flats[1, None].clone()
    right[0, 12:46, 44:62] = host.torch.tensor((48, 160, 96)) / 255
    _, _, even = pack.run("ColorizeTrackRegions", **inputs, anchor=right, anchor_frame=1)
    assert boxes(even) == [[COLORS[0], (48, 160, 96)]] * FRAMES
    several = flats.clone()
    several[1] = right[0]
    _, _, same = pack.run("ColorizeTrackRegions", **inputs, anchor=several, anchor_frame=1)
    assert (same == even).all()


def test_one_drawing_for_several_pictures_and_the_other_way(pack, pictures, palette, drawings):
    one = pack.run("ColorizeLineRegions", drawing=drawings[:1])[0]
    tracked, _, flats = pack.run("ColorizeTrackRegions", regions=one, image=pictures[:1].repeat(3, 1, 1, 1))
    assert len(tracked) == 3 and (flats[0] == flats[2]).all()
    several = pack.run("ColorizeLineRegions", drawing=drawings[:2])[0]
    assert len(pack.run("ColorizeTrackRegions", regions=several, image=pictures[:1])[0]) == 2


def test_what_lies_outside_the_mask_keeps_the_picture(pack, host, drawings, pictures, palette):
    mask = host.torch.zeros(1, 60, 80)
    mask[:, 4:54] = 1
    regions = pack.run("ColorizeLineRegions", drawing=drawings, within=mask)[0]
    sky = pictures.clone()
    sky[:, :2] = 0.3
    tracked, _, flats = pack.run("ColorizeTrackRegions", regions=regions, image=sky, palette=palette)
    assert (flats[:, :2] == sky[:, :2]).all() and (tracked.paint[:, :2] == -1).all()
    assert all((table.track[0] == -1) for table in tracked.tables)


def test_what_does_not_go_together_is_told(pack, pictures, palette, regions):
    inputs = {"regions": regions, "image": pictures, "palette": palette}
    with pytest.raises(pack.Error, match=r"`image` 2, `regions` 4"):
        pack.run("ColorizeTrackRegions", **inputs | {"image": pictures[:2]})
    with pytest.raises(pack.Error, match=r"`anchor_frame` is 4 and the shot has 4 frames; expected 0 … 3"):
        pack.run("ColorizeTrackRegions", **inputs, anchor=pictures[:1], anchor_frame=4)
    with pytest.raises(pack.Error, match=r"`anchor` holds 2 pictures"):
        pack.run("ColorizeTrackRegions", **inputs, anchor=pictures[:2])
    with pytest.raises(pack.Error, match=r"`anchor` has the shape"):
        pack.run("ColorizeTrackRegions", **inputs, anchor=pictures[..., 0])
    empty = pack.run("ColorizePalette", text="")[0]
    with pytest.raises(pack.Error, match=r"`palette` has no swatches"):
        pack.run("ColorizeTrackRegions", **inputs | {"palette": empty})
    pack.run("ColorizeTrackRegions", **inputs, anchor_frame=99)  # without an anchor it says nothing
