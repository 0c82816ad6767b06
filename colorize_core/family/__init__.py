"""What each version of ColorizeDiffusion holds, and its networks."""
