"""benchmarks/evaluate.py on made pictures whose figures are known."""

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from module_files import load_file
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def benchmark_scripts():
    """`evaluation` by its own name, as for a script in benchmarks/."""
    sys.path.append(str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def script():
    return load_file(BENCHMARKS / "evaluate.py", "benchmark_evaluate")


@pytest.fixture
def run(script):
    """A function: evaluate folders and options, `run(results=…, short_side=256)`; returns the report."""

    def call(**options):
        words = [(f"--{key.replace('_', '-')}", str(value)) for key, value in options.items()]
        return script.evaluate(script.parse([word for pair in words for word in pair]))

    return call


def noise(seed, height=192, width=184):
    """Smooth colours [H, W, 3] uint8."""
    coarse = np.random.default_rng(seed).integers(40, 215, (6, 6, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def save(folder, pictures):
    """Write {name: [H, W, 3] or [H, W] uint8} as PNG; returns the folder."""
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


@pytest.fixture
def truth(tmp_path):
    return save(tmp_path / "truth", {f"{n:04d}": noise(n) for n in range(4)})


def figures(report):
    return {row.name: row.value for row in report.rows}


def squeeze_weights(path):
    """SqueezeNet 1.1 with made-up weights, laid out as torchvision publishes it."""
    import torchvision

    torch.manual_seed(0)
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return path


# --- against the truth ---


def test_equal_pictures_reach_the_best_of_every_measure(run, truth, tmp_path):
    report = run(results=truth, truth=truth, lpips=squeeze_weights(tmp_path / "squeeze.pth"))
    found = figures(report)
    assert found == {"PSNR, dB": 100, "MS-SSIM": pytest.approx(1, abs=1e-6), "LPIPS": 0, "ΔE2000": 0}
    assert [(row.low, row.pictures) for row in report.rows if row.name == "ΔE2000"] == [(0, "4")]


def test_psnr_of_an_offset_is_the_formula_s(run, truth, tmp_path):
    results = save(tmp_path / "results", {f"{n:04d}": noise(n) + np.uint8(10 + n) for n in range(4)})
    wanted = [20 * math.log10(255 / (10 + n)) for n in range(4)]
    report = run(results=results, truth=truth)
    assert [values["psnr"] for _, values in report.pictures] == pytest.approx(wanted, abs=1e-4)
    row = next(row for row in report.rows if row.name == "PSNR, dB")
    assert row.value == pytest.approx(np.mean(wanted), abs=1e-4)
    assert min(wanted) <= row.low < row.value < row.high <= max(wanted)


@pytest.fixture
def chequered(tmp_path):
    """Black truth; the result is white on the character, the left quarter. ΔE2000 of black and white is 100."""
    mask, black = np.zeros((40, 80), np.uint8), np.zeros((40, 80, 3), np.uint8)
    labels, result = black.copy(), black.copy()
    mask[:, :20], result[:, :20] = 255, 255
    labels[:, :10], labels[:, 10:40] = (255, 0, 0), (0, 255, 0)
    folders = {"results": result, "truth": black, "masks": mask, "labels": labels}
    return {kind: save(tmp_path / kind, {"a": picture}) for kind, picture in folders.items()}


def test_colour_error_by_region(run, chequered):
    report = run(**chequered)
    [(_, values)] = report.pictures
    wanted = {"delta_e": 25, "delta_e_character": 100, "delta_e_background": 0}
    wanted |= {"delta_e_#ff0000": 100, "delta_e_#00ff00": 100 / 3, "delta_e_#000000": 0, "delta_e_regions": 400 / 9}
    assert {name: values[name] for name in wanted} == pytest.approx(wanted, abs=1e-3)
    assert "ΔE2000, #ff0000" in report.markdown()


def test_masks_and_labels_of_another_size_are_brought_along(run, chequered):
    """At twice the size, where no colour may arise between two labels."""
    [(_, values)] = run(**chequered, short_side=80).pictures
    assert values["delta_e_background"] == pytest.approx(0, abs=2)
    assert {name for name in values if "#" in name} == {"delta_e_#ff0000", "delta_e_#00ff00", "delta_e_#000000"}


def test_small_pictures_have_no_ms_ssim_and_the_report_says_so(run, chequered):
    report = run(results=chequered["results"], truth=chequered["truth"])
    assert "MS-SSIM" not in figures(report)
    assert any(note.startswith("MS-SSIM leaves out 1 pictures with a side under 176") for note in report.notes)


def test_results_of_another_size_are_compared_at_the_truth_s(run, truth, tmp_path):
    small = save(tmp_path / "small", {f"{n:04d}": noise(n, 96, 92) for n in range(4)})
    report = run(results=small, truth=truth)
    assert figures(report)["ΔE2000"] < 2
    assert any(note.startswith("4 results are of another size") for note in report.notes)


def test_transparent_and_16_bit_pictures_are_what_they_show(run, truth, tmp_path):
    grey = np.tile(np.arange(40, 232, dtype=np.uint8)[:, None], (1, 184))
    clear = np.dstack([noise(5), np.zeros((192, 184), np.uint8)])
    right = save(tmp_path / "right", {"deep": grey, "clear": np.full((192, 184), 255, np.uint8)})
    results = save(tmp_path / "results", {"clear": clear})
    Image.fromarray(grey.astype(np.uint16) * 257).save(results / "deep.png")
    report = run(results=results, truth=right)
    assert [values["psnr"] for _, values in report.pictures] == [100, 100]


def test_other_proportions_are_refused_before_anything_is_worked_out(script, run, truth, tmp_path):
    wide = save(tmp_path / "wide", {f"{n:04d}": noise(n, 192, 192) for n in range(4)})
    with pytest.raises(script.ColorizeError, match=r"0000\.png is 192×192, its truth 184×192; expected the same prop"):
        run(results=wide, truth=truth)


@pytest.mark.parametrize("kind", ["alex", "squeeze", pytest.param("vgg", marks=pytest.mark.thorough)])
def test_lpips_takes_the_weights_of_each_published_network(kind, tmp_path):
    import torchvision
    from evaluation.paired import Lpips

    names = {"alex": ("alexnet", 12), "squeeze": ("squeezenet1_1", 13), "vgg": ("vgg16", 30)}
    name, layers = names[kind]
    torch.manual_seed(1)
    features = getattr(torchvision.models, name)(weights=None).eval().features
    torch.save({f"features.{key}": value for key, value in features.state_dict().items()}, tmp_path / "net.pth")
    lpips = Lpips(tmp_path / "net.pth")
    picture = torch.rand(1, 3, 64, 64)
    assert lpips.kind == kind
    with torch.inference_mode():
        assert torch.equal(lpips.network.net(picture)[-1], features[:layers](picture))
    assert lpips(torch.zeros(1, 64, 64, 3), torch.ones(1, 64, 64, 3)) > 0


# --- sets ---


def normal(mean, deviation, seed, count=60):
    """Features [count, 3] whose mean and covariance are exactly those."""
    drawn = np.random.default_rng(seed).normal(size=(count, 3))
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T))).T
    return torch.from_numpy(white * deviation + mean)


