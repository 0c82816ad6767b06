"""What saved workflows, prompts and other packs rely on: ids, inputs with order, type and default, and outputs.

contract.json holds it; `make contract` writes the file anew. What was added or changed since a release is dated there
and has to be named in the changelog above that release's heading. What a release has stays as it is.
"""

import copy
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SNAPSHOT = Path(__file__).with_name("contract.json")
#: Choices that are ComfyUI's own; so are those of inputs that list files, which have no default.
COMFYUI_CHOICES = {"sampler_name", "scheduler"}
#: Notes of an entry: the release after which it came, or became what it is now.
ADDED, CHANGED = "added_after", "changed_after"
PARTS = ("inputs", "outputs")


def input_entry(declared):
    """Return what is fixed of an input, as far as every version of ComfyUI knows it."""
    entry = {"id": declared.id, "type": declared.io_type, "optional": bool(declared.optional)}
    fixed = {name: getattr(declared, name, None) for name in ("default", "min", "max")}
    entry |= {name: value for name, value in fixed.items() if value not in (None, [])}  # newer ones say: no colours
    if entry["type"] == "COMBO" and "default" in entry and declared.id not in COMFYUI_CHOICES:
        entry["choices"] = list(declared.options)
    return entry


def node_entry(schema):
    """Return what is fixed of a node."""
    return {
        "output_node": schema.is_output_node,
        "inputs": [input_entry(declared) for declared in schema.inputs],
        "outputs": [{"id": output.id, "type": output.io_type} for output in schema.outputs],
    }


def undated(contract):
    """Return a contract, or a part of one, without its dates."""
    if isinstance(contract, list):
        return [undated(entry) for entry in contract]
    if isinstance(contract, dict):
        return {name: undated(entry) for name, entry in contract.items() if name not in (ADDED, CHANGED)}
    return contract


def dated(old, new, version):
    """Return a new input or output with the old one's dates, and with its own if it is new or has changed."""
    if old is None:
        return {**new, ADDED: version}
    dates = {note: old[note] for note in (ADDED, CHANGED) if note in old}
    if undated(old) != new and dates.get(ADDED) != version:
        dates[CHANGED] = version
    return {**new, **dates}


def renewed(old, now, version):
    """Return the snapshot to write.

    Args:
        old: the snapshot that there is. now: what the nodes have, undated. version: the last release.
    """
    snapshot = {}
    for name, node in now.items():
        date = old[name].get(ADDED) if name in old else version
        if date == version:  # in no release yet: all of it is new at once
            snapshot[name] = {ADDED: version, **node}
            continue
        known = {part: {entry["id"]: entry for entry in old[name][part]} for part in PARTS}
        parts = {part: [dated(known[part].get(entry["id"]), entry, version) for entry in node[part]] for part in PARTS}
        snapshot[name] = {**({ADDED: date} if date else {}), **node, **parts}
    return snapshot


def faults_of(name, had, has):
    """Return in sentences how the inputs or outputs of a node break work that was saved with those that it had."""
    ids, kept = ([entry["id"] for entry in part] for part in (had, has[: len(had)]))
    if ids != kept:
        return [f"{name} begins with {', '.join(kept)}; released was {', '.join(ids)}"]
    faults = [
        f"{name}.{entry['id']} is new and not optional" for entry in has[len(had) :] if not entry.get("optional", 1)
    ]
    for old, new in zip(had, has, strict=False):
        narrower = new.get("min", 0) > old.get("min", 0) or new.get("max", 0) < old.get("max", 0)
        lost = set(old.get("choices", ())) - set(new.get("choices", ()))
        required = old.get("optional") and not new["optional"]
        if old["type"] != new["type"] or narrower or lost or required:
            faults.append(f"{name}.{old['id']} no longer takes or gives all that it did: {old} became {new}")
    return faults


def broken(old, now, version):
    """Return in sentences what breaks work that was saved with a release; see `renewed`."""
    faults = []
    for name, node in old.items():
        if node.get(ADDED) == version:
            continue
        if name not in now:
            faults.append(f"{name} is gone")
            continue
        for part in PARTS:
            released = [entry for entry in node[part] if entry.get(ADDED) != version]
            faults += faults_of(name, released, now[name][part])
    return faults


def written(snapshot):
    """Return the snapshot's file: an input or output a line."""
    text = json.dumps(snapshot, indent=2, ensure_ascii=False)
    entry = re.compile(r"\{[^{}]*\}")
    return entry.sub(lambda found: json.dumps(json.loads(found.group()), ensure_ascii=False), text) + "\n"


