"""The stages of the training: autoencoder, latents, text, diffusion, features, and the folder that they become."""
