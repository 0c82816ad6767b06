"""The same drawings through several graphs: parts of benchmarks/compare.py."""
