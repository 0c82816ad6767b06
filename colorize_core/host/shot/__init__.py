"""Shots: frames in folders, and sampling them in chunks."""
