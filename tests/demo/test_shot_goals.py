"""Goals for a shot's flats, on shots that nothing was tuned on; `make evaluate-tracks` measures more of them."""

import numpy as np


def test_flats_of_a_shot_hardly_change_and_regions_are_tracked():
    """Two short shots, small: what 16 frames show is gone through in 10, so each frame is farther from the next."""
    from evaluate_tracks import WAYS, scored
    from moving_scenes import SHOTS

    rows = list(scored(2, SHOTS + 1_000, "each", frames=10, size=384))
    alone, together = ([row[way] for row in rows] for way in WAYS)
    change, before = (np.mean([score.change for score in scores]) for scores in (together, alone))
    assert change <= 0.5 and change <= before / 3
    assert np.mean([score.tracked for score in together]) >= 95
    assert np.mean([score.right for score in together]) > np.mean([score.right for score in alone])
