"""The short benchmarks of ColorizeDiffusion XL: operations and memory keep to their goals. No time is asserted."""

import pytest

pytestmark = pytest.mark.thorough

SIZE = 1024


@pytest.fixture(scope="module")
def steps(short_run):
    """Operations of a step at 1024² with half of the picture background, by model."""
    rows = short_run.tables["xl operations"]
    assert {(row["size"], row["background"]) for row in rows} == {(SIZE, 0.5)}
    return {row["model"]: row for row in rows}


@pytest.fixture(scope="module")
def peak(short_run):
    """Peak memory of a run of the v2-style model at 1024², full size, float16."""
    [row] = short_run.tables["xl memory"]
    assert (row["model"], row["size"], row["batch"], row["characters"]) == ("v2-style", SIZE, 1, 1)
    return row


def test_the_plain_unet_is_the_published_size(steps, peak):
    assert set(steps) == {"base", "v2-style"}
    for row in steps.values():
        assert row["plain, TFLOP"] == pytest.approx(13.785, abs=0.001)
    assert peak["plain weights"] == pytest.approx(2565e6 * 2 / 1e6, rel=0.001)


def test_split_of_the_base_model_costs_less_than_the_plain_unet(steps):
    assert steps["base"]["a step"] <= 1.0
    assert steps["base"]["first step"] == steps["base"]["a step"]


def test_split_and_stored_states_cost_hardly_more_than_the_plain_unet(steps):
    assert steps["v2-style"]["a step"] <= 1.01


def test_only_the_first_step_works_out_keys_and_values_of_the_stored_states(steps):
    # 30 states of 1024 tokens and 1280 channels, 6 of 4096 and 640; a multiplication and an addition count for two.
    projections = 2 * 2 * (30 * 1024 * 1280**2 + 6 * 4096 * 640**2) / 1e12
    row = steps["v2-style"]
    assert (row["first step"] - row["a step"]) * row["plain, TFLOP"] == pytest.approx(projections, rel=1e-6)


def test_peak_memory_keeps_to_its_share(peak):
    assert 0 < peak["extra share"] <= 0.1


def test_a_run_keeps_keys_and_values_of_the_stored_states_and_little_else(peak):
    assert peak["more weights"] == 0
    assert peak["kept: keys and values"] == pytest.approx(2 * 2 * (30 * 1024 * 1280 + 6 * 4096 * 640) / 1e6)
    assert 0 < peak["kept: all else"] < 2


def test_no_operation_inside_a_step_waits_for_the_device(short_run):
    [row] = short_run.tables["xl waiting"]
    assert row["operations"] > 5000  # the watch was on
    assert row["of these waiting"] == 0


def test_split_and_stored_states_launch_few_operators_more_than_the_plain_unet(short_run):
    [row] = short_run.tables["xl launches"]
    assert 1500 < row["plain"] < row["split"] < row["all on"]
    assert row["ratio"] <= 1.4


def test_what_is_done_once_is_counted_part_by_part(short_run):
    rows = {row["part"]: row for row in short_run.tables["xl encoders"]}
    run = {"tagger", "token projection", "sketch encoder"}
    assert set(rows) == {"image tower, ViT-bigG", "VAE encoder", "background encoder"} | run
    for part, row in rows.items():
        assert row["TFLOP, 1024²"] > 0
        for measured in ("processor, s", "passed, s", "memory, MB"):
            assert (row[measured] is not None and row[measured] > 0) == (part in run)


def test_the_sketch_encoder_makes_no_matrix_of_all_tokens(short_run):
    [row] = [row for row in short_run.tables["xl encoders"] if row["part"] == "sketch encoder"]
    # At 256² its 1409 tokens of 1280 channels take 7.2 MB; a matrix of them by 10 heads alone would take 79 MB.
    assert row["memory, MB"] < 70


def test_steps_are_timed_against_the_plain_unet(short_run):
    [row] = short_run.tables["xl clock"]
    assert row["plain, s"] > 0 and row["processor time"] > 0 and row["time passed"] > 0
    assert row["against operations"] == pytest.approx(row["processor time"] / row["operations"] - 1)


def test_goals_tell_what_was_reached(short_run, steps, peak):
    goals = {goal["goal"].partition(":")[0]: goal for goal in short_run.tables["xl goals"]}
    assert goals["base"]["reached"] == steps["base"]["a step"]
    assert goals["v2-style"]["reached"] == steps["v2-style"]["a step"]
    assert peak["extra share"] in [goal["reached"] for goal in goals.values()]
    for goal in goals.values():
        expected = None if goal["reached"] is None else "yes" if goal["reached"] <= goal["limit"] else "no"
        assert goal["met"] == expected
