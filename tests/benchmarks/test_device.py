"""The benchmark of a device, at tiny widths on the processor: all of it runs, and what it cannot do is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from golden_cases import EXACT, TOLERANCE

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent.parent
MODELS = ("v2, 64², bfloat16, tiny widths", "XL v2-style, 64², bfloat16, tiny widths")
OF_STEPS = {
    "steps a second of processor time": {"plain", "split", "all on"},
    "time of a step, against plain": {"split", "all on"},
    "a run's first step, against its second": {"plain", "split", "all on"},
    "peak memory of a run beside its weights, MB": {"plain", "split", "all on"},
    "memory of a run with its weights, more than plain": {"split", "all on"},
    "calls inside a step that wait for the device": {"plain", "split", "all on"},
    "operations a step": {"plain", "split", "all on"},
}


@pytest.fixture(scope="module")
def device_run(comfyui_path, tmp_path_factory):
    """What the command prints, and the file that it writes."""
    file = tmp_path_factory.mktemp("device") / "device.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--device", "--tiny", "--json", str(file)]
    # A slow machine shares its time among more than this: nothing here is about seconds.
    command += ["--seconds", "1800"]
    environment = {**os.environ, "COMFYUI_PATH": str(comfyui_path), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


@pytest.fixture(scope="module")
def rows(device_run):
    """{(of, what): row}."""
    return {(row["of"], row["what"]): row for row in device_run[1]["rows"]}


def test_the_file_says_where_and_when(device_run):
    _, report = device_run
    assert report["format"] == 1 and report["tiny"] and report["date"].endswith("UTC")
    machine = report["machine"]
    assert machine["kind_of_device"] == "cpu"
    assert all(machine[key] for key in ("card", "memory, MB", "torch", "comfyui", "pack", "system", "python"))
    assert "driver" in machine


@pytest.mark.parametrize("model", MODELS)
def test_all_of_a_step_is_measured(rows, model):
    for what, columns in OF_STEPS.items():
        row = rows[model, what]
        assert set(row["values"]) == columns, what
        assert all(isinstance(value, float) for value in row["values"].values())


@pytest.mark.parametrize("model", MODELS)
def test_nothing_waits_and_operations_are_counted(rows, model):
    waiting, operations = rows[model, "calls inside a step that wait for the device"], rows[model, "operations a step"]
    assert waiting["met"] and set(waiting["values"].values()) == {0.0}
    counts = operations["values"]
    assert 500 < counts["plain"] < counts["split"] < counts["all on"]
    assert sum(operations["details"]["all on"].values()) == counts["all on"]


@pytest.mark.parametrize("model", ["v2", "XL v2-style"])
def test_golden_cases_lie_within_their_tolerance(rows, model):
    for dtype, limit in {"float32": EXACT, "bfloat16": TOLERANCE["bfloat16"]}.items():
        row = rows[f"golden cases, {model}, {dtype}", "worst relative error of v"]
        assert 0 < row["values"]["all on"] <= limit
        assert row["met"] and row["details"]


@pytest.mark.parametrize("model", ["v2", "XL v2-style"])
def test_weights_that_are_taken_change_nothing(rows, model):
    of = f"{model}, half of the weights taken"
    taken = rows[of, "weights taken in mid-run: relative difference of the latent"]
    again = rows[of, "and in the next run, all taken before"]
    assert taken["met"] and again["met"]
    assert float(taken["note"].partition(" MB")[0]) > 0


def test_compiled_steps_give_the_same(rows):
    compiled = "v2, 64², bfloat16, tiny widths, compiled (eager)"
    assert rows[compiled, "relative difference to not compiled"]["values"]["all on"] < 1e-2
    assert rows[compiled, "time of a step, against not compiled"]["values"]["all on"] > 0


def test_what_was_not_done_is_told(device_run):
    page, report = device_run
    reasons = {entry["of"]: entry["why"] for entry in report["skipped"]}
    # And nothing else: a part that broke off would be here, too.
    assert set(reasons) == {
        "dynamic offload",
        "all in float16",
        *(f"{model}: kernels" for model in MODELS),
    }
    for of, why in reasons.items():
        assert f"| {of} | not done |" in page and why in page


def test_the_page_is_one_table(device_run, rows):
    page, report = device_run
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + len(rows) + len(report["skipped"])
    assert "Tiny widths" in page
