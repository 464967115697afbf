"""A diffusion model and all that it can be asked: drawing, predicting, classifying."""
