"""The checkpoint loader."""
