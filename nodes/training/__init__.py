"""What the training node takes, and its run."""
