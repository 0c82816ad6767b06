"""Names, tooltips and help in other languages, as a running server hands them to the page."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LANGUAGES = ("en", "ja", "zh")
#: Nodes that older versions of ComfyUI have no types for.
NEWER = {"ColorizeMakeLayers"}


@pytest.fixture(scope="module")
def i18n(server):
    return server.get("/i18n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_server_hands_out_every_language(language, i18n, object_info):
    folder = ROOT / "locales" / language
    main, nodes = (json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("main", "nodeDefs"))
    assert i18n[language] == {**main, "nodeDefs": nodes}
    offered = {name for name in object_info if name.startswith("Colorize")}
    assert offered <= set(nodes) <= offered | NEWER


def test_help_page_is_found_by_language_and_else_in_english(server, object_info):
    """The page asks for docs/<node>/<language>.md first, then for docs/<node>.md."""

    def found(path):
        try:
            with urllib.request.urlopen(f"{server.url}/extensions/colorizediffusion/docs/{path}") as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            assert error.code == 404
            return None

    assert found("ColorizeApply/ja.md").startswith("# 彩色を適用\n")
    assert found("ColorizeApply/zh.md").startswith("# 应用上色\n")
    assert found("ColorizeApply/en.md") is None
    for name in object_info:
        if name.startswith("Colorize"):
            assert found(f"{name}.md"), name
