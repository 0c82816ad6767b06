"""What only newer versions of ComfyUI know of a node: inputs folded away, words to search for, pictures shown again."""

import dataclasses
import inspect
import re

import pytest

#: What users look for, by language, and the nodes that they should find.
WANTED = {
    "lineart": {"ColorizePrepareSketch", "ColorizeExtractLines", "ColorizeApply"},
    "flat color": {"ColorizeApply", "ColorizeEncodeReference"},
    "塗り": {"ColorizeApply", "ColorizeEncodeReference"},
    "彩色": {"ColorizeApply", "ColorizeEncodeReference"},
    "線画": {"ColorizePrepareSketch"},
    "着色": {"ColorizeApply"},
    "上色": {"ColorizeApply", "ColorizeEncodeReference"},
    "线稿上色": {"ColorizeApply"},
    "线稿": {"ColorizePrepareSketch"},
    "抠图": {"ColorizeSegmentCharacter"},
}
#: Numbers of Apply Colorization that stay in sight: what the README and its help page name first when a picture is not
#: right, and the one strength that XL's base model has.
IN_SIGHT = {"foreground_strength", "background_strength", "semantic_strength", "reference_strength"}
#: Its choice that is folded away: version 1.5 alone has it.
FOLDED_CHOICES = {"split_form"}
SCRIPTS = {"English": r"^[ -~]+$", "Japanese or Chinese": r"[぀-ヿ一-鿿]"}


@pytest.fixture(scope="module")
def info(pack):
    """Node id to what /object_info tells of it."""
    nodes = (node.GET_NODE_INFO_V1() for node in pack.module("nodes").NODES)
    told = [node if isinstance(node, dict) else dataclasses.asdict(node) for node in nodes]
    return {node["name"]: node for node in told}


@pytest.fixture(scope="module")
def words(pack):
    return pack.module("nodes.search_words").SEARCH_WORDS


def test_every_node_is_found_by_words_of_several_languages(info, words):
    assert set(words) == set(info)
    for node, own in words.items():
        assert len(set(own)) == len(own), f"{node} has a word twice"
        for language, script in SCRIPTS.items():
            assert any(re.search(script, word) for word in own), f"{node} has no word in {language}"


@pytest.mark.parametrize("word", WANTED)
def test_what_users_look_for_finds_the_node(word, words):
    assert {node for node, own in words.items() if word in own} >= WANTED[word]


def test_newer_pages_are_told_of_both_and_older_ones_of_neither(pack, info, words):
    from comfy_api.latest import io

    widgets = info["ColorizeApply"]["input"]
    widgets = {name: settings for kind in widgets.values() for name, (_type, settings) in kind.items()}
    numbers = {name for name, settings in widgets.items() if "step" in settings}
    folded = {name for name, settings in widgets.items() if settings.get("advanced")}
    knows_advanced = hasattr(io.Float.Input("x"), "advanced")
    assert folded == ((numbers - IN_SIGHT) | FOLDED_CHOICES if knows_advanced else set())
    knows_words = "search_aliases" in io.Schema.__dataclass_fields__
    for node, told in info.items():
        assert told.get("search_aliases") == (list(words[node]) if knows_words else None)


def test_a_node_that_shows_a_picture_shows_it_again_from_the_cache(pack, info):
    from comfy_api.latest import io

    classes = {node.define_schema().node_id: node for node in pack.module("nodes").NODES}
    shows = {name for name, node in classes.items() if "ui=" in inspect.getsource(node.execute)}
    assert {"ColorizeExamplePicture", "ColorizeFlats"} <= shows
    told = {node for node in shows if info[node]["output_node"] or info[node].get("has_intermediate_output")}
    knows = "has_intermediate_output" in io.Schema.__dataclass_fields__
    assert told == (shows if knows else {node for node in shows if info[node]["output_node"]})
