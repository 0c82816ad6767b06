"""A picture of what the split will do: the drawing tinted by region, at the output's size and at each attention size.

Source: spec section 5 for the sizes and the threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..errors import ColorizeError
from .masks import resize_mask
from .pictures import as_grey, as_rgb, resize_picture
from .preview_sheet import LegendEntry, Panel, draw_sheet, small_size
from .regions import region_labels

#: The split attention works at the latent's size, halved three times.
LEVELS = 4
LATENT_SCALE = 8
#: The longest side at which the output is shown, in pixels.
MAIN_SIDE = 960

# Light enough for ink to be read on all of them, and told apart with any colour vision.
BACKGROUND_COLOR = (0.60, 0.80, 0.95)
CHARACTER_COLORS = [(1.00, 0.80, 0.42), (0.72, 0.86, 0.52), (0.98, 0.70, 0.78), (0.82, 0.74, 0.96)]
LOST_COLOR = (0.80, 0.02, 0.36)
INK = (0.10, 0.10, 0.13)


@dataclass(frozen=True)
class Tinted:
    """A drawing tinted by the regions at one size.

    Attributes:
        picture: [h, w, 3] in [0, 1], ready to be shown.
        character: share of the picture that is character, in [0, 1].
        lost: share of the picture that is character at the output's size and is treated as something else here.
    """

    picture: torch.Tensor
    character: float
    lost: float


def attention_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return (height, width) of the feature maps that the split works on, the largest first.

    Args:
        height, width: the output's size in pixels, at least 8.
    """
    sizes = [(height // LATENT_SCALE, width // LATENT_SCALE)]
    while len(sizes) < LEVELS:
        rows, columns = sizes[-1]
        sizes.append((math.ceil(rows / 2), math.ceil(columns / 2)))
    return sizes


def preview_regions(
    image: torch.Tensor, masks: Sequence[torch.Tensor], height: int, width: int, threshold: float
) -> torch.Tensor:
    """Draw the sheet for one picture.

    Args:
        image: [1, H, W, C] in [0, 1], a drawing or a line map, stretched to the output's size as the masks are.
        masks: one [1, H', W'] in [0, 1] a character.
        height, width: the output's size in pixels.
        threshold: positions whose resized mask is above it belong to the character.

    Returns:
        [1, sheet height, sheet width, 3] in [0, 1]; its size depends on `height` and `width` only.
    """
    if height < LATENT_SCALE or width < LATENT_SCALE:
        raise ColorizeError(f"The output's size is {width}×{height}, expected at least {LATENT_SCALE} on each side.")
    drawing, masks = dark_on_light(as_grey(as_rgb(image.cpu()))), [mask.cpu() for mask in masks]
    fine = region_labels([resize_mask(mask, height, width) for mask in masks], threshold, height, width)
    latent = [resize_mask(mask, *attention_sizes(height, width)[0]) for mask in masks]
    main = shown_size(height, width)
    whole = tint(drawing, fine, fine, len(masks), main)
    panels = [Panel(whole.picture, f"Output  {width} x {height}", f"character {whole.character:.0%}")]
    for rows, columns in attention_sizes(height, width):
        labels = region_labels(latent, threshold, rows, columns)
        level = tint(drawing, labels, fine, len(masks), small_size(*main))
        note = f"character {level.character:.0%}, lost {level.lost:.1%}"
        panels.append(Panel(level.picture, f"Attention  {columns} x {rows}", note))
    return draw_sheet(panels, legend(len(masks)))[None]


def dark_on_light(grey: torch.Tensor) -> torch.Tensor:
    """Return a drawing [1, H, W] with dark lines, whichever way it came: most of a drawing is blank."""
    return 1 - grey if grey.mean() < 0.5 else grey


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width at which the output is shown."""
    scale = MAIN_SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def tint(
    drawing: torch.Tensor, labels: torch.Tensor, fine: torch.Tensor, characters: int, size: tuple[int, int]
) -> Tinted:
    """Tint a drawing by its regions at one size, and mark what the size has lost.

    Args:
        drawing: [1, H, W] in [0, 1], dark lines on light.
        labels: [1, h, w], the region of each position.
        fine: [1, H', W'], the region of each pixel of the output.
        characters: how many regions are characters; the background is the last one.
        size: height and width at which it is shown.
    """
    cells, pixels = shown_labels(labels, size), shown_labels(fine, size)
    palette = torch.tensor([character_color(index) for index in range(characters)] + [BACKGROUND_COLOR])
    paper = palette[cells]
    lost = (pixels < characters) & (cells != pixels)
    paper[lost] = torch.tensor(LOST_COLOR)
    if labels is not fine:
        paper = draw_grid(paper, *labels.shape[-2:])
    ink = 1 - resize_picture(drawing[..., None], *size)[0]
    picture = torch.lerp(paper, torch.tensor(INK).expand_as(paper), ink.expand_as(paper))
    return Tinted(picture, float((labels < characters).float().mean()), float(lost.float().mean()))


def shown_labels(labels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Enlarge or reduce labels [1, h, w] to the shown size [H, W] without mixing them."""
    return F.interpolate(labels[:, None].float(), size=size, mode="nearest-exact")[0, 0].long()


def draw_grid(paper: torch.Tensor, rows: int, columns: int, smallest_cell: int = 12) -> torch.Tensor:
    """Darken the borders of the cells a little, where cells are large enough to be seen as such."""
    height, width = paper.shape[:2]
    if min(height / rows, width / columns) < smallest_cell:
        return paper
    paper = paper.clone()
    paper[[round(row * height / rows) for row in range(1, rows)]] *= 0.86
    paper[:, [round(column * width / columns) for column in range(1, columns)]] *= 0.86
    return paper


def character_color(index: int) -> tuple[float, float, float]:
    """Return the colour of a character; more characters than colours start over."""
    return CHARACTER_COLORS[index % len(CHARACTER_COLORS)]


def legend(characters: int) -> list[LegendEntry]:
    """Return what the colours mean."""
    names = ["character"] if characters == 1 else [f"character {index + 1}" for index in range(characters)]
    entries = [LegendEntry(character_color(index), name) for index, name in enumerate(names)]
    entries.append(LegendEntry(BACKGROUND_COLOR, "background"))
    taken = "background" if characters == 1 else "another region"
    entries.append(LegendEntry(LOST_COLOR, f"lost: character, but coloured as {taken} at this size"))
    return entries
