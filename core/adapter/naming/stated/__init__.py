"""What a LoRA file says of itself beside its tensors: metadata, settings, base, what it is for."""
