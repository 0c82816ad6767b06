"""The help pages: one for each node, complete, and with pictures that are there."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "web" / "docs"
TRANSLATIONS = ("ja", "zh")
#: How a language quotes the name of a node.
QUOTES = {"ja": "「{}」", "zh": "“{}”"}
#: Numbers that a translation may write in digits where English has a word ("two", "the first").
SPELT_OUT = {"1", "2", "3", "4", "5", "16"}
PAGES = sorted(DOCS.rglob("*.md"))
TRANSLATED = [page for page in PAGES if page.parent != DOCS]


@pytest.fixture(scope="module")
def schemas(pack):
    """Node id to schema."""
    return {node.define_schema().node_id: node.define_schema() for node in pack.module("nodes").NODES}


def node_of(page):
    """Return the id of the node that a page is about."""
    return page.stem if page.parent == DOCS else page.parent.name


def label_of(page):
    """Return what a page is called in a test's name: ColorizeApply/ja.md."""
    return str(page.relative_to(DOCS))


def rows_of_inputs(text):
    """Return the first cells of the page's table of inputs, as (ids, names in brackets); English has no names."""
    rows = re.search(r"^\| (?:Input|入力|输入) \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n?)+)", text, re.MULTILINE)
    assert rows, "no table of inputs"
    cells = [row.split("|")[1].strip().partition("（") for row in rows.group(1).splitlines()]
    return [(ids.split(", "), names.removesuffix("）").split("、") if names else []) for ids, _, names in cells]


def table_of_inputs(text):
    """Return the ids in the first column of the page's table of inputs."""
    return [name for ids, _ in rows_of_inputs(text) for name in ids]


def names_in(language):
    """Return the language's names of nodes and inputs, locales/<language>/nodeDefs.json."""
    return json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))


def english_of(page):
    """Return the text of the English page that a page translates."""
    return (DOCS / f"{node_of(page)}.md").read_text(encoding="utf-8")


def rows_of(text):
    """Return the lines of a page's tables."""
    return re.findall(r"^\|.*", text, re.MULTILINE)


def blocks(text):
    """Return what each block of a page is built of: the signs that its lines begin with, none for plain text."""
    line = re.compile(r"^(\||!|```|#|- |\d+(?=\. ))", re.MULTILINE)
    return [["1" if sign.isdigit() else sign for sign in line.findall(block)] for block in text.split("\n\n")]


def numbers(text):
    """Return the numbers that stand on a page."""
    return set(re.findall(r"\d+(?:\.\d+)?", text))


def italics(text):
    """Return what a page has in italics, where it writes ids of inputs, choices and outputs."""
    return set(re.findall(r"(?<!\*)\*([^*|]+?)\*(?!\*)", " ".join(text.split())))


def test_every_node_has_a_page_and_every_page_a_node(schemas):
    assert {node_of(page) for page in PAGES} == set(schemas)
    for name in schemas:
        assert (DOCS / f"{name}.md").is_file(), name


def test_every_node_has_a_page_in_every_language(schemas):
    wanted = {f"{name}/{language}.md" for name in schemas for language in TRANSLATIONS}
    assert {label_of(page) for page in TRANSLATED} == wanted


@pytest.mark.parametrize("page", PAGES, ids=label_of)
def test_page_names_its_node_and_every_input(page, schemas):
    schema, text = schemas[node_of(page)], page.read_text(encoding="utf-8")
    title = schema.display_name
    if page.parent != DOCS:
        title = names_in(page.stem)[schema.node_id]["display_name"]
    assert text.startswith(f"# {title}\n"), f"the title should be '{title}'"
    assert sorted(table_of_inputs(text)) == sorted(item.id for item in schema.inputs)