def test_fid_of_two_normal_distributions_is_the_closed_form():
    from evaluation.sets import fid

    means, deviations = np.array([[0, 1, 2], [3, 1, -2]]), np.array([[1, 2, 3], [2, 2, 1]])
    truth, results = (normal(means[n], deviations[n], n) for n in range(2))
    wanted = ((means[0] - means[1]) ** 2).sum() + ((deviations[0] - deviations[1]) ** 2).sum()
    assert fid(truth, results) == pytest.approx(wanted, rel=1e-6)
    assert fid(truth, truth) == pytest.approx(0, abs=1e-6)


def test_kid_of_two_points_is_the_closed_form_and_the_same_each_time():
    from evaluation.sets import kid

    a, b = torch.tensor([1.0, 0, 0]), torch.tensor([0, 2.0, 0])
    k_aa, k_bb, k_ab = (1 / 3 + 1) ** 3, (4 / 3 + 1) ** 3, 1.0
    assert kid(a.expand(8, 3), b.expand(9, 3)) == pytest.approx((k_aa + k_bb - 2 * k_ab, 0), abs=1e-6)
    one, other = normal(0, 1, 0), normal([1, 0, 0], 1, 1)
    mean, spread = kid(one, other)
    assert kid(one, other) == (mean, spread)
    assert mean > 3 * abs(kid(one, normal(0, 1, 2))[0]) and spread > 0


