"""Track Regions through the graph: a shot from lines to cels, the anchor, and what does not go together."""

import pytest

COLORS = ((210, 80, 80), (80, 120, 200))


@pytest.fixture
def drawings(host):
    """Four drawings [4, 60, 80, 3] of two boxes that move to the right."""
    drawing = host.torch.ones(4, 60, 80, 3)
    for frame, page in enumerate(drawing):
        for left in (6 + 3 * frame, 36 + 3 * frame):
            page[8:50, left : left + 28] = 0
            page[10:48, left + 2 : left + 26] = 1
    return drawing


@pytest.fixture
def pictures(host, drawings):
    """Their colours; in the third frame both are the first box's."""
    picture = drawings.clone()
    for frame, page in enumerate(picture):
        for left, color in zip((6, 36), COLORS if frame != 2 else COLORS[:1] * 2, strict=True):
            left += 3 * frame
            page[10:48, left + 2 : left + 26] = host.torch.tensor(color) / 255
    return picture


@pytest.fixture
def palette(pack):
    return pack.run("ColorizePalette", text="red #d25050\nblue #5078c8\ngreen #30a060")[0]


def test_smoke(pack, drawings, pictures, palette):
    regions = pack.run("ColorizeLineRegions", drawing=drawings)[0]
    (done, strip, flats), ui = pack.run_ui("ColorizeTrackRegions", regions=regions, image=pictures, palette=palette)
    print(strip.shape, flats.shape, [t.track for t in done.tables], [t.swatch for t in done.tables], ui)
