"""A LoRA on a base: what fits, what it changes, and switching it on and off."""
