"""The one error this pack raises on purpose.

A message has three parts, in this order: what came, what was expected, and which node or file mends it.
"""


class ColorizeError(ValueError):
    """Input that cannot be coloured, told in a sentence that a user of the graph can act on."""