def unreleased(changelog, version):
    """Return the entries of the changelog above a release's heading, a string each."""
    above = changelog.partition(f"\n## [{version}]")[0]
    return [" ".join(entry.split()) for entry in re.split(r"^- ", above, flags=re.MULTILINE)[1:]]


def unnamed(snapshot, schemas, changelog):
    """Return what the snapshot dates and no entry of the changelog names, by the words that such an entry has."""
    missing = []
    for name, node in snapshot.items():
        schema, title = schemas[name], schemas[name].display_name
        shown = {"inputs": {}, "outputs": {output.id: output.display_name for output in schema.outputs}}
        wanted = [(node[ADDED], {title})] if ADDED in node else []
        for part in PARTS:
            for entry in node[part]:
                words = {title, shown[part].get(entry["id"], entry["id"])}
                wanted += [(entry[note], words) for note in (ADDED, CHANGED) if note in entry]
        for version, words in wanted:
            patterns = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in words]
            if not any(all(p.search(entry) for p in patterns) for entry in unreleased(changelog, version)):
                missing.append(sorted(words))
    return missing


@pytest.fixture(scope="module")
def schemas(pack):
    """Node id to schema."""
    return {node.define_schema().node_id: node.define_schema() for node in pack.module("nodes").NODES}


@pytest.fixture(scope="module")
def contract(schemas):
    """What the nodes have, as a JSON file would give it back."""
    return json.loads(json.dumps({name: node_entry(schema) for name, schema in schemas.items()}))


@pytest.fixture(scope="module")
def version(pack):
    """The last release."""
    return pack.module("colorize_core.version").VERSION


def test_nodes_are_as_the_snapshot_has_them(contract, version, pytestconfig):
    old = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert broken(old, contract, version) == [], "work that was saved with a release would not open"
    if pytestconfig.getoption("--write-contract"):
        SNAPSHOT.write_text(written(renewed(old, contract, version)), encoding="utf-8")
        old = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert undated(old) == contract, "run: make contract"


def test_what_is_newer_than_a_release_is_named_in_the_changelog(schemas):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert unnamed(snapshot, schemas, changelog) == [], "CHANGELOG.md needs an entry with these words"


def test_a_new_input_asks_for_an_entry_that_names_it_and_its_node(schemas, contract, version):
    extra = {"id": "sparkle", "type": "FLOAT", "optional": True, "default": 0.5}
    now = copy.deepcopy(contract)
    now["ColorizeApply"]["inputs"].append(extra)
    snapshot = renewed(contract, now, version)
    heading = f"\n## [{version}]\n- Apply Colorization has sparkle."
    assert broken(contract, now, version) == []
    assert snapshot["ColorizeApply"]["inputs"][-1] == {**extra, ADDED: version}
    assert unnamed(snapshot, schemas, f"- Apply Colorization is new.\n- Block Strengths: `sparkle`.{heading}") == [
        ["Apply Colorization", "sparkle"]
    ]
    assert unnamed(snapshot, schemas, f"- `sparkle` of **Apply\n  Colorization**.{heading}") == []


BREAKS = {
    "a node taken away": lambda nodes: nodes.pop("ColorizeApply"),
    "an input taken away": lambda nodes: nodes["ColorizeApply"]["inputs"].pop(3),
    "an input in between": lambda nodes: nodes["ColorizeApply"]["inputs"].insert(
        3, {"id": "sparkle", "type": "FLOAT", "optional": True}
    ),
    "a new input that has to be given": lambda nodes: nodes["ColorizeApply"]["inputs"].append(
        {"id": "sparkle", "type": "MASK", "optional": False}
    ),
    "another type": lambda nodes: nodes["ColorizeApply"]["outputs"][0].update(type="IMAGE"),
    "no longer optional": lambda nodes: nodes["ColorizeApply"]["inputs"][3].update(optional=False),
    "a narrower range": lambda nodes: nodes["ColorizeApply"]["inputs"][4].update(max=1.0),
    "a choice less": lambda nodes: nodes["ColorizeBleach"]["inputs"][2]["choices"].pop(),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_what_breaks_saved_work_is_refused(fault, contract, version):
    now = copy.deepcopy(contract)
    BREAKS[fault](now)
    assert len(broken(contract, now, version)) == 1
