"""Nodes that patch the model and guide the sampling."""
