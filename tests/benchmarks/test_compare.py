"""benchmarks/compare.py: its graphs on a real server, what it tells of what is missing, and what it measures."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from module_files import fixtures_of, load_file
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
FOLDERS = ("demonstration", "published")
SIDE = 128

_live_server = fixtures_of("live_server")
server, object_info, pixels = _live_server.server, _live_server.object_info, _live_server.pixels
workflow_scripts, same_prompt, same_host = (
    _live_server.workflow_scripts,
    _live_server.same_prompt,
    _live_server.same_host,
)


@pytest.fixture(scope="module", autouse=True)
def compare():
    """The module benchmarks/compare.py; its neighbours by their own names, as for a script there."""
    before = list(sys.path)
    sys.path.append(str(BENCHMARKS))
    yield load_file(BENCHMARKS / "compare.py", "benchmark_compare")
    sys.path[:] = before


@pytest.fixture(scope="module")
def graph_files(compare):
    return sys.modules["comparison.graph_files"]


@pytest.fixture
def graphs(graph_files):
    """Every graph by folder and name, ready to be changed."""
    found = {folder: graph_files.read_graphs(graph_files.GRAPHS / folder) for folder in FOLDERS}
    return {f"{folder}/{name}": prompt for folder, some in found.items() for name, prompt in some.items()}


@pytest.fixture
def ask(server):
    """A function: hand a graph to the server and return why it refuses it, {class: [kinds of error]}."""

    def refused(prompt):
        with pytest.raises(Exception, match="refused the prompt") as caught:
            server.run(prompt)
        answer = json.loads(str(caught.value).split("refused the prompt: ", 1)[1].split("\n---")[0])
        errors = {
            node["class_type"]: [error["type"] for error in node["errors"]] for node in answer["node_errors"].values()
        }
        return errors or answer["error"]["type"]

    return refused


@pytest.fixture
def set_pictures(server, tmp_path, graph_files):
    """A function: give all nodes that load pictures one, of 96 × 64 pixels."""
    Image.new("RGB", (96, 64), "white").save(tmp_path / "white.png")

    def change(prompt):
        stored = server.upload_image(tmp_path / "white.png", subfolder="some")
        for number in graph_files.loads(prompt).values():
            prompt[number]["inputs"]["image"] = stored
        return prompt

    return change


# --- the graphs ---


def test_files_are_what_their_descriptions_give(graphs, server, object_info, workflow_scripts, same_prompt, same_host):
    """Written by scripts/build_workflows.py."""
    build = workflow_scripts["build"]
    assert graphs.keys() == build.COMPARED.keys()
    for name, describe in build.COMPARED.items():
        built = json.loads(build.as_text(describe(object_info)))
        same_prompt(graphs[name], built)
        if same_host(server):
            assert graphs[name] == built, f"{name}: run 'make workflows'"


def test_graphs_lack_nothing_but_nodes_of_other_packs_and_models(graphs, object_info, graph_files):
    """The demonstration lacks nothing; of published graphs the files are told that the test's server has not."""
    told = {name: graph_files.lacking(prompt, object_info) for name, prompt in graphs.items()}
    assert not any(sentences for name, sentences in told.items() if name.startswith("demonstration"))
    first, *files = told["published/1-ip-adapter-and-line-art"]
    assert first == (
        "The server lacks IPAdapterAdvanced, IPAdapterUnifiedLoader and PrepImageForClipVision (of the pack "
        "ComfyUI_IPAdapter_plus)."
    )
    loaders = {name: [sentence.split(" has no ")[0] for sentence in some] for name, some in told.items()}
    assert [sentence.split(" has no ")[0] for sentence in files] == ["CheckpointLoaderSimple", "ControlNetLoader"]
    assert loaders["published/3-one-image-prompt"] == ["ColorizeCheckpointLoader", "CLIPVisionLoader"]
    assert loaders["published/4-split"] == ["ColorizeCheckpointLoader", "CLIPVisionLoader"]


