"""The parts of the farm's second task that need no ComfyUI."""

import importlib
import json
import sys
from types import SimpleNamespace

import pytest
from PIL import Image
from shot_run import BUNDLE

MODULES = ("flats_folder", "flats_prompt", "make_flats", "shot_files", "shot_prompt")


@pytest.fixture(scope="module")
def scripts():
    """The bundle's modules, imported as the task imports them."""
    folder = str(BUNDLE / "scripts")
    sys.path.insert(0, folder)
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(folder)


@pytest.fixture
def own(scripts):
    """The bundle's own workflow, by title."""
    prompt = scripts.flats_prompt.read_flats_workflow(BUNDLE / "flats_workflow.json")
    return prompt, {node["_meta"]["title"]: key for key, node in prompt.items()}


def test_palette_and_anchor_are_wired(scripts, own):
    prompt, ids = own
    filled = scripts.flats_prompt.use_palette(prompt, "hero.gpl")
    filled = scripts.flats_prompt.use_anchor(filled, "right.png", 3)
    assert filled["job_palette"]["inputs"] == {"file": "hero.gpl"}
    assert (
        filled[ids["Flats"]]["inputs"]["palette"] == filled[ids["Tracked"]]["inputs"]["palette"] == ["job_palette", 0]
    )
    tracked = filled[ids["Tracked"]]["inputs"]
    assert tracked["anchor"] == ["job_anchor", 0] and tracked["anchor_frame"] == 3
    assert "palette" not in prompt[ids["Flats"]]["inputs"], "the workflow itself was changed"
    titles = {"Palette": ("ColorizeLoadPalette", "file"), "Anchor": ("LoadImage", "image")}
    for title, (kind, name) in titles.items():
        prompt[title] = {"class_type": kind, "inputs": {name: "mine"}, "_meta": {"title": title}}
    assert "job_palette" in scripts.flats_prompt.use_palette(prompt, "hero.gpl"), "Load Palette is wired to nothing"
    prompt[ids["Tracked"]]["inputs"]["palette"] = ["Palette", 0]
    filled = scripts.flats_prompt.use_palette(prompt, "hero.gpl")
    filled = scripts.flats_prompt.use_anchor(filled, "right.png", 3)
    assert filled["Palette"]["inputs"]["file"] == "hero.gpl" and filled["Anchor"]["inputs"]["image"] == "right.png"
    assert "palette" not in filled[ids["Flats"]]["inputs"] and "job_anchor" not in filled


def test_masks_and_layers_are_left_out(scripts, own):
    prompt, ids = own
    plain = scripts.flats_prompt.with_layers(scripts.flats_prompt.without_masks(prompt), "no")
    left = {"Drawings", "Colour", "Regions", "Flats", "Tracked", "Cels", "Tracks"}
    assert {node["_meta"]["title"] for node in plain.values()} == left
    assert "within" not in plain[ids["Regions"]]["inputs"] and "within" in prompt[ids["Regions"]]["inputs"]
    layered = scripts.flats_prompt.with_layers(scripts.flats_prompt.without_masks(prompt), "ora")[ids["Layers"]]
    assert layered["inputs"]["format"] == "ora" and "mask" not in layered["inputs"]
    with pytest.raises(scripts.shot_files.ShotError, match="no Save Layers"):
        scripts.flats_prompt.with_layers(plain, "psd")


def test_the_shots_folders_are_set(scripts, own):
    prompt, ids = own
    folders = {title: f"run/{title.lower()}" for title in ("Drawings", "Colour", "Masks")}
    filled = scripts.flats_prompt.for_shot(prompt, folders, "run", 101)
    for title, folder in folders.items():
        inputs = filled[ids[title]]["inputs"]
        assert (inputs["folder"], inputs["missing"], inputs["frame_count"]) == (folder, "skip", 0)
    assert filled[ids["Cels"]]["inputs"]["filename_prefix"] == "run/palette"
    assert filled[ids["Cels"]]["inputs"]["first_frame"] == 101


