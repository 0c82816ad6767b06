"""Every text of every node in every language, and English as the nodes have it."""

import dataclasses
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TRANSLATIONS = ("ja", "zh")
FILES = ("main.json", "nodeDefs.json")
#: What the frontend's message format would take for an instruction, unless quoted as {'@'}.
INSTRUCTION = re.compile(r"[{}@|$]")
SCRIPT = {"ja": re.compile(r"[぀-ヿ一-鿿]"), "zh": re.compile(r"[一-鿿]")}
KANA = re.compile(r"[぀-ヿ]")
#: Names that are the same in every language.
PROPER_NAMES = {"VAE", "CLIP Vision", "CFG", "v", "eps"}


@pytest.fixture(scope="module")
def locales():
    """scripts/build_locales.py, as its own program imports it."""
    sys.path.append(str(ROOT / "scripts"))
    try:
        import build_locales

        yield build_locales
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def english(pack, locales):
    """English as the nodes of this ComfyUI have it: {file: contents}."""
    info = {node.define_schema().node_id: node.GET_NODE_INFO_V1() for node in pack.module("nodes").NODES}
    info = {name: node if isinstance(node, dict) else dataclasses.asdict(node) for name, node in info.items()}
    return locales.english(info)


def texts(contents, above=()):
    """Yield (way, text) of every text."""
    if isinstance(contents, dict):
        for key, value in contents.items():
            yield from texts(value, (*above, key))
    else:
        yield above, contents


@pytest.mark.parametrize("file", FILES)
def test_english_is_what_the_nodes_say(file, english, locales):
    assert locales.read("en", file) == english[file], "run: python scripts/build_locales.py"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", TRANSLATIONS)
def test_translations_have_every_text_and_nothing_else(language, file, english, locales):
    missing, left_over = locales.compare(language, file, english[file])
    assert not missing, f"locales/{language}/{file} lacks {sorted(missing)}"
    assert not left_over, f"locales/{language}/{file} has left over {sorted(left_over)}"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_translations_are_in_their_language(language, locales):
    for file in FILES:
        for way, text in texts(locales.read(language, file)):
            assert text.strip() == text and text, way
            if text not in PROPER_NAMES:
                assert SCRIPT[language].search(text), f"{' / '.join(way)}: {text}"
            if language == "zh":
                assert not KANA.search(text), f"{' / '.join(way)}: {text}"


@pytest.mark.parametrize("language", ("en", *TRANSLATIONS))
def test_texts_hold_no_instructions_to_the_message_format(language, locales):
    for file in FILES:
        for way, text in texts(locales.read(language, file)):
            assert not INSTRUCTION.search(re.sub(r"\{'[{}@|$]'\}", "", text)), f"{' / '.join(way)}: {text}"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_choices_keep_their_ids_in_the_tooltip(language, english, locales):
    """The frontend shows a choice by its id, so a tooltip that explains choices has to name them as English does."""
    nodes = locales.read(language, "nodeDefs.json")
    for node, entry in english["nodeDefs.json"].items():
        for name, settings in entry["inputs"].items():
            for option in settings.get("options", {}):
                if f"{option}:" in settings["tooltip"]:
                    assert option in nodes[node]["inputs"][name]["tooltip"], f"{language} {node}.{name}: {option}"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_one_name_for_one_node_and_one_socket(language, locales):
    """A name stands for one node; inputs of one node are told apart by their names."""
    nodes = locales.read(language, "nodeDefs.json")
    names = [entry["display_name"] for entry in nodes.values()]
    assert len(set(names)) == len(names)
    for node, entry in nodes.items():
        labels = [settings["name"] for settings in entry["inputs"].values()]
        assert len(set(labels)) == len(labels), node


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_nodes_named_in_quotes_exist(language, locales):
    nodes = locales.read(language, "nodeDefs.json")
    names = {entry["display_name"] for entry in nodes.values()}
    quoted = {"ja": r"「([^」]+)」", "zh": r"“([^”]+)”"}[language]
    for way, text in texts(nodes):
        for name in re.findall(quoted, text):
            assert name in names, f"{' / '.join(way)}: {name}"


def test_files_are_written_as_the_script_writes_them(locales):
    for language in ("en", *TRANSLATIONS):
        for file in FILES:
            path = locales.LOCALES / language / file
            contents = json.loads(path.read_text(encoding="utf-8"))
            assert path.read_text(encoding="utf-8") == json.dumps(contents, ensure_ascii=False, indent=2) + "\n"
