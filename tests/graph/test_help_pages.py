"""The help pages: one for each node, complete, and with pictures that are there."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "web" / "docs"
TRANSLATIONS = ("ja", "zh")
#: The nodes of every workflow; their pages are there in every language.
MOST_USED = (
    "ColorizeCheckpointLoader",
    "ColorizePrepareSketch",
    "ColorizeEncodeReference",
    "ColorizeEncodeBackground",
    "ColorizeApply",
)
PAGES = sorted(DOCS.rglob("*.md"))


@pytest.fixture(scope="module")
def schemas(pack):
    """Node id to schema."""
    return {node.define_schema().node_id: node.define_schema() for node in pack.module("nodes").NODES}


def node_of(page):
    """Return the id of the node that a page is about."""
    return page.stem if page.parent == DOCS else page.parent.name


def table_of_inputs(text):
    """Return the ids in the first column of the page's table of inputs; a translation has its names in brackets."""
    rows = re.search(r"^\| (?:Input|入力|输入) \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n?)+)", text, re.MULTILINE)
    assert rows, "no table of inputs"
    cells = [row.split("|")[1].partition("（")[0] for row in rows.group(1).splitlines()]
    return [name for cell in cells for name in re.findall(r"[a-z][a-z0-9_]*", cell)]


def test_every_node_has_a_page_and_every_page_a_node(schemas):
    assert {node_of(page) for page in PAGES} == set(schemas)
    for name in schemas:
        assert (DOCS / f"{name}.md").is_file(), name


def test_the_most_used_nodes_have_pages_in_every_language():
    for name in MOST_USED:
        for language in TRANSLATIONS:
            assert (DOCS / name / f"{language}.md").is_file(), f"{name} {language}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_page_names_its_node_and_every_input(page, schemas):
    schema, text = schemas[node_of(page)], page.read_text(encoding="utf-8")
    title = schema.display_name
    if page.parent != DOCS:
        names = json.loads((ROOT / "locales" / page.stem / "nodeDefs.json").read_text(encoding="utf-8"))
        title = names[schema.node_id]["display_name"]
    assert text.startswith(f"# {title}\n"), f"the title should be '{title}'"
    assert sorted(table_of_inputs(text)) == sorted(item.id for item in schema.inputs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_page_has_a_picture_and_says_what_goes_wrong(page):
    text = page.read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    for picture in pictures:
        assert (DOCS / picture).is_file(), "pictures are found from web/docs, from a translation too"
    assert re.search(r"\*\*(What goes wrong|うまくいかないとき|常见问题)\*\*", text)


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
