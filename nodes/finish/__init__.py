"""What comes after the sampler."""