def test_fid_over_few_pictures_warns_up_to_two_thousand():
    from evaluation.sets import subset_size, warning

    assert "FID over 16 pictures means little" in warning(5000, 16)[0]
    assert warning(2000, 2000) == []
    assert (subset_size(50_000, 50_000), subset_size(16, 30)) == (1000, 8)


@pytest.mark.thorough
def test_fid_with_an_inception_file(run, truth, tmp_path, monkeypatch):
    """The network's own layout with made-up weights; a picture's features do not depend on what else there is."""
    from evaluation.sets import Inception
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.save({}, tmp_path / "none.pth")
    with monkeypatch.context() as patch:  # there is no other way to one without weights
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(tmp_path / "none.pth"))
    torch.manual_seed(0)
    for weight in network.parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    inception = Inception(tmp_path / "inception.pth")
    picture = truth / "0000.png"
    assert torch.equal(inception(picture), inception(picture)) and inception(picture).std() > 0.01
    report = run(results=truth, truth=truth, inception=tmp_path / "inception.pth")
    found = {row.name: row for row in report.rows}
    assert found["FID"].value == pytest.approx(0, abs=1e-3) and found["FID"].pictures == "4 against 4"
    assert abs(found["KID"].value) < 3 * found["KID"].spread
    assert any("FID over 4 pictures means little" in note for note in report.notes)


