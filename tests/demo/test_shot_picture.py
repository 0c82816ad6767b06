"""The README's moving picture shows the shot that demo/demo_shot.py draws, there and back, and is small enough."""

from pathlib import Path

import numpy as np

ASSET = Path(__file__).resolve().parents[2] / "assets" / "shot.webp"


def test_the_moving_picture_shows_the_shot_as_it_is_drawn():
    from PIL import Image

    from demo_shot import DRAWINGS, draw_shot
    from moving_picture import SIDE, cut_frames, there_and_back

    shown, order = cut_frames(ASSET, 0), there_and_back(DRAWINGS)
    assert 16 <= len(shown) == len(order) and ASSET.stat().st_size < 3_000_000
    drawings = (draw_shot().drawings * 255).byte().numpy()
    whole = [Image.fromarray(drawing).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for drawing in drawings]
    small = [picture.crop((1, 1, SIDE - 1, SIDE - 1)) for picture in whole]
    differences = np.array(
        [[np.abs(np.int16(frame) - np.int16(drawing)).mean() for drawing in small] for frame in shown]
    )
    assert differences.argmin(axis=1).tolist() == order and differences.min(axis=1).max() < 1, "run 'make demo-shot'"
