"""What is measured, one file per metric."""