def test_progress_never_falls(scripts, own, caplog):
    prompt, ids = own
    caplog.set_level("INFO", logger="colorize_shot")
    steps = scripts.flats_prompt.FlatsProgress(scripts.flats_prompt.with_layers(prompt, "no"))
    for title, part in (("Regions", 0.5), ("Tracked", 1.0), ("Tracked", 0.1), ("Tracks", 1.0), ("Regions", 0.5)):
        steps.after(ids[title], part)
    told = [float(line.partition(": ")[2]) for line in caplog.messages]
    assert len(told) == 2 and 0 < told[0] < told[1] < 100


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nodes: nodes["Colour"]["_meta"].update(title="Color"), "titled Colour; expected"),
        (lambda nodes: nodes["Cels"].update(class_type="SaveImage"), "0 ColorizeSaveCels"),
        (lambda nodes: nodes["Masks"]["_meta"].update(title="Drawings"), "2 ColorizeLoadFrames nodes titled Drawings"),
    ],
)
def test_workflows_that_will_not_do(scripts, own, tmp_path, change, words):
    prompt, ids = own
    change({title: prompt[key] for title, key in ids.items()})
    (tmp_path / "flats.json").write_text(json.dumps(prompt))
    with pytest.raises(scripts.shot_files.ShotError, match=words):
        scripts.flats_prompt.read_flats_workflow(tmp_path / "flats.json")


@pytest.fixture
def new_job(scripts, tmp_path):
    """A function that gives a job on three drawings and their coloured frames; it makes no folder of flats."""
    for folder in ("drawings", "colour"):
        (tmp_path / folder).mkdir()
        for number in (1, 3, 5):
            Image.new("RGB", (2, 2), (number, 0, 0)).save(tmp_path / folder / f"ink_{number:04}.png")

    def new(**changes):
        values = {
            "session": tmp_path / "session",
            "frames": [1, 3, 5],
            "drawings": tmp_path / "drawings",
            "coloured": tmp_path / "colour",
            "colour_workflow": BUNDLE / "workflow.json",
            "workflow": BUNDLE / "flats_workflow.json",
            "output": tmp_path / "flats",
            "anchor_frame": "",
            "layers": "no",
            "overwrite": False,
            **dict.fromkeys(("masks", "references", "palette", "anchor")),
        }
        return scripts.make_flats.Job(**{**values, **changes})

    return new


def test_what_flats_are_made_from_enters_their_hash(scripts, new_job, tmp_path):
    def stamp(**changes):
        job = new_job(**changes)
        return scripts.make_flats.Shot(job, job.output).stamp()

    (tmp_path / "hero.gpl").write_text("GIMP Palette\n")
    Image.new("RGB", (2, 2)).save(tmp_path / "right_0003.png")
    first = stamp()
    assert first == stamp() == stamp(overwrite=True, session=tmp_path)
    stamps = {first, stamp(frames=[1, 3]), stamp(palette=tmp_path / "hero.gpl"), stamp(layers="psd")}
    stamps |= {stamp(anchor=tmp_path / "right_0003.png"), stamp(anchor=tmp_path / "right_0003.png", anchor_frame="5")}
    for folder in ("colour", "drawings"):
        Image.new("RGB", (2, 2), "blue").save(tmp_path / folder / "ink_0003.png")
        stamps.add(stamp())
    assert len(stamps) == 8


def test_an_anchors_frame_is_its_number(scripts, new_job, tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "right_0003.png")
    anchor = {"anchor": tmp_path / "right_0003.png"}

    def index(**changes):
        job = new_job(**anchor, **changes)
        (tracked,) = (
            node
            for node in scripts.make_flats.Shot(job, job.output).prompt.values()
            if node["class_type"] == "ColorizeTrackRegions"
        )
        return tracked["inputs"]["anchor_frame"]

    assert index() == 1 and index(anchor_frame="5") == 2
    for changes, words in (({"anchor_frame": "2"}, "AnchorFrame is '2'"), ({"frames": [1, 5]}, "has 0003; expected")):
        with pytest.raises(scripts.shot_files.ShotError, match=words):
            index(**changes)


