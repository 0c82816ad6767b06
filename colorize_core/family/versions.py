"""The table of versions: a row each. A file is of the first one whose marks it bears."""

from .v1 import V1, V15
from .v2 import V2
from .version import Version
from .xl import XL_BASE, XL_V2

VERSIONS: tuple[Version, ...] = (XL_V2, XL_BASE, V2, V15, V1)


def name_of(version: str) -> str:
    """Return what people call a version, by its id."""
    return next((row.name for row in VERSIONS if row.id == version), version)
