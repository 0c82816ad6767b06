"""The parts of benchmarks/device.py: each runs in a process of its own and hands back lines."""
