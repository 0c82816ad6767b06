"""Regions followed through a shot: the same thing in the same track and swatch, whatever happens on the way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from colorizediffusion.colorize_core.finish.anchors import anchored
from colorizediffusion.colorize_core.finish.flats import FlatChoice, make_flats, surrounding
from colorizediffusion.colorize_core.finish.palette import Palette, Swatch
from colorizediffusion.colorize_core.finish.regions import NO_SWATCH, Regions, table_of
from colorizediffusion.colorize_core.finish.shot_tracks import ShotTracks, paint_tracks, renumbered
from colorizediffusion.colorize_core.finish.track_matching import assign
from colorizediffusion.colorize_core.finish.track_strip import draw_tracks, strip_of, thumbnail_size
from colorizediffusion.colorize_core.finish.track_votes import UNDECIDED

HEIGHT, WIDTH = 120, 160
COLORS = {"red": (210, 70, 70), "blue": (60, 110, 200), "green": (60, 160, 90), "grey": (150, 150, 150)}
SHADE = (130, 30, 40)
PALETTE = Palette(tuple(Swatch(name, color) for name, color in COLORS.items()))
TONED = Palette((*PALETTE.swatches, Swatch("red shadow", SHADE, "shadow", "red")))


def frame(boxes, wrong=()):
    """A drawing of boxes on paper, and its coloured picture.

    Args:
        boxes: [(name, left, top, right, bottom)], later ones in front; two of one name and touching are one region.
        wrong: names that the picture has in grey.

    Returns:
        Regions of one frame; [1, HEIGHT, WIDTH, 3]; for each name one of its pixels [row, column], in front.
    """
    name_at = np.full((HEIGHT, WIDTH), "", dtype=object)
    filled = np.ones((HEIGHT, WIDTH), dtype=np.int32)
    numbers = {name: index + 2 for index, name in enumerate(dict.fromkeys(box[0] for box in boxes))}
    ink = np.zeros((HEIGHT, WIDTH), dtype=bool)
    picture = torch.ones(1, HEIGHT, WIDTH, 3)
    for name, left, top, right, bottom in boxes:
        at = np.s_[top:bottom, left:right]
        filled[at], name_at[at] = numbers[name], name
        ink[at] = True
        ink[top + 1 : bottom - 1, left + 1 : right - 1] = False
        color = "grey" if name in wrong else name.split()[0]
        picture[0, top:bottom, left:right] = torch.tensor(COLORS[color]) / 255
    regions = Regions(torch.from_numpy(filled)[None], torch.from_numpy(ink)[None], (table_of(filled),))
    places = {name: tuple(np.argwhere((name_at == name) & ~ink)[0]) for name in numbers if (name_at == name).any()}
    return regions, picture, places


def followed(frames, palette=PALETTE, anchors=()):
    """Track a shot; return its painted frames."""
    shot = ShotTracks(palette)
    for index, (regions, picture, _) in enumerate(frames):
        shot.add(picture, regions, dict(anchors).get(index))
    found = shot.elected()
    return [
        paint_tracks(regions, palette, tracks, shot.toned) for (regions, *_), tracks in zip(frames, found, strict=True)
    ]


def track_at(done, frames, index, name):
    row, column = frames[index][2][name]
    return int(done[index].tables[0].track[done[index].filled[0, row, column]])


def swatch_at(done, frames, index, name):
    row, column = frames[index][2][name]
    painted = int(done[index].paint[0, row, column])
    return "paper" if painted == NO_SWATCH else done[index].palette.swatches[painted].name


def figure(shift, *more, hidden=(), **options):
    """Two boxes side by side that move to the right, and what else there is."""
    boxes = [("red", 20 + shift, 20, 60 + shift, 90), ("blue", 59 + shift, 20, 90 + shift, 90), *more]
    return frame([box for box in boxes if box[0] not in hidden], **options)


def test_a_colour_that_is_wrong_in_one_frame_is_outvoted():
    frames = [figure(5 * index, wrong=("blue",) if index == 2 else ()) for index in range(5)]
    done = followed(frames)
    assert {track_at(done, frames, index, "blue") for index in range(5)} == {track_at(done, frames, 0, "blue")}
    assert {swatch_at(done, frames, index, "blue") for index in range(5)} == {"blue"}
    table = done[2].tables[0]
    assert table.agreement[done[2].filled[0, 50, 80]] < 0.5, "where to look is told"
    assert done[0].tables[0].color[done[0].filled[0, 50, 30]].tolist() == list(COLORS["red"])


def test_paper_around_is_one_track_without_a_swatch():
    frames = [figure(0), figure(0, ("red arm", 0, 40, 21, 50), ("blue arm", 89, 40, 160, 50))]
    done = followed(frames)
    corners = [int(done[index].filled[0, row, 2]) for index in (0, 1) for row in (2, HEIGHT - 3)]
    assert swatch_at(done, [(*frames[0][:2], {"paper": (2, 2)})], 0, "paper") == "paper"
    assert len({int(done[i // 2].tables[0].track[label]) for i, label in enumerate(corners)}) == 1


def test_held_frames_keep_their_tracks_and_vote_again():
    drawn = [figure(8 * index) for index in range(3)]
    frames = [each for each in drawn for _ in range(2)]
    done, plain = followed(frames), followed(drawn)
    for index in range(6):
        assert (done[index].tables[0].track == plain[index // 2].tables[0].track).all()


@pytest.mark.parametrize("away", [1, 2])
def test_a_frame_in_which_two_regions_run_into_one_ends_no_track(away):
    """As a gap does: in some frames both are one region, of the larger one's colours and the other's."""
    frames = [figure(4 * index) for index in range(6)]
    for index in range(2, 2 + away):
        regions, picture, places = frames[index]
        label = regions.filled[0, places["blue"][0], places["blue"][1]]
        filled = torch.where(regions.filled == label, regions.filled[0, 50, 40 + 4 * index], regions.filled)
        frames[index] = (replace(regions, filled=filled, tables=(table_of(filled[0].numpy(), 4),)), picture, places)
    done = followed(frames)
    for name in ("red", "blue"):
        whole = [index for index in range(6) if not 2 <= index < 2 + away]
        assert {track_at(done, frames, index, name) for index in whole} == {track_at(done, frames, 0, name)}
        assert {swatch_at(done, frames, index, name) for index in whole} == {name}
    assert track_at(done, frames, 0, "red") != track_at(done, frames, 0, "blue")


def test_a_region_that_comes_and_one_that_goes_have_tracks_of_their_own():
    """A mark of the same colour goes on one side, and later one comes on the other."""
    left, right = ("green one", 25, 30, 35, 40), ("green two", 75, 70, 85, 80)
    frames = [figure(0, left), figure(1, left), figure(2), figure(3), figure(4, right), figure(5, right)]
    done = followed(frames)
    one, other = track_at(done, frames, 0, "green one"), track_at(done, frames, 4, "green two")
    assert track_at(done, frames, 1, "green one") == one and track_at(done, frames, 5, "green two") == other
    assert len({one, other, track_at(done, frames, 0, "red"), track_at(done, frames, 0, "blue")}) == 4
    assert swatch_at(done, frames, 4, "green two") == "green"


def test_hidden_for_two_drawings_it_is_still_the_same():
    mark = ("green", 30, 40, 42, 52)
    frames = [figure(0, mark), figure(0, mark), figure(0), figure(0, ("grey", 5, 5, 9, 9)), figure(0, mark)]
    done = followed(frames)
    assert track_at(done, frames, 4, "green") == track_at(done, frames, 0, "green")


def test_a_bar_that_passes_cuts_a_region_and_both_pieces_are_it():
    """The bar crosses from the left; the box behind it is whole, cut, and whole again; so it is backwards."""
    frames = []
    for left in (2, 45, 60, 75, 125):
        body, bar = ("red", 30, 20, 110, 100), ("blue", left, 10, left + 14, 110)
        regions, picture, places = frame([body, bar])
        if 30 < left < 100:
            cut = regions.filled.clone()
            cut[0, 20:100, left + 14 : 110] = 4
            places["red right"] = (60, 105)
            regions = replace(regions, filled=cut, tables=(table_of(cut[0].numpy()),))
        frames.append((regions, picture, places))
    for shot in (frames, frames[::-1], frames[1:4] + frames[4:], frames[:3]):
        done = followed(shot)
        for index, (*_, places) in enumerate(shot):
            for name in places:
                assert swatch_at(done, shot, index, name) == name.split()[0]
        pieces = {track_at(done, shot, i, name) for i, (*_, p) in enumerate(shot) for name in p if name != "blue"}
        assert len(pieces) == 1 and track_at(done, shot, 1, "blue") not in pieces


def test_two_that_cross_stay_who_they_are():
    """Of one size and shape; colours and the way that is shorter for both together say which is which."""
    frames = [frame([("red", 10 + 12 * i, 20, 40 + 12 * i, 50), ("blue", 118 - 12 * i, 58, 148 - 12 * i, 88)])
              for i in range(9)]  # fmt: skip
    done = followed(frames)
    for name in ("red", "blue"):
        assert len({track_at(done, frames, index, name) for index in range(9)}) == 1


def test_pairs_are_chosen_together():
    """The cheapest pair first would leave the other two the dearest."""
    rows, columns, cost = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.2, 0.5])
    assert assign(rows, columns, cost).tolist() == [1, 2]
    assert assign(rows, columns, np.array([0.1, 0.55, 0.58, 0.7])).tolist() == [0], "rather two alone than two bad ones"


def test_flats_put_right_win_for_their_tracks():
    frames = [figure(5 * index) for index in range(4)]
    regions, picture, places = frames[1]
    right = make_flats(picture, regions, PALETTE, FlatChoice()).image
    right[0, regions.filled[0] == regions.filled[0, places["blue"][0], places["blue"][1]]] = (
        torch.tensor(COLORS["green"]) / 255
    )
    inked = torch.where(regions.ink[..., None], 0.0, right)
    small = inked[:, ::2, ::2]
    for anchor in (right, inked, small):
        done = followed(frames, anchors={1: anchor})
        assert {swatch_at(done, frames, index, "blue") for index in range(4)} == {"green"}
        assert {swatch_at(done, frames, index, "red") for index in range(4)} == {"red"}
        table = done[1].tables[0]
        assert table.decided[1:].sum() == 2 and (table.agreement[table.decided] == 1).all()
    assert [swatch_at(followed(frames, anchors={1: right.flip(0) * 0.5}), frames, 0, n) for n in places] == [*places]


def test_white_in_an_anchor_is_paper_where_the_rest_is_painted():
    regions, picture, _ = figure(0)
    around = surrounding(regions)
    right = make_flats(picture, regions, PALETTE, FlatChoice()).image
    blank = torch.where((regions.filled == 3)[..., None], 1.0, right)
    assert anchored(blank, regions, PALETTE, around)[2:].tolist() == [0, NO_SWATCH]
    dots = torch.ones_like(right)
    dots[0, 50:54, 30:34] = torch.tensor(COLORS["green"]) / 255
    assert anchored(dots, regions, PALETTE, around)[2:].tolist() == [2, UNDECIDED]


def test_a_dot_in_one_frame_of_flats_goes_for_the_whole_track_and_an_anchor_for_more():
    frames = [figure(5 * index) for index in range(4)]
    dots = torch.ones(1, HEIGHT, WIDTH, 3)
    dots[0, 50:54, 85:89] = torch.tensor(COLORS["green"]) / 255
    made = []
    for index, (regions, picture, places) in enumerate(frames):
        flats = make_flats(picture, regions, PALETTE, FlatChoice(), dots if index == 3 else None)
        made.append((flats.regions, picture, places))
    done = followed(made)
    assert {swatch_at(done, frames, index, "blue") for index in range(4)} == {"green"}
    anchor = make_flats(frames[0][1], frames[0][0], PALETTE, FlatChoice()).image
    assert {swatch_at(followed(made, anchors={0: anchor}), frames, i, "blue") for i in range(4)} == {"blue"}
    renamed = Palette((Swatch("lime", (10, 250, 10)), *PALETTE.swatches[::-1]))
    assert swatch_at(followed(made, renamed), frames, 0, "blue") == "green", "by name in another palette"


def test_flats_after_it_vote_no_more_but_can_be_corrected():
    frames = [figure(5 * index, wrong=("blue",) if index == 2 else ()) for index in range(4)]
    done = followed(frames)
    picture, places = frames[2][1:]
    again = make_flats(picture, done[2], PALETTE, FlatChoice()).regions
    assert (again.paint == done[2].paint).all() and (again.tables[0].track == done[2].tables[0].track).all()
    dots = torch.ones(1, HEIGHT, WIDTH, 3)
    dots[0, 50:54, 85:89] = torch.tensor(COLORS["green"]) / 255
    dotted = make_flats(picture, done[2], PALETTE, FlatChoice(), dots).regions
    assert swatch_at([dotted], [(None, None, places)], 0, "blue") == "green" and dotted.tables[0].decided.sum() == 1
    other = make_flats(picture, done[2], Palette(PALETTE.swatches[::-1]), FlatChoice()).regions
    assert not other.tracked and swatch_at([other], [(None, None, places)], 0, "blue") == "grey"


def test_two_tones_stay_in_the_track_s_colour():
    """The lower half of the red box is in shadow; in one frame the picture has it in blue, all of it."""
    frames, made = [figure(5 * index) for index in range(4)], []
    for index, (regions, picture, places) in enumerate(frames):
        red = (regions.filled[0] == 2) & (torch.arange(HEIGHT) >= 55)[:, None]
        picture[0, red] = torch.tensor(SHADE) / 255
        if index == 2:
            picture[0, regions.filled[0] == 2] = torch.tensor(COLORS["blue"]) / 255
        made.append((make_flats(picture, regions, TONED, FlatChoice("two_tones")).regions, picture, places))
    done = followed(made, TONED)
    for index in (0, 1, 3):
        assert (done[index].paint == made[index][0].paint).all()
        assert {0, 4} <= set(done[index].paint.unique().tolist())
    assert set(done[2].paint[0][frames[2][0].filled[0] == 2].tolist()) <= {0, 4}
    assert swatch_at(done, frames, 2, "blue") == "blue"


def test_how_labels_are_numbered_does_not_matter():
    rng = np.random.default_rng(3)
    mark = ("green", 30, 40, 42, 52)
    frames = [figure(5 * index, mark, wrong=("green",) if index == 1 else ()) for index in range(4)]
    mixed = []
    for regions, picture, places in frames:
        count = len(regions.tables[0])
        numbers = np.concatenate([[0], 1 + rng.permutation(count - 1)])
        mixed.append((renumbered(regions, numbers), picture, places))
    expected, found = followed(frames), followed(mixed)
    for one, other in zip(expected, found, strict=True):
        assert (one.paint == other.paint).all()
        for name in ("track", "agreement", "swatch"):
            values = (getattr(each.tables[0], name)[each.filled[0].numpy()] for each in (one, other))
            assert np.array_equal(*values), name


def test_nothing_but_nothing():
    """Regions that are nowhere, and frames without any."""
    regions, picture, _ = figure(0)
    empty = replace(regions, filled=regions.filled * 0, tables=(table_of(np.zeros((HEIGHT, WIDTH), np.int32), 5),))
    done = followed([(empty, picture, {}), (regions, picture, {}), (empty, picture, {})])
    assert (done[0].tables[0].track == -1).all() and (done[0].paint == NO_SWATCH).all()
    assert (done[1].tables[0].track[1:] >= 0).all()
    assert (followed([(empty, picture, {})] * 2)[1].tables[0].track == -1).all()


# --- the strip ---


def test_a_track_has_one_colour_in_the_strip_and_what_is_new_a_border():
    frames = [figure(0), figure(0, ("green", 30, 40, 48, 58))]
    done = followed(frames)
    tracks = 1 + max(int(each.tables[0].track.max()) for each in done)
    small = [draw_tracks(each, np.zeros(len(each.tables[0]), bool), tracks, (HEIGHT, WIDTH)) for each in done]
    for name in ("red", "blue"):
        row, column = frames[0][2][name]
        assert torch.equal(small[0][0, row + 2, column + 2], small[1][0, row + 2, column + 2])
    new = np.array([False, False, False, False, True])
    marked = draw_tracks(done[1], new, tracks, (HEIGHT, WIDTH))
    changed = (marked != small[1]).any(dim=-1)[0]
    assert torch.equal(marked[0][changed].unique(dim=0), torch.tensor([[1.0, 0.0, 1.0]]))
    assert bool(changed[40:42, 32:46].all()) and not bool(changed[44:54, 34:44].any())


@pytest.mark.parametrize(("size", "count"), [((1024, 1024), 1), ((1024, 768), 16), ((90, 4000), 48), ((64, 64), 3000)])
def test_the_strip_s_size(size, count):
    height, width, columns = thumbnail_size(*size, count)
    strip = strip_of([torch.zeros(1, height, width, 3)] * count, columns)
    assert strip.shape[2] <= 2048 and strip.shape[1] <= 4096
    assert height <= size[0] and width <= size[1]