def test_the_server_finds_no_more_wrong_with_a_stock_graph(graphs, object_info, graph_files, ask, set_pictures):
    prompt = graphs["published/2-redux-and-canny"]
    told = graph_files.lacking(prompt, object_info)
    refusal = ask(set_pictures(prompt))
    assert {kind for kinds in refusal.values() for kind in kinds} == {"value_not_in_list"}
    assert set(refusal) == {sentence.split(" has no ")[0] for sentence in told} and len(told) == 7
    assert ask(graphs["published/1-ip-adapter-and-line-art"]) in ("invalid_prompt", "missing_node_type")


def test_a_graph_of_another_version_is_told(graphs, object_info, graph_files):
    prompt = graphs["demonstration/1-one-image-prompt"]
    number = {node["class_type"]: number for number, node in prompt.items()}
    prompt[number["VAEDecode"]]["inputs"]["vae"] = [number["ColorizeCheckpointLoader"], 0]
    del prompt[number["KSampler"]]["inputs"]["steps"]
    assert sorted(sentence.split(",")[0] for sentence in graph_files.lacking(prompt, object_info)) == [
        "KSampler wants an input `steps`",
        "VAEDecode wants VAE as `vae`",
    ]


def test_pictures_given_take_the_place_of_what_is_worked_out(graphs, object_info, graph_files, ask, set_pictures):
    """With masks and backgrounds no segmenter is asked for, and the server finds nothing wrong but the models."""
    prompt = graphs["published/5-split-injection-and-style"]
    for node in prompt.values():
        if node["class_type"] == "ColorizeSegmenterLoader":
            node["inputs"]["model_name"] = "nowhere.safetensors"
    assert len([told for told in graph_files.lacking(prompt, object_info) if "Segmenter" in told]) == 2
    masked = graph_files.use_reference_masks(graph_files.use_masks(copy.deepcopy(prompt)))
    behind = graph_files.use_backgrounds(graph_files.use_masks(copy.deepcopy(prompt)))
    for changed, titles in ((masked, {"Mask", "Reference mask"}), (behind, {"Mask", "Background"})):
        assert graph_files.loads(changed).keys() == {"Drawing", "Reference", *titles}
        told = [sentence.split(" has no ")[0] for sentence in graph_files.lacking(changed, object_info)]
        assert told == ["ColorizeCheckpointLoader", "CLIPVisionLoader"]
        # Older hosts leave it to the pack's own nodes, when they run, to miss their files.
        assert {"CLIPVisionLoader"} <= set(ask(set_pictures(changed))) <= set(told)


@pytest.mark.parametrize("height, width", [(500, 1000), (1200, 1200), (90, 64)])
def test_the_canvas_has_the_drawings_proportions(graphs, graph_files, height, width):
    prompt = graphs["published/2-redux-and-canny"]
    graph_files.set_size(prompt, height, width)
    high, wide = (prompt[graph_files.find(prompt, title)]["inputs"]["value"] for title in ("Height", "Width"))
    assert high % 64 == wide % 64 == 0
    assert wide * high == pytest.approx(1024**2, rel=0.1)
    assert wide / high == pytest.approx(width / height, rel=0.07)


def test_one_image_prompt_is_plain_conditioning(graphs, server, graph_files, set_pictures, pixels):
    """Apply Colorization without a mask leaves the model as it was: to ComfyUI it is a prompt like any other."""
    prompt = graphs["demonstration/1-one-image-prompt"]
    set_pictures(prompt)
    sampler = prompt[graph_files.find(prompt, "KSampler")]["inputs"]
    sampler["steps"] = 3
    (given,) = server.fetch_images(server.run(prompt))
    sampler["model"] = [graph_files.find(prompt, "ColorizeCheckpointLoader"), 0]
    (stock,) = server.fetch_images(server.run(prompt))
    assert (pixels(given) == pixels(stock)).all()


# --- measures ---


