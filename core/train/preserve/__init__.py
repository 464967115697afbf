"""Ways to preserve the base: one file per term; the folder is the registry."""
