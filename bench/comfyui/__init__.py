"""What is about ComfyUI: its workflows and blueprints, the texts of the nodes, and training against its own node."""
