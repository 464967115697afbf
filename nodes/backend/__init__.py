"""ComfyUI's MODEL, CLIP and VAE behind the Denoiser protocol; the only folder that imports comfy."""
