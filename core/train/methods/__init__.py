"""What is trained: one file per method."""