class Harmful:
    """A pickle that would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("option", ["inception", "lpips"])
def test_files_that_are_no_such_weights_are_refused_and_not_run(script, run, truth, tmp_path, option):
    torch.save({"features.0.weight": Harmful(tmp_path / "made")}, tmp_path / "harmful.pth")
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    for name, message in {
        "harmful.pth": "no PyTorch file of plain tensors",
        "other.pth": "none of alex, vgg, squeeze" if option == "lpips" else "not those of the Inception network",
        "none.pth": "which is no file",
    }.items():
        with pytest.raises(script.ColorizeError, match=f"`--{option}` is .*{message}"):
            run(results=truth, truth=truth, **{option: tmp_path / name})
    assert not (tmp_path / "made").exists()


# --- references ---


def test_clip_score_is_the_cosine_of_the_tower_s_embeddings(studio, tmp_path):
    from evaluation.clip import ClipScore

    score = ClipScore(studio.clip_vision)
    save(tmp_path, {"a": noise(1), "b": noise(2)})
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    with torch.inference_mode():
        one, other = (
            studio.clip_vision.encode_image(torch.from_numpy(noise(n) / np.float32(255))[None])["image_embeds"][0]
            for n in (1, 2)
        )
    assert score(a, b) == pytest.approx(float(torch.cosine_similarity(one, other, dim=0)), abs=1e-5)
    assert score(a, a) == pytest.approx(1, abs=1e-6) and score(a, b) < 0.999


@pytest.mark.thorough
def test_a_clip_vision_file_is_loaded_by_comfyui(truth, tmp_path, comfyui_path):
    """Of ViT-L's size, which is the smallest that ComfyUI's loader knows; made-up weights."""
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = json.loads((comfyui_path / "comfy" / "clip_vision_config_vitl.json").read_text())
    with torch.device("meta"):
        empty = CLIPVisionModelWithProjection(CLIPVisionConfig(**config)).state_dict()
    torch.manual_seed(0)
    weights = {key: torch.randn(value.shape, dtype=torch.float16) * 0.02 for key, value in empty.items()}
    save_file(weights, str(tmp_path / "vit-l.safetensors"))
    del weights
    command = ["--results", truth, "--references", truth, "--clip-vision", tmp_path / "vit-l.safetensors"]
    done = command_of(*command, environment={"COMFYUI_PATH": str(comfyui_path)})
    assert done.returncode == 0, done.stderr
    assert "| CLIP image score, result and reference | higher | 1.0000 |" in done.stdout


def test_shuffled_references_leave_no_truth_and_everyone_another_s_picture(run, truth):
    report = run(results=truth, truth=truth, references=truth, shuffled=7)
    assert not report.rows
    assert all("references are shuffled" in report.skipped[name] for name in ("PSNR", "MS-SSIM", "LPIPS", "ΔE2000"))
    went = [(group.name, group.reference.stem) for group, _ in report.pictures]
    assert all(name != reference for name, reference in went)
    assert len({reference for _, reference in went}) == 4


def test_shuffles_are_one_ring_whatever_the_order_of_names():
    from evaluation.folders import shuffle

    names = [f"{n:03d}" for n in range(100)]
    ring = shuffle(names, 3)
    assert shuffle(reversed(names), 3) == ring != shuffle(names, 4)
    seen, at = set(), "000"
    while at not in seen:
        seen.add(at)
        at = ring[at]
    assert seen == set(names)


@pytest.fixture
def make_references():
    main = load_file(BENCHMARKS / "make_references.py", "benchmark_make_references").main
    return lambda *words: main([str(word) for word in words])


def test_references_made_shuffled_are_those_that_the_evaluation_takes(run, make_references, truth, tmp_path):
    out = tmp_path / "references"
    make_references("--truth", truth, "--out", out, "--shuffle", 7)
    ring = {group.name: group.reference.stem for group, _ in run(results=truth, references=truth, shuffled=7).pictures}
    with (out / "pairs.csv").open() as file:
        assert {row["name"]: row["reference"] for row in csv.DictReader(file)} == ring
    for name, reference in ring.items():
        assert (out / f"{name}.png").read_bytes() == (truth / f"{reference}.png").read_bytes()
    listed = run(results=truth, references=truth, pairs=out / "pairs.csv")
    assert {group.name: group.reference.stem for group, _ in listed.pictures} == ring


def test_references_made_deformed_are_bent_but_at_the_corners(make_references, truth, tmp_path):
    def made(name, *words):
        make_references("--truth", truth, "--out", tmp_path / name, "--deform", *words)
        return np.asarray(Image.open(tmp_path / name / "0001.png")).astype(int)

    still, bent = made("still", 0, "--jitter", 0), made("bent", 0)
    original = noise(1).astype(int)
    assert np.abs(still - original).max() <= 1
    assert np.abs(bent - original).mean() > 2
    assert np.abs(bent - original)[[0, 0, -1, -1], [0, -1, 0, -1]].max() <= 1
    assert np.array_equal(made("again", 0), bent) and not np.array_equal(made("other", 1), bent)
    with pytest.raises(SystemExit, match="which is not empty; expected a new or an empty folder"):
        made("still", 0)


# --- who belongs to whom ---


def test_every_missing_partner_gets_a_sentence(run, truth, tmp_path):
    results = save(tmp_path / "results", {"0001": noise(1), "extra": noise(9)})
    report = run(results=results, truth=truth, references=truth)
    page = report.markdown()
    for sentence in (
        "No truth for the result extra.",
        "No reference for the result extra.",
        "No result for the truth 0000.",
    ):
        assert f"- {sentence}" in page
    assert [row.pictures for row in report.rows if row.name == "PSNR, dB"] == ["1"]


def test_many_missing_partners_are_counted():
    from evaluation.folders import told

    sentences = told("No result for the truth", [str(n) for n in range(500)])
    assert len(sentences) == 11 and sentences[-1] == "No result for the truth: 490 more names."


def test_names_that_never_meet_say_how_to_make_them(script, run, truth, tmp_path):
    results = save(tmp_path / "results", {f"ComfyUI_{n:05d}_": noise(n) for n in range(4)})
    with pytest.raises(script.ColorizeError, match=r"expected the same names.*--pairs"):
        run(results=results, truth=truth)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("name,truth\n" + "".join(f"ComfyUI_{n:05d}_.png,{n:04d}\n" for n in range(4)))
    assert figures(run(results=results, truth=truth, pairs=pairs))["ΔE2000"] == 0


def test_folders_and_files_that_do_not_do(script, run, truth, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "pairs.csv").write_text("result,of\na,b\n")
    twice = save(tmp_path / "twice", {"a": noise(1)})
    Image.fromarray(noise(1)).save(twice / "a.jpg")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0000.png").write_bytes(b"no picture")
    for options, message in (
        ({"results": tmp_path / "nowhere"}, "`--results` is .*nowhere, which is no folder"),
        ({"results": tmp_path / "empty"}, "holds no picture"),
        ({"results": twice}, "expected one picture a name"),
        ({"results": tmp_path / "broken"}, r"0000\.png cannot be read as a picture"),
        ({"results": truth, "pairs": tmp_path / "pairs.csv"}, "has the columns result, of; expected name, truth, ref"),
        ({"results": truth, "labels": truth}, "expected at most 256, each of which is one region"),
    ):
        with pytest.raises(script.ColorizeError, match=message):
            run(truth=truth, **options)


# --- the command ---


def command_of(*words, environment=None):
    command = [sys.executable, str(BENCHMARKS / "evaluate.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})})


def test_the_command_prints_a_table_and_writes_csv_and_json(truth, tmp_path):
    files = tmp_path / "rows.csv", tmp_path / "table.json"
    done = command_of("--results", truth, "--truth", truth, "--csv", files[0], "--json", files[1])
    assert done.returncode == 0, done.stderr
    assert "| PSNR, dB | higher | 100.00 | 100.00 … 100.00 | 4 |" in done.stdout.splitlines()
    for names, advice in {
        "LPIPS": "--lpips FILE", "FID, KID": "--inception FILE", "ΔE2000 of regions": "--labels DIR",
        "ΔE2000 of character and background": "--masks DIR", "CLIP image score": "--references DIR",
    }.items():  # fmt: skip
        assert all(f"| {name} | – | skipped | – | – |" in done.stdout for name in names.split(", "))
        assert f"- {names}: give {advice}" in done.stdout
    with files[0].open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], float(row["psnr"]), float(row["delta_e"])) for row in rows[:2]] == [
        ("0000", 100, 0), ("0001", 100, 0),
    ]  # fmt: skip
    found = json.loads(files[1].read_text())
    assert {row["name"]: row["value"] for row in found["measures"]}["ΔE2000"] == 0
    assert found["skipped"]["FID"].startswith("give --inception")


def test_mistakes_end_in_one_sentence(truth, tmp_path, comfyui_path):
    """A file that ComfyUI's own loader does not take for a CLIP vision model."""
    file = squeeze_weights(tmp_path / "squeeze.pth")
    command = ["--results", truth, "--references", truth, "--clip-vision", file]
    done = command_of(*command, environment={"COMFYUI_PATH": str(comfyui_path)})
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("evaluate: ")]
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "which ComfyUI takes for no CLIP vision model; expected one of those that Load CLIP Vision" in sentence


def test_stopping_writes_nothing_and_says_so(script, truth, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    words = ["evaluate", "--results", str(truth), "--truth", str(truth), "--csv", str(tmp_path / "rows.csv")]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(script, "measure_group", stop)
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert stopped.value.code == 130
    assert "stopped; nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "rows.csv").exists()


def test_without_the_packages_colours_are_measured_all_the_same(run, truth, monkeypatch):
    from evaluation import networks

    monkeypatch.setattr(networks, "has", lambda _: False)
    report = run(results=truth, truth=truth)
    assert set(figures(report)) == {"PSNR, dB", "ΔE2000"}
    assert report.skipped["MS-SSIM"].startswith(
        "torchmetrics is not installed: pip install torchmetrics torch-fidelity"
    )
