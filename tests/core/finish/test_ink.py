"""The ink of drawings: clean ones exactly, scans without their paper, trace lines apart."""

import pytest
import torch
from colorizediffusion.colorize_core.finish.ink import (
    drawn_ink,
    ink_amount,
    paper_and_ink_levels,
    trace_lines,
    whitened,
)
from PIL import Image, ImageDraw


def drawn(size=256, paper=255, color=0, width=5):
    """A ring and a stroke, antialiased, in levels of 255: [1, size, size] in [0, 1]."""
    picture = Image.new("L", (4 * size, 4 * size), paper)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((0.6 * size, 0.6 * size, 3 * size, 3 * size), outline=color, width=4 * width)
    pen.line((0.2 * size, 3.5 * size, 3.8 * size, 1.1 * size), fill=color, width=4 * width)
    small = picture.resize((size, size), Image.Resampling.BOX)
    return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).reshape(1, size, size) / 255


def few(size=256):
    grey = torch.ones(1, size, size)
    grey[0, 100, 100:105], grey[0, 101, 100:105] = 0.0, 0.5
    return grey


def mostly_black(size=256):
    grey = torch.zeros(1, size, size)
    grey[0, :60, :60], grey[0, 60, :60] = 1.0, 0.25
    return grey


def two_tones(size=256):
    """More of the sheet is light grey than white, as with a toned background."""
    grey = drawn(size)
    grey[0, :, size // 3 :] *= 0.95
    return grey


CLEAN = {
    "lines": drawn(),
    "few": few(),
    "mostly black": mostly_black(),
    "two tones": two_tones(),
    "all white": torch.ones(1, 9, 7),
    "all black": torch.zeros(1, 9, 7),
}


@pytest.mark.parametrize("grey", CLEAN.values(), ids=CLEAN)
def test_a_clean_drawing_is_one_minus_its_brightness(grey):
    assert torch.equal(ink_amount(grey), 1 - grey)
    picture = grey[..., None].expand(-1, -1, -1, 3)
    assert torch.equal(drawn_ink(picture), 1 - grey) and torch.equal(whitened(picture), picture)


@pytest.mark.parametrize("noise", [0.01, 0.02, 0.03])
def test_the_paper_of_a_scan_is_no_ink(noise):
    clean = drawn()
    scan = 0.1 + 0.7 * clean + noise * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    ink = ink_amount((scan.clamp(0, 1) * 255).round() / 255)
    assert ink[clean == 1].max() < 0.01 and (ink[clean == 1] > 0).float().mean() < 1e-3
    assert ink[clean == 0].mean() > 0.95
    assert (ink - (1 - clean)).abs().mean() < 0.02


def test_pale_lines_are_full_ink_and_linear_at_their_edges():
    clean = drawn()
    pale = 1 - (1 - clean) / 2
    assert torch.allclose(ink_amount(pale), 1 - clean, atol=1e-6)
    assert [float(level) for level in paper_and_ink_levels(pale)] == [1.0, 0.5]


def test_shadows_on_the_paper_are_no_ink():
    clean = drawn()
    down, across = torch.meshgrid(torch.linspace(-1, 1, 256), torch.linspace(-1, 1, 256), indexing="ij")
    light = 0.95 - 0.15 * (down**2 + across**2) - 0.05 * across
    noise = 0.01 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    ink = ink_amount((light * (0.1 + 0.9 * clean) + noise).clamp(0, 1))
    assert light.min() < 0.62
    assert (ink[clean == 1] > 0.1).float().mean() == 0 and ink[clean == 1].mean() < 1e-3
    assert ink[clean == 0].mean() > 0.95


def test_every_picture_of_a_batch_has_levels_of_its_own():
    batch = torch.cat([drawn(), drawn(paper=200, color=100)])
    assert torch.equal(ink_amount(batch)[:1], ink_amount(batch[:1]))
    assert torch.equal(ink_amount(batch)[1:], ink_amount(batch[1:])) and ink_amount(batch)[1].max() == 1


def colored(color, size=128):
    """Lines of a colour, antialiased, on white."""
    cover = 1 - drawn(size)[..., None]
    return 1 - cover + cover * torch.tensor(color)


@pytest.mark.parametrize("color", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.8, 0.1, 0.1), (0.4, 0.6, 1.0)])
def test_red_green_and_blue_lines_are_trace_lines(color):
    ink, trace = trace_lines(colored(color))
    assert ink.max() < 0.02 and torch.allclose(trace, 1 - drawn(128), atol=0.02)


@pytest.mark.parametrize(
    "color", [(0.0, 0.0, 0.0), (0.3, 0.3, 0.35), (0.45, 0.3, 0.2), (0.5, 0.22, 0.15), (0.9, 0.7, 0.6)]
)
def test_black_grey_brown_and_skin_are_ink(color):
    picture = colored(color)
    ink, trace = trace_lines(picture)
    assert trace.max() < 0.02 and torch.allclose(ink + trace, drawn_ink(picture)) and ink.max() > 0.98


def test_the_paper_of_a_coloured_scan_becomes_white():
    picture = colored((0.9, 0.1, 0.1)) * torch.tensor([0.9, 0.85, 0.75])
    ink, trace = trace_lines(picture)
    assert torch.equal(whitened(picture)[:, :4, :4], torch.ones(1, 4, 4, 3))
    assert ink.max() < 0.05 and trace.max() > 0.95 and drawn_ink(picture)[:, :4, :4].max() == 0


def test_two_pixels_at_the_ends_of_the_papers_peak_are_paper():
    """Both round into the peak's window, and neither lies in it by itself."""
    amount = ink_amount(torch.tensor([[[199.6, 208.4]]]) / 255)
    assert amount.isfinite().all() and amount.max() < 0.05
