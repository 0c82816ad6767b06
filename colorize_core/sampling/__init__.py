"""What a step of the sampling computes beside the plain UNet."""
