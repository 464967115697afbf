"""The ComfyUI nodes: thin faces of `core`. Only `backend` imports comfy."""
