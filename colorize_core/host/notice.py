"""A line for the user on the node that is running, and in the log."""

import logging
import sys

from comfy_execution.utils import get_executing_context

#: Nodes that show a notice. Pages keep it there until another text comes.
_noticed: set[str] = set()


def notice(node: str, text: str | None, otherwise: str) -> None:
    """Tell the user something that is no error.

    Args:
        node: the node's name, for the log.
        text: what to tell; None: nothing.
        otherwise: what takes the place of an earlier notice that no longer holds.
    """
    context = get_executing_context()
    if text:
        logging.warning("%s: %s", node, text)
    if context is None:
        return
    if text:
        _noticed.add(context.node_id)
        show(context.node_id, text)
    elif context.node_id in _noticed and not context.list_index:
        _noticed.discard(context.node_id)
        show(context.node_id, otherwise)


def notice_mask(node: str, missing: str | None) -> None:
    """Tell the user which side of a mask is missing, see `one_sided`."""
    notice(node, missing, otherwise="The mask has a character and a background.")


def tell(text: str) -> None:
    """Show on the running node what it has found out."""
    context = get_executing_context()
    if context is not None:
        show(context.node_id, text)


def show(node_id: str, text: str) -> None:
    """Show a text on a node, in the page that runs the prompt; nowhere where no server is.

    ComfyUI's server is looked up, not imported: a program that only loads nodes has none.
    """
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is not None and server.client_id is not None:
        server.send_progress_text(text, node_id, server.client_id)