def test_jobs_that_will_not_do(scripts, new_job, tmp_path, caplog):
    make, error = scripts.make_flats.make_flats, scripts.shot_files.ShotError
    (tmp_path / "colour" / "ink_0003.png").rename(tmp_path / "ink_0003.png")
    with pytest.raises(error, match=r"lacks 1 of the job's coloured frames, first 3 \(ink_0003.png\)"):
        make(new_job())
    (tmp_path / "ink_0003.png").rename(tmp_path / "colour" / "ink_0003.png")
    with pytest.raises(error, match="FlatsFolder is the folder"):
        make(new_job(output=tmp_path / "colour" / ".." / "colour"))
    with pytest.raises(error, match=r"palette .*hero.gpl is no file"):
        make(new_job(palette=tmp_path / "hero.gpl"))
    caplog.set_level("INFO", logger="colorize_shot")
    make(new_job(output=None))
    assert caplog.messages == ["FlatsFolder is empty: the job makes no flats"] and not (tmp_path / "flats").exists()


@pytest.fixture
def put(scripts, tmp_path):
    """A function that puts files of these contents into `flats`; and what the folder then holds."""
    (tmp_path / "made").mkdir()
    flats = tmp_path / "flats"

    def run(inputs, **contents):
        files = {}
        for name, text in contents.items():
            files[f"{name}.png"] = tmp_path / "made" / name
            files[f"{name}.png"].write_text(text)
        scripts.flats_folder.put_files(flats, files, inputs)
        found = (path for path in flats.rglob("*.png"))
        return {path.relative_to(flats).as_posix(): path.read_text() for path in found}

    return run


def test_a_folder_comes_to_hold_what_was_made(scripts, put, tmp_path):
    why, flats = scripts.flats_folder.why_anew, tmp_path / "flats"
    assert why(flats, "A") == "there are none yet"
    flats.mkdir()
    (flats / "a.png").write_text("mine")
    assert put("A", a="1", b="2") == {"a.png": "1", "b.png": "2", "replaced/a.png": "mine"}
    assert why(flats, "A") == "" and "has changed" in why(flats, "B")
    kept = (flats / "b.png").stat().st_mtime_ns
    (flats / "a.png").write_text("by hand")
    assert why(flats, "A") == "a.png is changed by hand"
    assert put("A", a="1", b="2") == {
        "a.png": "1",
        "b.png": "2",
        "replaced/a.png": "mine",
        "replaced/a.1.png": "by hand",
    }
    assert (flats / "b.png").stat().st_mtime_ns == kept, "a file that was right was written again"
    (flats / "a.png").unlink()
    assert why(flats, "A") == "a.png is gone"
    assert put("B", a="3").items() >= {"a.png": "3", "replaced/b.png": "2"}.items()
    assert "b.png" not in put("B", a="3")


def test_stopped_while_files_are_written(scripts, put, tmp_path, monkeypatch):
    flats, whole = tmp_path / "flats", scripts.flats_folder.write_whole
    put("A", a="1", b="2")

    def stop(path, data):
        if path.name == "b.png":
            raise KeyboardInterrupt
        whole(path, data)

    monkeypatch.setattr(scripts.flats_folder, "write_whole", stop)
    with pytest.raises(KeyboardInterrupt):
        put("B", a="3", b="4", c="5")
    monkeypatch.undo()
    assert scripts.flats_folder.why_anew(flats, "A") == "they are unfinished"
    assert put("A", a="1", b="2") == {"a.png": "1", "b.png": "2"}, "files of the run that was stopped are the job's own"


@pytest.mark.parametrize("text", ["", "[]", '{"inputs": "A", "files": [], "begun": {}}', '{"inputs": "A"}'])
def test_a_book_that_is_no_book(scripts, tmp_path, text):
    (tmp_path / scripts.flats_folder.BOOK).write_text(text)
    assert scripts.flats_folder.why_anew(tmp_path, "A") == "there are none yet"


def test_a_book_names_nothing_outside_its_folder(scripts, put, tmp_path):
    put("A", a="1")
    book = tmp_path / "flats" / scripts.flats_folder.BOOK
    told = json.loads(book.read_text())
    told["files"] |= {"../other.png": "x", str(tmp_path / "other.png"): "x"}
    book.write_text(json.dumps(told))
    (tmp_path / "other.png").write_text("theirs")
    put("B", a="2")
    assert (tmp_path / "other.png").read_text() == "theirs"
