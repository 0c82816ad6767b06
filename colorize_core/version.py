"""The pack's version, for files that the pack writes; the same as in pyproject.toml."""

VERSION = "0.1.0"
