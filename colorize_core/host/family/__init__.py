"""From a checkpoint to what the graph is wired with, for each version."""
