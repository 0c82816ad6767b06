"""Draw assets/after-the-sampler.png, the README's picture of what comes after the sampler, from samples/.

python scripts/draw_finish_pictures.py
"""

import numpy as np
import torch
from PIL import Image

from draw_flats_pictures import row
from finished_samples import ROOT, finished

FILE = ROOT / "assets" / "after-the-sampler.png"


def as_tile(picture: Image.Image) -> torch.Tensor:
    """Turn a picture into [1, H, W, 3] in [0, 1]."""
    return torch.from_numpy(np.array(picture))[None] / 255


def main() -> None:
    made = finished(by_hand=True)
    tiles = {
        "drawing": made.drawing,
        "coloured picture": made.colored,
        "regions": made.regions,
        "flats": made.flats,
        "lines over": made.inked,
    }
    row([(as_tile(picture), name) for name, picture in tiles.items()], "+>>>").save(FILE, optimize=True)


if __name__ == "__main__":
    main()
