"""Nodes for shots of many frames."""
