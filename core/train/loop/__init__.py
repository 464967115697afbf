"""The training loop: steps, their loss and optimizer, checkpoints, and what is watched on the way."""
