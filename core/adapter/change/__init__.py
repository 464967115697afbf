"""What a module of a LoRA changes: the difference of one weight, exact or in outline."""
