"""Goals for extracted palettes, on pictures that nothing was tuned on."""

import numpy as np
import pytest

#: Least share of right colours found, of three pictures each.
GOALS = {"png": 1.0, "jpeg": 0.95, "painted": 0.75}


@pytest.mark.parametrize("kind", GOALS)
def test_right_colours_are_found_and_few_others(kind):
    from finish_scores import FOUND, palette_scores

    scores = [score for make in ("scene", "cards") for score in palette_scores(make, kind, 512, range(9802, 9805))]
    errors = np.concatenate([score.errors for score in scores])
    assert (errors <= (0.5 if kind == "png" else FOUND)).mean() >= GOALS[kind]
    assert np.mean([score.swatches for score in scores]) <= 1.3
