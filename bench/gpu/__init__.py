"""What only a CUDA device can tell."""