def test_leak_is_the_share_of_pixels_nearer_to_a_colour_from_behind(compare):
    own, behind = np.array([[200, 30, 30], [20, 20, 20]], np.uint8), np.array([[30, 60, 220]], np.uint8)
    right = np.broadcast_to(own[0], (10, 10, 3)).copy()
    parts = np.ones((10, 10), bool)
    assert compare.leak(right, parts, own, [behind]) == 0
    right[:, :3] = (60, 80, 190)  # bluish
    assert compare.leak(right, parts, own, [behind]) == pytest.approx(0.3)
    assert compare.leak(right, parts, own, [behind, right[0, :1]]) == pytest.approx(0.3)
    parts[:, :3] = False
    assert compare.leak(right, parts, own, [behind]) == 0


def test_tables_have_means_differences_by_pair_and_medians_of_time(compare):
    outcome = compare.Outcome(
        seconds={"1-plain": {"a": 9, "b": 2, "c": 2, "d": 4}, "2-split": {"a": 1, "b": 3, "c": 2, "d": 8}}
    )
    values = {
        "1-plain": {name: {"delta_e": value, "psnr": 20.0} for name, value in zip("abcd", (1, 2, 3, 4), strict=True)},
        "2-split": {name: {"delta_e": value, "psnr": 22.5} for name, value in zip("abc", (0, 1, 2), strict=True)},
    }
    lines = [
        line for line in compare.tables(values, outcome).splitlines() if line.startswith("|") and "---" not in line
    ]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["graph", "PSNR, dB", "ΔE2000", "time"]
    assert cells[1][0] == "plain" and cells[1][1] == "20.00 (20.00 … 20.00)" and cells[1][2].startswith("2.50 (")
    assert cells[2][2].startswith("1.00 (") and (cells[1][3], cells[2][3]) == ("1.00 ×", "1.50 ×")
    assert cells[4] == ["split", "+2.50 (+2.50 … +2.50)", "-1.00 (-1.00 … -1.00)"]


# --- the command ---


def test_a_file_that_is_no_graph_is_told(compare, tmp_path):
    workflow = (ROOT / "workflows" / "try_it.json").read_text(encoding="utf-8")
    (tmp_path / "saved.json").write_text(workflow, encoding="utf-8")
    options = compare.parse(["--out", str(tmp_path / "out"), "--graphs", str(tmp_path)])
    with pytest.raises(compare.ColorizeError, match=r"saved\.json, which is no graph in API format"):
        compare.compare(options)


def test_where_no_graph_can_run_the_command_fails_and_says_why(compare, tmp_path):
    options = compare.parse(["--out", str(tmp_path)])
    outcome = compare.Outcome(skipped={"1-plain": "The server lacks IPAdapterAdvanced."})
    with pytest.raises(
        compare.ColorizeError, match=r"none of the graphs ran[^$]*\*plain\* did not run\. The server lacks"
    ):
        compare.report(outcome, [], [], {}, options)
    assert "IPAdapterAdvanced" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_a_server_that_is_not_there_is_told(compare, comfyui_server, tmp_path, monkeypatch):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    url = f"http://127.0.0.1:{comfyui_server.free_port()}"
    words = ["--published", "--url", url, "--out", str(tmp_path / "out")]
    words += ["--drawings", str(tmp_path), "--references", str(tmp_path / "a.png")]
    monkeypatch.setattr(sys, "argv", ["compare.py", *words])
    with pytest.raises(SystemExit, match=f"compare: {url} does not answer"):
        compare.main()


@pytest.fixture
def small_graphs(tmp_path, graphs, graph_files, workflow_scripts):
    """A folder with the published graphs, of few steps and pixels, the image tower inside the checkpoint."""
    tools, folder = workflow_scripts["prompt"], tmp_path / "graphs"
    folder.mkdir()
    for name, prompt in graphs.items():
        if not name.startswith("published/"):
            continue
        for title in ("Width", "Height"):
            tools.set_inputs(prompt, title, value=SIDE)
        tools.set_inputs(prompt, "KSampler", steps=2)
        if "3-" in name or "4-" in name or "5-" in name:
            tools.use_embedded_tower(prompt)
        (folder / Path(name).name).with_suffix(".json").write_text(json.dumps(prompt), encoding="utf-8")
    return folder


