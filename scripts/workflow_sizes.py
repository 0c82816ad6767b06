"""How tall the page draws a node, by either of its renderers: the canvas, and the one with HTML elements (Nodes 2.0).

A node on the sheet gets the height that the taller of the two needs, so that the same place holds in both.
"""

import math
import re

TITLE, SLOT, WIDGET, EDGE = 30, 20, 24, 14
#: Of the renderer with HTML: a widget, and the bar below that names the node's pack or says that something is missing.
HTML_WIDGET, HTML_BAR = 28, 28

LETTER, LINE, PARAGRAPH, HEADING = 6.9, 20, 12, 46
NOTE_EDGE = 44


def node_height(slots: int, widgets: int, wired_widgets: int) -> int:
    """Return the least height of a node without its title.

    Args:
        slots: rows of sockets, the longer of the two sides.
        widgets: all of them, those that are wired too.
        wired_widgets: how many of them have a wire and so show as a socket alone.
    """
    canvas = slots * SLOT + widgets * WIDGET + EDGE
    html = slots * SLOT + (widgets - wired_widgets) * HTML_WIDGET + wired_widgets * WIDGET + EDGE + HTML_BAR
    return max(canvas, html)


def socket_height(slot: int) -> int:
    """Return how far below a node's title the middle of a socket lies."""
    return EDGE + slot * SLOT


def note_height(text: str, width: int) -> int:
    """Return the height at which a note in Markdown shows all of its text."""
    letters = (width - NOTE_EDGE) / LETTER
    height = 2.0 * EDGE
    for paragraph in re.split(r"\n\n|\n(?=\d+\. |- )", text.strip()):
        if paragraph.startswith("#"):
            height += HEADING
        else:
            height += math.ceil(len(paragraph) / letters) * LINE + PARAGRAPH
    return math.ceil(height)
