"""Nodes for drawings, masks and references before they are encoded."""
