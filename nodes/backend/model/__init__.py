"""ComfyUI's models as the denoisers of `core`."""
