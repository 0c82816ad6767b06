"""The short benchmarks: all sections are there, and operations and memory keep to their goals. No time is asserted."""

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def step(short_run):
    """Operations of a step at 768² with half of the picture background."""
    [row] = short_run.tables["operations"]
    assert (row["size"], row["background"]) == (768, 0.5)
    return row


@pytest.fixture(scope="module")
def peak(short_run):
    """Peak memory of a run at 768², full size, float16."""
    [row] = short_run.tables["memory"]
    assert (row["size"], row["batch"], row["characters"]) == (768, 1, 1)
    return row


def test_every_section_is_on_the_page(short_run):
    titles = [line.removeprefix("## ") for line in short_run.page.splitlines() if line.startswith("## ")]
    assert titles == [
        "Goals",
        "Operations of a step",
        "Operations with size, batch and characters",
        "Waiting for the device inside a step",
        "Operators of a step",
        "Peak memory of a run, float16",
        "Peak memory of a run, measured",
        "What is done once",
        "Seconds of a step",
        "XL: goals",
        "XL: operations of a step",
        "XL: waiting for the device inside a step",
        "XL: operators of a step",
        "XL: peak memory of a run, float16",
        "XL: what is done once",
        "XL: seconds of a step",
    ]
    assert all(short_run.tables.values())


def test_every_row_of_a_table_has_all_columns(short_run):
    for block in short_run.page.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1, block


def test_the_readme_has_the_sections_of_the_long_run(short_run):
    readme = (ROOT / "benchmarks" / "README.md").read_text()
    for line in short_run.page.splitlines():
        if line.startswith("## "):
            assert line in readme.splitlines()


def test_the_plain_unet_is_the_published_size(step):
    assert step["plain, TFLOP"] == pytest.approx(4.354, abs=0.001)


def test_split_alone_costs_hardly_more_than_the_plain_unet(step):
    assert step["split"] <= 1.005


def test_split_injection_and_style_keep_to_their_share(step):
    assert step["split"] < step["+ injection"] <= step["+ style"] <= 1.12


def test_the_first_step_works_out_what_the_others_share(step):
    assert step["+ style"] < step["first step"] < 1.285


def test_more_characters_cost_little(short_run):
    [row] = short_run.tables["growth"]
    assert row["1 character"] < row["4 characters"] < row["1 character"] + 0.02


def test_peak_memory_keeps_to_its_share(peak):
    assert 0 < peak["extra share"] <= 0.25
    assert peak["plain weights"] == pytest.approx(866e6 * 2 / 1e6, rel=0.01)


def test_a_run_keeps_what_its_documentation_says(peak):
    assert 0 < peak["kept: keys and values"] <= 60
    assert 0 < peak["kept: all else"] <= 2


def test_counted_memory_is_part_of_what_the_process_takes(short_run):
    for row in short_run.tables["resident"]:
        for which in ("plain", "patched"):
            counted, process = row[f"{which}, counted"], row[f"{which}, process"]
            assert counted > 0
            assert process is None or process > 0.8 * counted


def test_no_operation_inside_a_step_waits_for_the_device(short_run):
    for row in short_run.tables["waiting"]:
        assert row["operations"] > 500  # the watch was on
        assert row["of these waiting"] == 0, row


def test_the_split_launches_few_operators_more_than_the_plain_unet(short_run):
    [row] = short_run.tables["launches"]
    assert 500 < row["plain"] < row["split"] < row["all on"]
    assert row["split, ratio"] <= 1.25


def test_what_is_done_once_is_counted_part_by_part(short_run):
    rows = {row["part"]: row for row in short_run.tables["encoders"]}
    assert list(rows) == [
        "loader",
        "image tower",
        "VAE encoder",
        "background encoder",
        "style encoder",
        "sketch encoder",
    ]
    for part, row in rows.items():
        assert row["processor, s"] > 0 and row["passed, s"] > 0
        assert (row["TFLOP, 768²"] > 0) == (part != "loader")


def test_steps_are_timed_against_the_plain_unet(short_run):
    rows = {row["what"]: row for row in short_run.tables["clock"]}
    assert set(rows) == {"split", "everything"}
    for row in rows.values():
        assert row["plain, s"] > 0 and row["processor time"] > 0 and row["time passed"] > 0
        assert row["against operations"] == pytest.approx(row["processor time"] / row["operations"] - 1)


def test_goals_tell_what_was_reached(short_run, step, peak):
    goals = short_run.tables["goals"]
    assert json.dumps(goals)  # plain values
    reached = [goal["reached"] for goal in goals]
    assert step["split"] in reached and step["+ style"] in reached and peak["extra share"] in reached
    for goal in goals:
        expected = None if goal["reached"] is None else "yes" if goal["reached"] <= goal["limit"] else "no"
        assert goal["met"] == expected
