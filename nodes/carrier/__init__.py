"""Nodes that encode references into a carrier, and work on carriers."""