@pytest.mark.thorough
def test_published_graphs_run_on_a_server_and_lie_on_one_sheet(
    compare, server, small_graphs, tiny_checkpoint, tmp_path, capsys
):
    """Two drawings of one size, one that lacks its truth; what the server lacks is told, and the others run."""
    drawing = Image.open(ROOT / "samples" / "drawing-jumper.png")
    mask, flat = Image.eval(drawing.getchannel("A"), lambda value: 255 - value), drawing.convert("RGB")
    for name in ("a", "b", "c"):
        for kind, picture in (("drawings", flat), ("masks", mask), ("truth", flat)):
            if (name, kind) != ("c", "truth"):
                (tmp_path / kind).mkdir(exist_ok=True)
                picture.crop((0, 0, 128, 104)).save(tmp_path / kind / f"{name}.png")
    words = ["--published", "--url", server.url, "--graphs", str(small_graphs), "--out", str(tmp_path / "out")]
    for kind in ("drawings", "masks", "truth"):
        words += [f"--{kind}", str(tmp_path / kind)]
    words += ["--references", str(ROOT / "samples" / "reference-poppy.png")]
    words += ["--backgrounds", str(ROOT / "samples" / "background-city.png")]
    words += ["--use", f"v2-full.safetensors={tiny_checkpoint.name}", "--side", "100"]
    page = compare.compare(compare.parse(words))
    results = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").glob("*/*.png"))
    ran = ("3-one-image-prompt", "4-split", "5-split-injection-and-style")
    assert results == [f"{graph}/{name}.png" for graph in ran for name in "ab"]
    pictures = [np.asarray(Image.open(tmp_path / "out" / path)).astype(int) for path in results]
    assert all(picture.shape[1] / picture.shape[0] == pytest.approx(128 / 104, rel=0.01) for picture in pictures)
    assert all((one != other).any() for one, other in zip(pictures[:4], pictures[2:], strict=True))
    assert "*ip adapter and line art* did not run. The server lacks IPAdapterAdvanced" in page
    assert "*redux and canny* did not run. UNETLoader has no flux1-dev.safetensors to choose as `unet_name`" in page
    assert "No truth for the drawing c." in page
    assert page == (tmp_path / "out" / "table.md").read_text(encoding="utf-8").rstrip("\n")
    table = json.loads((tmp_path / "out" / "table.json").read_text(encoding="utf-8"))
    assert {graph: set(values) for graph, values in table["values"].items()} == {graph: {"a", "b"} for graph in ran}
    sheet = np.asarray(Image.open(tmp_path / "out" / "sheet.png"))
    columns = 3 + len(ran) + 1  # drawing, reference, background; truth
    assert sheet.shape[1] == 6 + columns * 106
    for column in range(columns):
        place = sheet[-100:, 6 + column * 106 : 6 + column * 106 + 100]
        assert place.std() > 5, "an empty place on the sheet"


@pytest.mark.thorough
def test_the_demonstration_s_command_starts_its_own_comfyui(compare, tmp_path):
    """The right answers through the autoencoder alone: near, and hardly any leak."""
    options = compare.parse(["--out", str(tmp_path), "--pairs", "2", "--first", "7", "--only", "autoencoder"])
    page = compare.compare(options)
    table = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    [values] = table["values"].values()
    assert set(values) == {"0007", "0008"}
    for measured in values.values():
        assert measured["psnr"] > 18 and measured["leak"] < 15 and measured["ms_ssim"] > 0.8
    assert len(table["processor"]["8-autoencoder-alone"]) == 2
    assert "| autoencoder alone |" in page and (tmp_path / "sheet.png").is_file()
