"""The demo base model: a small Stable Diffusion 1 of clothes, its probes, and a LoRA for it."""
