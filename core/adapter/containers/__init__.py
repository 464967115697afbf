"""Files and folders that hold a LoRA, opened without running anything."""
