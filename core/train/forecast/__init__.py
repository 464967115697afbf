"""What a training would cost and need, from shapes: rows of the denoiser, and memory of its steps."""
