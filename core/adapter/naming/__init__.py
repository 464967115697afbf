"""What names and settings in a LoRA mean, in every dialect."""