@pytest.mark.parametrize("page", PAGES, ids=label_of)
def test_page_has_a_picture_and_says_what_goes_wrong(page):
    text = page.read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    for picture in pictures:
        assert (DOCS / picture).is_file(), "pictures are found from web/docs, from a translation too"
    assert re.search(r"\*\*(What goes wrong|うまくいかないとき|常见问题)\*\*", text)


@pytest.mark.parametrize("page", TRANSLATED, ids=label_of)
def test_translation_names_inputs_as_the_node_shows_them(page):
    inputs = names_in(page.stem)[node_of(page)]["inputs"]
    rows = rows_of_inputs(page.read_text(encoding="utf-8"))
    assert rows == [(ids, [inputs[name]["name"] for name in ids]) for ids, _ in rows]


@pytest.mark.parametrize("page", TRANSLATED, ids=label_of)
def test_translation_is_built_as_its_english_page(page):
    """The same paragraphs, rows, pictures and examples in the same order, so that nothing is left out."""
    text, english = page.read_text(encoding="utf-8"), english_of(page)
    assert [ids for ids, _ in rows_of_inputs(text)] == [ids for ids, _ in rows_of_inputs(english)]
    assert blocks(text) == blocks(english)
    for part in (r"\]\((img/[^)]+)\)", r"```.*?```"):
        assert re.findall(part, text, re.DOTALL) == re.findall(part, english, re.DOTALL)
    literal = r"(?<!`)`([^`\n]+)`(?!`)"
    assert set(re.findall(literal, text)) == set(re.findall(literal, english))


@pytest.mark.parametrize("page", TRANSLATED, ids=label_of)
def test_translation_has_the_numbers_and_ids_of_its_english_page(page, schemas):
    text, english = page.read_text(encoding="utf-8"), english_of(page)
    for own, meant in [(text, english), *zip(rows_of(text), rows_of(english), strict=True)]:
        assert numbers(meant) <= numbers(own), f"values are missing: {own}"
        assert numbers(own) - numbers(meant) <= SPELT_OUT, f"values that English does not have: {own}"
    sockets = [socket for schema in schemas.values() for socket in (*schema.inputs, *schema.outputs)]
    ids = {socket.id for socket in sockets} | {socket.display_name for socket in sockets}
    ids |= {option for socket in sockets for option in getattr(socket, "options", None) or ()}
    for item in italics(english):
        if item in ids or re.fullmatch(r"\w+ = \w+", item):
            assert item in text, f"*{item}*"


@pytest.mark.parametrize("page", TRANSLATED, ids=label_of)
def test_translation_names_the_nodes_of_its_english_page(page, schemas):
    """In the language's quotes, by the name that the node has in that language; nothing else stands in such quotes."""
    text, english = page.read_text(encoding="utf-8"), english_of(page)
    names = {schema.display_name: names_in(page.stem)[name]["display_name"] for name, schema in schemas.items()}
    quoted = set(re.findall(re.escape(QUOTES[page.stem]).replace(r"\{\}", "(.+?)"), text))
    assert quoted - set(names.values()) == set()
    english = " ".join(english.split())
    wanted = {own for name, own in names.items() if name in english and name != schemas[node_of(page)].display_name}
    assert wanted - quoted == set()


def test_every_picture_is_shown_somewhere():
    shown = set(re.findall(r"\]\((img/[^)]+)\)", "".join(page.read_text(encoding="utf-8") for page in PAGES)))
    assert shown == {f"img/{picture.name}" for picture in (DOCS / "img").iterdir()}


def test_every_input_and_output_has_a_tooltip(schemas):
    for name, schema in schemas.items():
        for socket in (*schema.inputs, *schema.outputs):
            assert socket.tooltip and socket.tooltip.endswith("."), f"{name}.{socket.id}"


def test_readme_lists_every_node(schemas):
    table = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| **")]
    listed = re.findall(r"\*\*([^*]+)\*\*", "".join(line.split("|")[1] for line in table))
    assert sorted(listed) == sorted(schema.display_name for schema in schemas.values())
