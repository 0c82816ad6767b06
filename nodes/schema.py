"""The one place that makes a node's schema, with what only newer versions of ComfyUI know of it."""

from collections.abc import Collection
from typing import Any

from comfy_api.latest import io

from .search_words import SEARCH_WORDS


def node_schema(
    node_id: str,
    inputs: list[io.Input],
    advanced: Collection[str] = (),
    shows_picture: bool = False,
    **fields: Any,
) -> io.Schema:
    """Return the schema of a node.

    Args:
        node_id: as in the contract; the words that find the node stand in `search_words`.
        inputs: in the order of the contract.
        advanced: ids of the inputs that few turn; newer nodes of the page fold them away.
        shows_picture: the node shows a picture without being an output node. Newer versions of ComfyUI then show it
            again where a run takes it from the cache: in another tab, after the page was loaded again.
        fields: those of io.Schema that every supported ComfyUI has.
    """
    unknown = set(advanced) - {declared.id for declared in inputs}
    assert not unknown, f"{node_id} has no input {unknown}"
    for declared in inputs:
        if declared.id in advanced and hasattr(declared, "advanced"):
            declared.advanced = True
    words = SEARCH_WORDS.get(node_id)
    newer: dict[str, Any] = {"search_aliases": list(words)} if words else {}
    if shows_picture:
        newer["has_intermediate_output"] = True
    known = {name: value for name, value in newer.items() if name in io.Schema.__dataclass_fields__}
    return io.Schema(node_id=node_id, inputs=inputs, **fields, **known)
