"""The frames of an animation: their numbers and seeds."""
